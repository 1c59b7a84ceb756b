/* SPDX-License-Identifier: MIT */
/*
 * purge.h - what has been purged, as generations instead of deletions. Shared by all workers
 * and the master; anyone may purge.
 *
 * A region-wide epoch counts purges. A page carries the epoch at which its render *began*; it is
 * valid while nothing that covers it was purged at a later epoch. So a purge is a store or two,
 * O(1) for URL, tag and all; it reaches every hot cache at once, because each hit compares one
 * word; and a render that began before a purge cannot bring the page back, however late it ends.
 * Hash collisions only ever purge too much. Argument and crash rules: shm/README.md.
 */
#ifndef SSRD_SHM_PURGE_H
#define SSRD_SHM_PURGE_H

#include "shm/page.h"

struct region;
struct purge; /* in shared memory */

struct purge *purge_of(const struct region *region);

/* The epoch now. A render notes it before it starts; a hot cache compares it at each hit. */
uint64_t purge_epoch(const struct purge *purge);

/*
 * Is the page still valid at the epoch `now` (read by the caller before this call)?
 * Walks the page's tags and the prefixes purged since the page's own epoch.
 * Never blocks or allocates.
 */
bool purge_page_valid(const struct purge *purge, const struct page *page);

/* Hash of path and query as they stand in keys. */
uint64_t purge_url_hash(const char *url, size_t url_bytes);
uint64_t purge_tag_hash(const char *tag, size_t tag_bytes);

/* Purge. When they return, no later hit in any process serves what they cover. */
void purge_url(struct purge *purge, const char *url, size_t url_bytes);
void purge_tag(struct purge *purge, const char *tag, size_t tag_bytes);
void purge_all(struct purge *purge);
/* -ENAMETOOLONG: prefix above PURGE_PREFIX_BYTES_MAX */
#define PURGE_PREFIX_BYTES_MAX 1000
int purge_prefix(struct purge *purge, const char *prefix, size_t prefix_bytes);

/*
 * The master, after waitpid(): the purge that the dead one was in is finished, or was never begun; a
 * prefix entry that it was writing can be used again, and all that it may have covered is refused.
 * dead_pid: 0: not known, then only what can be seen without it. Returns how many entries were freed.
 */
unsigned purge_reap(struct purge *purge, uint32_t dead_pid);

#endif
