/* SPDX-License-Identifier: MIT */
/*
 * workload.h - what the peers of the stress programs do: find, store, delete and purge pages that
 * check themselves, and the board on which they agree about what is purged and write what went wrong.
 * Shared by two processes: struct board, which lies beside the region.
 *
 * The oracle for purges. data[k] is the version of what key k is rendered from. A purger raises it,
 * purges, and only then raises floor[k]. Whoever reads floor[k] and then gets a page older than
 * that was served what was purged before its request came in. Renders note the epoch before they
 * read data[k], as a worker does; and each peer has a small hot cache that revalidates on epochs.
 */
#ifndef SSRD_TESTS_STRESS_WORKLOAD_H
#define SSRD_TESTS_STRESS_WORKLOAD_H

#include "shm/cold.h"
#include "shm/purge.h"
#include "shm/region.h"

#include <stdatomic.h>

#define WORKLOAD_KEYS 600u
#define WORKLOAD_HOT 64u
#define WORKLOAD_PAGE_BYTES_MAX (128 * 1024)

/* All written by every peer. */
struct board {
    _Atomic uint64_t data[WORKLOAD_KEYS];
    _Atomic uint64_t floor[WORKLOAD_KEYS];
    _Atomic uint64_t serial;
    _Atomic uint64_t steps, finds, hits, hot_hits, puts, refused, stale, purges, deletes;
    _Atomic uint32_t stop;
    _Atomic uint32_t failures;
    char what[256]; /* of the first failure */
};

/* Of 10,000 steps so many are not "get it, or render and store it". */
struct workload_mix {
    uint32_t put, delete, url, tag, prefix, all;
};
extern const struct workload_mix workload_usual;
extern const struct workload_mix workload_writes; /* every kind of write soon */

struct hot_page {
    uint32_t key;
    uint64_t epoch; /* at which it was last found valid */
    struct page *page;
};

/* One peer, private. */
struct actor {
    struct board *board;
    struct purge *purge;
    struct cold *cold;
    const struct workload_mix *mix;
    bool small_pages; /* none takes a segment or more */
    uint64_t random;
    struct hot_page hot[WORKLOAD_HOT];
    uint64_t buf[WORKLOAD_PAGE_BYTES_MAX / 8];
    uint64_t body[WORKLOAD_PAGE_BYTES_MAX / 8];
};

/* Returns owned. row: as for cold_open(). Aborts where there is no memory: a test's own trouble. */
struct actor *workload_open(struct board *board, struct region *region, uint32_t row,
                            uint64_t seed);
void workload_close(struct actor *actor);

uint64_t workload_draw(struct actor *actor, uint64_t below);

/* One operation of the mix, or `count` of them unless the board says stop. */
void workload_step(struct actor *actor);
void workload_steps(struct actor *actor, uint64_t count);
void workload_run(struct actor *actor); /* until the board says stop */

/* Render and store a key, delete one. */
void workload_put(struct actor *actor, uint32_t key);
void workload_delete(struct actor *actor, uint32_t key);

/* Store every key once and get it back: what was stored in peace must be there. */
void workload_store_all(struct actor *actor);

/* The first is kept for people; all peers stop. */
void workload_fail(struct board *board, const char *what, uint32_t key, uint64_t got,
                   uint64_t want);

#endif
