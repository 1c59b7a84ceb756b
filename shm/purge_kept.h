/* SPDX-License-Identifier: MIT */
/*
 * purge_kept.h - the purges as the cache file keeps them: a second struct purge beside the one that
 * readers look at, written before it, each word with a check of its own. Used by purge.c and the
 * region's file alone. Shared by all processes, or by one and a file.
 */
#ifndef SSRD_SHM_PURGE_KEPT_H
#define SSRD_SHM_PURGE_KEPT_H

#include "shm/base.h"

#include <stdatomic.h>

struct purge;

/*
 * An epoch in a file: 48 bits of it and 16 of a check, so that a flipped bit is seen where it is, and
 * costs what that word covers. 0 stands for 0.
 */
#define PURGE_KEPT_MAX (((uint64_t)1 << 48) - 1)
uint64_t purge_kept_word(uint64_t epoch);
bool purge_kept_read(uint64_t word, uint64_t *ret_epoch);

/* Raise a kept word to that epoch; one that does not check is replaced. Relaxed. */
void purge_kept_raise(_Atomic uint64_t *word, uint64_t epoch);

/* Master, before the first fork: `live` and `kept` as new; from now on purges go into both. */
void purge_kept_begin(struct purge *live, struct purge *kept);

/*
 * The same, with the purges that `kept` holds. What does not check counts as purged a moment ago: pages
 * of before are refused, those to come are not. The epoch goes on above all that a page of before
 * can bear. False: the epoch itself is lost, and no page of before may be served; nothing was done.
 */
bool purge_kept_resume(struct purge *live, struct purge *kept);

#endif
