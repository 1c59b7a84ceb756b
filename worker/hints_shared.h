/* SPDX-License-Identifier: MIT */
/*
 * hints_shared.h - what hints.h picks, in the cold cache, so that any worker tells it, also one born later.
 * An entry is a page of status HINTS_STATUS under a key that no page can have; its epoch and edition
 * are a page's, so `purge --all` and another bundle end it. Foreign bytes to whoever reads it.
 */
#ifndef SSRD_WORKER_HINTS_SHARED_H
#define SSRD_WORKER_HINTS_SHARED_H

#include "worker/hints.h"
#include "worker/worker.h"

#define HINTS_STATUS 2

/* epoch: the purge epoch when the page's render began. No links are told too, where there were some. What
 * stands there already is not written again. */
void hints_share(const struct worker *worker, uint64_t hash, uint64_t epoch, struct span links);

/* True: there is an entry; bytes 0: of a page without links. */
bool hints_shared(const struct worker *worker, uint64_t hash, char ret_text[static HINTS_BYTES_MAX],
                  size_t *ret_bytes);

#endif
