/* SPDX-License-Identifier: MIT */
/*
 * cold.h - pages shared by all workers: the only door to index and ring.
 * Design, memory orders and crash rules: shm/README.md.
 */
#ifndef SSRD_SHM_COLD_H
#define SSRD_SHM_COLD_H

#include "shm/page.h"

struct region;
struct cold; /* private handle of one process; the pages themselves live in the region */

/*
 * peer: the caller's row in the peers table, REGION_PEERS_MAX for the master; marks what it holds
 * while it writes. To be called by the process that will use it, not before its fork.
 * 0 / -ENOMEM. The region must outlive the handle.
 */
int cold_open(struct region *region, uint32_t peer, struct cold **ret_cold);
void cold_close(struct cold *cold); /* gives its open segment back; takes NULL */

/* Where a page stands, as found; nothing in it keeps the page alive. */
struct cold_ref {
    uint64_t word; /* the index slot's word */
    uint32_t slot;
    uint32_t page_bytes; /* what cold_copy() needs */
};

/*
 * Find the page of a key. 0 / -ENOENT: absent, or being replaced.
 * Purges are looked at by cold_copy(); expiry is the caller's to judge, after the copy. Never
 * blocks, allocates or logs.
 */
int cold_find(struct cold *cold, const char *key, size_t key_bytes, uint64_t hash,
              struct cold_ref *ret_ref);

/*
 * Copy the page found into buf (capacity ref->page_bytes, 8-byte aligned).
 * 0: whole, checked, of this key, not purged / -ENOENT: it went away meanwhile: a miss.
 * Heats the page, but for the master.
 */
int cold_copy(struct cold *cold, const struct cold_ref *ref, const char *key, size_t key_bytes,
              struct page *buf);

/*
 * Store a page (built by page_build), replacing the one of the same key.
 * 0 / -EFBIG: above cache.max_object or a quarter of the cache / -EAGAIN: no segment can be had now
 * (all held by others): the page is simply not stored / -ESTALE: purged while it was rendered.
 * Never blocks; may evict.
 */
int cold_put(struct cold *cold, const struct page *page);

/*
 * The slot of the index that leads to the page of this hash for which is() says yes, whatever its state. is():
 * asked with a private copy of a struct page, nothing behind it. For figures: the page may be gone by now.
 */
bool cold_locate(struct cold *cold, uint64_t hash, bool (*is)(const struct page *page, void *arg),
                 void *arg, uint64_t *ret_slot);

/* Remove the page of a key, whatever its state. Returns how many slots were cleared. */
unsigned cold_delete(struct cold *cold, const char *key, size_t key_bytes, uint64_t hash);

/* Evict every page whose path begins with the prefix (after purge_prefix(), which makes them
 * invisible; this gives their room back). Master only; a full walk of the index. */
unsigned cold_sweep_prefix(struct cold *cold, const char *prefix, size_t prefix_bytes);

/* Master only, after waitpid() of the peer and before peer_release(): give back what a dead
 * process held, and end the purge it was in. Returns how many segments were repaired. */
unsigned cold_reap(struct cold *cold, uint32_t dead_peer);

struct cold_figures {
    uint64_t budget_bytes;
    uint64_t used_bytes; /* of the entries: what purges cover and what is dead is not in it */
    uint64_t entries;    /* those that cold_walk() shows */
    uint64_t slots;
    uint64_t segments;
    uint64_t segment_bytes;
};
/* Walks the whole index: for status, not for the hot path. */
void cold_figures(struct cold *cold, struct cold_figures *ret_figures);

/*
 * Call visit with a private, checked copy of each valid page's struct page, key and tags (bodies not
 * copied: body offsets must not be followed). Stops when visit returns false.
 * seen->heat: how often it was read from here since the hand last came by, as far as is known without a
 * write at each read: 0, 1, 2 (twice or more). Reads of hot caches' copies are not in it.
 */
#define COLD_HEAT_MAX 2
struct cold_seen {
    uint64_t slot; /* of the index: for hits_of() */
    unsigned heat;
};
typedef bool cold_visit(void *arg, const struct page *page, size_t copied_bytes,
                        const struct cold_seen *seen);
void cold_walk(struct cold *cold, cold_visit *visit, void *arg);

#endif
