/* SPDX-License-Identifier: MIT */
/*
 * stats.h - counters of shm/counters.def in shared memory: a row a worker, written by that worker
 * alone with relaxed stores, read by anyone. Rows of dead workers are added to the departed row by
 * the master before their peer row is given out again, so that no counter ever falls.
 */
#ifndef SSRD_SHM_STATS_H
#define SSRD_SHM_STATS_H

#include "shm/base.h"

#include <stdatomic.h>

struct region;

struct stats {
#define COUNTER(name, metric, labels, text) _Atomic uint64_t name;
#define GAUGE(name, metric, labels, text) _Atomic uint64_t name;
#include "shm/counters.def"
#undef COUNTER
#undef GAUGE
};

struct stats_column {
    const char *name;   /* "requests_2xx" */
    const char *metric; /* "ssrd_requests_total" */
    const char *labels; /* "code=\"2xx\"" or "" */
    const char *text;   /* "" where the metric's first row has it */
    size_t offset;      /* in struct stats */
    bool is_gauge;
};
extern const struct stats_column stats_columns[];
extern const size_t stats_column_count;

/* The row of a peer, aligned to a cache line. */
struct stats *stats_at(const struct region *region, uint32_t peer);

/* The worker's own row only: no other writer, so a load and a store will do. */
static inline void stats_add(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

static inline void stats_set(_Atomic uint64_t *gauge, uint64_t value)
{
    atomic_store_explicit(gauge, value, memory_order_relaxed);
}

/* The sum over all rows and the departed of one column (by index into stats_columns). */
uint64_t stats_sum(const struct region *region, size_t column);
uint64_t stats_one(const struct region *region, uint32_t peer, size_t column);

/* Master only, after waitpid(): counters move to the departed row, gauges vanish. */
void stats_retire(struct region *region, uint32_t peer);

/* The master's own counters, written by it alone: what no worker can know. */
struct stats_master {
    _Atomic uint64_t
        restarts_crash; /* workers replaced: killed by a signal or exited by themselves */
    _Atomic uint64_t restarts_hung; /* workers the master killed: hung in a render */
    _Atomic uint64_t reloads_ok;
    _Atomic uint64_t reloads_refused;
    _Atomic uint64_t generation;   /* the one that serves; 0: none yet */
    _Atomic uint64_t cold_repairs; /* segments repaired after a death */
    _Atomic uint64_t started_ms;   /* mono */
    _Atomic uint64_t bundle_hash;  /* XXH3 of the bundle's bytes */
    _Atomic uint64_t pid;          /* the master's; 0: not said yet */
};
struct stats_master *stats_master(const struct region *region);

#endif
