/* SPDX-License-Identifier: MIT */
/*
 * index.h - from a key's hash to a place in the ring: open addressing, one 64-bit word a slot.
 * Knows neither keys nor pages; asks its caller what a word leads to. In shared memory, used by all
 * processes. Design, memory orders and crash rules: index.c and shm/README.md.
 */
#ifndef SSRD_SHM_INDEX_H
#define SSRD_SHM_INDEX_H

#include "shm/base.h"

#include <stdatomic.h>

struct region;

#define INDEX_BUCKET_SLOTS 8 /* a cache line */
#define INDEX_PROBES (2 * INDEX_BUCKET_SLOTS)

/*
 * A word: tag (16, never 0) | location (32) | sequence (14) | heat (2); 0: empty.
 * Heat counts in unary, 00, 01, 11, so that a read sets one bit at most, and none of a hot page.
 */
#define INDEX_TOUCHED ((uint64_t)1)
#define INDEX_HEAT_MASK ((uint64_t)3)
#define INDEX_HOT INDEX_HEAT_MASK /* touched twice or more */
#define INDEX_SEQUENCE_MASK (((uint32_t)1 << 14) - 1)

/*
 * A ghost: a page that was evicted before it had proven itself, remembered for a while. Tag |
 * INDEX_NOWHERE | more of the hash (6) | stamp (10). No page can stand in the last unit of the
 * largest ring, so a ghost is a dead word to all who do not know of ghosts.
 */
#define INDEX_NOWHERE UINT32_MAX
#define INDEX_STAMP_MASK (((uint32_t)1 << 10) - 1)

static inline uint16_t index_tag(uint64_t hash)
{
    return (uint16_t)(hash >> 48 != 0 ? hash >> 48 : 1);
}

static inline uint64_t index_word(uint64_t hash, uint32_t location, uint32_t sequence)
{
    return (uint64_t)index_tag(hash) << 48 | (uint64_t)location << 16 |
           (uint64_t)(sequence & INDEX_SEQUENCE_MASK) << 2;
}

static inline uint32_t index_word_location(uint64_t word)
{
    return (uint32_t)(word >> 16);
}

static inline uint32_t index_word_sequence(uint64_t word)
{
    return (uint32_t)(word >> 2) & INDEX_SEQUENCE_MASK;
}

static inline bool index_is_ghost(uint64_t word)
{
    return index_word_location(word) == INDEX_NOWHERE;
}

/* One process's view; plain data, no resources. */
struct index {
    _Atomic uint64_t *slot;
    uint64_t slots;
};

/* What a word leads to, for the key the caller has in mind. */
enum index_found {
    INDEX_DEAD,  /* nowhere: its segment was reclaimed, or what stands there is no page */
    INDEX_OTHER, /* a page of another key */
    INDEX_SAME,  /* a page of this key; *ret_stored_ms is set */
};
/* Called within the index functions it was given to; may not change the index. */
typedef enum index_found index_look(void *arg, uint64_t word, uint64_t *ret_stored_ms);

void index_view(const struct region *region, struct index *ret_index);

/* The slot's word as it is now (acquire); slot < index->slots. */
uint64_t index_load(const struct index *index, uint64_t slot);

/* The first slot of this hash for which look says INDEX_SAME. False: none. */
bool index_find(const struct index *index, uint64_t hash, index_look *look, void *arg,
                uint64_t *ret_slot, uint64_t *ret_word);

/*
 * Make `word` the only one of its key: replaces the key's own (or its ghost), else takes an empty
 * slot, a ghost's or a dead one, else one that leads to another page, the coldest there is
 * (*ret_evicted is then 1, else 0).
 * When two writers store one key at once, the one stored later (stored_ms) stays.
 * 0 / -EAGAIN: others were faster in all tries; nothing was stored.
 */
int index_put(const struct index *index, uint64_t hash, uint64_t word, uint64_t stored_ms,
              index_look *look, void *arg, unsigned *ret_evicted);

/* Clear all slots of the key. Returns how many there were. */
unsigned index_remove(const struct index *index, uint64_t hash, index_look *look, void *arg);

/* The slot that holds this word, touched or not; false when the page was replaced or removed. */
bool index_locate(const struct index *index, uint64_t hash, uint64_t word, uint64_t *ret_slot,
                  uint64_t *ret_word);

/*
 * Has the key been asked for before, as far as the index remembers? Either a ghost not older than
 * `span` stamps at the stamp `now`, or a page with its tag that was touched: no page is looked at,
 * so another key of that tag may be meant. For deciding how to store it, nothing else.
 */
bool index_known(const struct index *index, uint64_t hash, uint32_t now, uint32_t span);

/* False: the slot has changed, and was left alone. They do not mind a touch that comes between. */
bool index_clear(const struct index *index, uint64_t slot, uint64_t word);
bool index_forget(const struct index *index, uint64_t slot, uint64_t word, uint64_t hash,
                  uint32_t stamp); /* leaves a ghost */
bool index_move(const struct index *index, uint64_t slot, uint64_t from, uint64_t to);

/* One step colder or hotter; one CAS on the exact word. */
bool index_cool(const struct index *index, uint64_t slot, uint64_t word);
void index_touch(const struct index *index, uint64_t slot, uint64_t word);

static inline uint64_t index_cooler(uint64_t heat)
{
    return (heat & INDEX_HEAT_MASK) >> 1;
}

#endif
