/* SPDX-License-Identifier: MIT */
/*
 * cold_room.h - how the cold cache makes room: which pages survive when a segment is reclaimed, and
 * where a page may be written. The half of the cold cache that is about eviction, with the handle that
 * both halves work on; included by cold.c and cold_room.c alone. In shared memory it works through
 * ring.h and index.h; their orders hold, it adds none. What it does and why: shm/README.md,
 * "Eviction"; figures: perf/README.md.
 */
#ifndef SSRD_SHM_COLD_ROOM_H
#define SSRD_SHM_COLD_ROOM_H

#include "shm/index.h"
#include "shm/page.h"
#include "shm/purge.h"
#include "shm/region_map.h"
#include "shm/ring.h"
#include "shm/stats.h"

#include <string.h>

#define NO_SEGMENT UINT32_MAX
/* Struct, key and tags of the largest page. */
#define COLD_HEAD_BYTES_MAX                                                                        \
    (sizeof(struct page) + PAGE_KEY_BYTES_MAX + PAGE_TAG_TEXT_BYTES_MAX + 16 +                     \
     PAGE_TAGS_MAX * sizeof(uint64_t))
/*
 * The figures of eviction, each the best of those tried on the traces of perf/eviction (its table
 * and what else was tried: perf/README.md).
 *
 * Segments with room that a process remembers for each area: with one alone, what a page did not
 * fit behind is lost, with pages of the web's sizes a tenth of the cache. */
#define OPEN_SEGMENTS 8
#define PROBATION_SHARE 20 /* one segment in so many */
/* Of a segment of main so much may stay. The rest is what the hand gets on by. */
#define SHARE_KEPT 7
#define SHARE_KEPT_OF 8
/* A ghost counts until new pages have filled the cache once; in ticks of ghost_stamp(). */
#define GHOST_TICKS 32u
/* Large pages may all keep their places twice, as hot as they can be. */
#define ROUNDS_MAX 3
#define RUN_TRIES 64 /* places for a large page that are tried */

/* A segment with room behind its fill. That of probation stays OPEN; that of main is sealed when a
 * put ends and resumed when one needs it, so a process holds one segment, whatever it stores. */
struct open {
    uint32_t segment; /* or NO_SEGMENT */
    uint32_t sequence;
    uint32_t fill;
    bool held; /* OPEN, ours */
};

/* A page that outlives its segment: its slot, as it was found. */
struct survivor {
    uint64_t slot;
    uint64_t word;
    uint64_t hash;
    uint64_t heat;   /* in its new place */
    uint32_t offset; /* in the bounce buffer, and later in the segment */
};

struct cold {
    struct region *region;
    struct ring ring;
    struct index index;
    struct purge *purge;
    struct stats *stats; /* own row; NULL in the master */
    uint64_t max_object_bytes;
    struct open open[RING_AREAS][OPEN_SEGMENTS]; /* those that this process may append to */
    struct open *now[RING_AREAS];                /* the one it does append to */
    bool main_shut; /* no segment of main could be had in this put: not tried again for each page */

    /* while a segment is reclaimed in place: SHARE_KEPT of one at most */
    unsigned char *bounce;
    uint32_t bounce_bytes;
    struct survivor *survivor;
    uint32_t survivors;

    struct page *scratch; /* COLD_HEAD_BYTES_MAX, for walks and for judging a page */
};

/* What is done with a claimed segment. */
struct reclaim {
    uint32_t segment;
    enum ring_area from;
    enum ring_area to; /* its area afterwards */
    uint32_t room;     /* in place: bytes that may stay; 0: what survives moves to main */
    uint64_t now_ms;
};

static inline uint32_t rounded(uint64_t page_bytes)
{
    return (uint32_t)((page_bytes + RING_UNIT_BYTES - 1) / RING_UNIT_BYTES * RING_UNIT_BYTES);
}

static inline uint32_t kept_bytes(uint32_t segment_bytes)
{
    return segment_bytes / SHARE_KEPT_OF * SHARE_KEPT;
}

/* Others may have it; its room is remembered. */
static inline void let_go(struct cold *cold, struct open *open)
{
    if (open->held)
        (void)ring_seal(&cold->ring, open->segment);
    open->held = false;
}

void room_count_evictions(struct cold *cold, uint64_t n);

/* The time of ghosts, in ticks: how often new pages have filled the cache. */
uint32_t room_ghost_stamp(const struct cold *cold);

/* Make cold->now[area] a segment with room for so many bytes. False: none can be had now. */
bool room_reserve_main(struct cold *cold, uint32_t bytes, uint64_t now_ms);
bool room_reserve_probation(struct cold *cold, uint32_t bytes, uint64_t now_ms);

/* Empty the segment that was claimed, its survivors moved or kept. False: it is not ours any more. */
bool room_reclaim(struct cold *cold, const struct reclaim *r);

#endif
