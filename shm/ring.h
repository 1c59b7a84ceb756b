/* SPDX-License-Identifier: MIT */
/*
 * ring.h - a ring of segments of one size, in which pages stand. Who holds which segment, and
 * whether what was copied out of one was still there. Knows no keys and no index: which pages
 * survive a reclaim is cold.c's to say. In shared memory, used by all processes.
 * Design, memory orders and crash rules: ring.c and shm/README.md.
 */
#ifndef SSRD_SHM_RING_H
#define SSRD_SHM_RING_H

#include "shm/base.h"
#include "shm/fault.h"
#include "shm/page_copy.h"

#include <stdatomic.h>
#include <string.h>

struct region;

#define RING_UNIT_SHIFT 6
#define RING_UNIT_BYTES (1u << RING_UNIT_SHIFT)                /* pages start on multiples of it */
#define RING_BYTES_MAX (((uint64_t)1 << 32) * RING_UNIT_BYTES) /* a location has 32 bits */
#define RING_SEQUENCE_BITS 29
#define RING_SEQUENCE_MASK (((uint32_t)1 << RING_SEQUENCE_BITS) - 1)

enum ring_state {
    RING_SEALED,     /* nobody's: may be claimed; empty when its fill is 0 */
    RING_OPEN,       /* its owner appends pages to it; those complete can be read */
    RING_RECLAIMING, /* its owner decides which pages survive; they can still be read */
};

/*
 * What a segment is for. A hint, not a state: no reader and no proof looks at it, and a wrong one
 * costs a page its turn at most.
 */
enum ring_area {
    RING_PROBATION, /* pages nobody has asked for twice yet; so are segments never used */
    RING_MAIN,      /* pages that have proven themselves */
    RING_AREAS,
};

/* A line each: the word is what others fight over. */
struct ring_segment {
    alignas(CACHE_LINE_BYTES) _Atomic uint64_t word; /* sequence | peer | pid | state */
    /* written by the owner only */
    _Atomic uint32_t fill; /* bytes taken by complete pages */
    _Atomic uint32_t run;  /* segments that its first page takes: 1 unless it is larger than one,
                              0 inside such a run */
    _Atomic uint32_t area; /* enum ring_area */
};
static_assert(sizeof(struct ring_segment) == CACHE_LINE_BYTES, "in shared memory");

struct ring_table {
    /* written by whoever needs a segment */
    alignas(CACHE_LINE_BYTES) _Atomic uint64_t hand[RING_AREAS];
    _Atomic uint64_t run_hand;  /* where the next run is looked for */
    _Atomic uint64_t turns;     /* segments opened for new pages, ever */
    _Atomic uint32_t probation; /* segments of that area; counted anew by each reaper */
    struct ring_segment segment[];
};
static_assert(offsetof(struct ring_table, segment) == CACHE_LINE_BYTES, "in shared memory");

/* One process's view; plain data, no resources. */
struct ring {
    struct ring_table *table;
    unsigned char *bytes;
    uint32_t segments;
    uint32_t segment_bytes;
    uint32_t segment_shift; /* its exponent: it is a power of two, and reads ask often for places */
    uint64_t owner;         /* peer | pid, where they stand in a word */
};

size_t ring_table_bytes(uint32_t segments);
void ring_init(struct ring_table *table, uint32_t segments); /* in zeroed memory */
/* A table out of a file, before anybody else looks at it: nobody holds anything. */
void ring_adopt(struct ring_table *table, uint32_t segments);

/* peer: the caller's row, or REGION_PEERS_MAX for the master. */
void ring_view(const struct region *region, uint32_t peer, struct ring *ret_ring);

/* Where a page starts, in units; any value read from the index can be asked about. */
static inline uint32_t ring_location(const struct ring *ring, uint32_t segment, uint32_t offset)
{
    return (uint32_t)((((uint64_t)segment << ring->segment_shift) + offset) >> RING_UNIT_SHIFT);
}

static inline uint32_t ring_segment_of(const struct ring *ring, uint32_t location)
{
    return location >> (ring->segment_shift - RING_UNIT_SHIFT);
}

static inline uint32_t ring_offset_of(const struct ring *ring, uint32_t location)
{
    return (uint32_t)((uint64_t)location << RING_UNIT_SHIFT) & (ring->segment_bytes - 1);
}

static inline unsigned char *ring_at(const struct ring *ring, uint32_t location)
{
    return ring->bytes + (uint64_t)location * RING_UNIT_BYTES;
}

/* Segments that so many bytes take from the start of one. */
static inline uint32_t ring_run_of(const struct ring *ring, uint64_t bytes)
{
    return (uint32_t)((bytes + ring->segment_bytes - 1) >> ring->segment_shift);
}

static inline uint32_t ring_word_sequence(uint64_t word)
{
    return (uint32_t)(word >> (64 - RING_SEQUENCE_BITS));
}

/* Readers. R2 and R5 of ring.c. Segment numbers below ring->segments only. */
static inline uint32_t ring_sequence(const struct ring *ring, uint32_t segment)
{
    /* acquire: pairs with the release of the word by which the segment was opened */
    return ring_word_sequence(
        atomic_load_explicit(&ring->table->segment[segment].word, memory_order_acquire));
}

/* Do all segments of the run still have this sequence? Called after what was read: has the fence.
 */
bool ring_unchanged(const struct ring *ring, uint32_t first, uint32_t count, uint32_t sequence);

