/* SPDX-License-Identifier: MIT */
/*
 * hits.h - how often each entry of the cold cache has answered, from whichever cache, in all workers.
 * For people alone: nothing is decided by it, so all of it is relaxed, and what a death or a race
 * takes is some hits, never a page. Shared by all workers and the master. What the number means and
 * why a hit costs two instructions: shm/README.md, "Hits".
 */
#ifndef SSRD_SHM_HITS_H
#define SSRD_SHM_HITS_H

#include "shm/page.h"

#include <stdatomic.h>

struct cold;
struct region;

/* Of each worker: as many entries are counted without looking anything up. Number 0 is none. */
#define HITS_CELLS 16384u

/* An entry and its hits since the cell was taken, written by one worker. hash 0: free. */
struct hits_cell {
    _Atomic uint64_t hash; /* the page's */
    _Atomic uint64_t word; /* stamp (24) | hits (40) */
};
static_assert(sizeof(struct hits_cell) == 16, "in shared memory");

/* One worker's view; its fields are for the functions below. */
struct hits {
    struct hits_cell *cell;
    struct cold *cold;
    _Atomic uint64_t *count; /* in shared memory: a word as in a cell, for each slot of the index */
    _Atomic uint32_t *told;  /* in shared memory: the next, for others */
    uint32_t taken;          /* cells of this row that were ever taken, and 1 */
    uint8_t *backed;         /* a bit for each page of `count` that has memory */
    uint32_t given_count;
    uint16_t given[HITS_CELLS]; /* cells that are free again */
};

/*
 * peer: the caller's row; what a dead process counted there is added up first. cold: the caller's, must outlive
 * the handle. 0 / -ENOMEM.
 */
int hits_open(struct region *region, uint32_t peer, struct cold *cold, struct hits **ret_hits);
void hits_close(struct hits *hits); /* nothing is lost; takes NULL */

/* Master, when no child is left: all that is in cells goes to the entries, and into the file. */
void hits_settle(struct region *region, struct cold *cold);

/* What tells a stored page from others of its key, before and after it; its other encodings are the same. */
uint64_t hits_stamp(const struct page *page);

/* Slow paths of hits_count(). False: no cell is left, and the hit was added where it belongs. */
bool hits_take(struct hits *hits, const struct page *page, uint16_t *ret_cell);
/* The cell is free again, and what it counted is the entry's, if that is still there. 0: nothing. */
void hits_give(struct hits *hits, uint16_t cell);

/* One more. *cell: the holder's for this page, 0 at first; to be given back with the page. */
static inline void hits_count(struct hits *hits, uint16_t *cell, const struct page *page)
{
    _Atomic uint64_t *word;

    if (unlikely(*cell == 0) && !hits_take(hits, page, cell))
        return;
    word = &hits->cell[*cell].word;
    atomic_store_explicit(word, atomic_load_explicit(word, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

/* What all workers count at this moment, for a walk over the cache. Returns owned; NULL: no memory. */
struct hits_now;
struct hits_now *hits_look(const struct region *region);
void hits_look_free(struct hits_now *now); /* takes NULL */
/* The hits of the entry in a slot of the index. */
uint64_t hits_of(const struct hits_now *now, uint64_t slot, const struct page *page);

#endif
