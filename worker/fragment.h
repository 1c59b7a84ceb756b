/* SPDX-License-Identifier: MIT */
/*
 * fragment.h - ssr.cache: what JavaScript keeps by name, in the cold cache beside the pages. A fragment is
 * a page of status FRAGMENT_STATUS whose key begins with a byte that no host or path can begin with;
 * its ttl, tags, edition and purge epoch are a page's, so it is evicted, purged, kept in cache.file like one.
 */
#ifndef SSRD_WORKER_FRAGMENT_H
#define SSRD_WORKER_FRAGMENT_H

#include "worker/js.h"

struct fragments;
struct worker;

#define FRAGMENT_STATUS 1

/* After the worker's caches; the worker must outlive it. 0 / -ENOMEM. */
int fragments_new(struct worker *worker, struct fragments **ret_fragments);
void fragments_free(struct fragments *fragments); /* takes NULL */

/* For js_set_fragments(); valid as long as `fragments`. */
const struct js_fragments *fragments_js(const struct fragments *fragments);

#endif