/* Holders. All of them do nothing and return false when the segment is not the caller's to take. */
/* The next segment of that area under its hand, which moves on, by *steps segments at most; those
 * that it took are taken off. False: there was none. */
bool ring_hand(const struct ring *ring, enum ring_area area, uint64_t *steps,
               uint32_t *ret_segment);
/* The same within one round, and the hand stays. */
bool ring_peek(const struct ring *ring, enum ring_area area, uint32_t *ret_segment);
/* Of the next RING_LOOK places for a run of `count` segments behind its own hand, all sealed, the
 * first of those that take the fewest from main; the hand moves behind it. False: none. */
#define RING_LOOK 4096
bool ring_run_place(const struct ring *ring, uint32_t count, uint32_t *ret_first);
void ring_hand_skip(const struct ring *ring, enum ring_area area, uint32_t count);
enum ring_area ring_area(const struct ring *ring, uint32_t segment);
void ring_set_area(const struct ring *ring, uint32_t segment, enum ring_area area);
uint32_t ring_probation(const struct ring *ring); /* about so many segments are of that area */
uint64_t ring_turns(const struct ring *ring);
void ring_count_turn(const struct ring *ring);

bool ring_claim(const struct ring *ring, uint32_t segment);   /* SEALED -> RECLAIMING */
bool ring_unclaim(const struct ring *ring, uint32_t segment); /* RECLAIMING -> SEALED, as it was */
/* RECLAIMING -> OPEN, empty, under a new sequence: from here on its bytes may be overwritten. */
bool ring_open(const struct ring *ring, uint32_t segment);
/* Give the empty, open segments of a run one new sequence in common. */
bool ring_join(const struct ring *ring, uint32_t first, uint32_t count);
bool ring_owned(const struct ring *ring, uint32_t segment); /* still OPEN and the caller's */
void ring_set_fill(const struct ring *ring, uint32_t segment, uint32_t fill, uint32_t run);
bool ring_seal(const struct ring *ring, uint32_t segment); /* OPEN -> SEALED */
/* SEALED -> OPEN, to go on behind what the caller has written under this sequence: to be called by
 * who sealed it only, with the sequence and to be used with the fill that it noted itself. */
bool ring_resume(const struct ring *ring, uint32_t segment, uint32_t sequence);

/* What a claimed segment holds, bounded by its size: a peer may have died mid-write. */
uint32_t ring_fill(const struct ring *ring, uint32_t segment);
uint32_t ring_run(const struct ring *ring, uint32_t segment);
bool ring_inside_run(const struct ring *ring, uint32_t segment); /* not its first segment */

/* The master, after waitpid(): nothing stays held by the row. Returns how many segments were. */
unsigned ring_reap(const struct ring *ring, uint32_t dead_peer);
/* For tests and status: segments that are not SEALED. */
uint32_t ring_held(const struct ring *ring);

#if defined(__SANITIZE_THREAD__)
#define RING_ATOMIC_COPY 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define RING_ATOMIC_COPY 1
#endif
#endif

/*
 * The racy copies, the only ones: bytes that another process may be overwriting. What they bring is
 * looked at only after ring_unchanged() (or not trusted). As plain memcpy the race is outside
 * the language; compilers keep it behind the fences all the same, and it is three times as fast as
 * relaxed words, which are used where a checker looks.
 */
#ifdef RING_ATOMIC_COPY
static inline void ring_copy(void *to, const void *from, size_t bytes)
{
    size_t i = 0;

    for (; i + 8 <= bytes && (uintptr_t)from % 8 == 0; i += 8) {
        uint64_t word =
            __atomic_load_n((const uint64_t *)((const char *)from + i), __ATOMIC_RELAXED);

        memcpy((char *)to + i, &word, 8);
    }
    for (; i < bytes; i++)
        ((char *)to)[i] = __atomic_load_n((const char *)from + i, __ATOMIC_RELAXED);
}

static inline void ring_copy_page(void *to, const void *from, size_t bytes)
{
    ring_copy(to, from, bytes);
}

static inline void ring_write(void *to, const void *from, size_t bytes)
{
    size_t i = 0;

    for (; i + 8 <= bytes && (uintptr_t)to % 8 == 0; i += 8) {
        uint64_t word;

        memcpy(&word, (const char *)from + i, 8);
        __atomic_store_n((uint64_t *)((char *)to + i), word, __ATOMIC_RELAXED);
    }
    for (; i < bytes; i++)
        __atomic_store_n((char *)to + i, ((const char *)from)[i], __ATOMIC_RELAXED);
}

static inline bool ring_equal(const void *shared, const void *own, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        if (__atomic_load_n((const char *)shared + i, __ATOMIC_RELAXED) != ((const char *)own)[i])
            return false;
    }
    return true;
}
#else
static inline void ring_copy(void *to, const void *from, size_t bytes)
{
    memcpy(to, from, bytes);
}

static inline void ring_copy_page(void *to, const void *from, size_t bytes)
{
    page_copy(to, from, bytes);
}

static inline void ring_write(void *to, const void *from, size_t bytes)
{
#ifdef SSRD_FAULT_POINTS
    size_t half = bytes / 2;

    memcpy(to, from, half);
    FAULT(ring_half_written);
    memcpy((char *)to + half, (const char *)from + half, bytes - half);
#else
    memcpy(to, from, bytes);
#endif
}

static inline bool ring_equal(const void *shared, const void *own, size_t bytes)
{
    return memcmp(shared, own, bytes) == 0;
}
#endif

#endif
