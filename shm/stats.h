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

enum stats_method { STATS_GET, STATS_HEAD, STATS_POST, STATS_OTHER, STATS_METHODS };

/* Where a page's answer came from: the label `cache` of ssrd_request_duration_seconds. */
enum stats_cache { STATS_HOT, STATS_COLD, STATS_STALE, STATS_MISS, STATS_BYPASS, STATS_CACHES };

enum stats_code {
#define CODE(code) STATS_CODE_##code,
#include "shm/codes.def"
#undef CODE
    STATS_CODES
};

/* Upper bounds of the histograms' buckets, microseconds: OpenTelemetry's for HTTP, and finer ones
 * below, where cached pages are. The last bucket has none. */
#define STATS_BOUNDS_US                                                                            \
    {                                                                                              \
        500, 1000, 2500, 5000, 10000, 25000, 50000, 75000, 100000, 250000, 500000, 750000,         \
            1000000, 2500000, 5000000, 7500000, 10000000                                           \
    }
#define STATS_BOUNDS 17

struct stats_histogram {
    _Atomic uint64_t bucket[STATS_BOUNDS + 1]; /* each observation in one of them: not cumulative */
    _Atomic uint64_t sum_ns;
};

/* 64-bit words throughout: columns of the table first, then what is indexed. */
struct stats {
#define COUNTER(name, metric, labels, text) _Atomic uint64_t name;
#define GAUGE(name, metric, labels, text) _Atomic uint64_t name;
#include "shm/counters.def"
#undef COUNTER
#undef GAUGE
    _Atomic uint64_t requests[STATS_METHODS][STATS_CODES];
    struct stats_histogram request_duration[STATS_CACHES];
    struct stats_histogram render_duration;
};

struct stats_column {
    const char *name;   /* "renders_ok" */
    const char *metric; /* "ssrd_renders_total" */
    const char *labels; /* "result=\"ok\"" or "" */
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

/* The worker's own row only. status: 100 to 599. */
void stats_count_request(struct stats *stats, enum stats_method method, unsigned status);
void stats_observe(struct stats_histogram *histogram, uint64_t ns);

/* What a row holds of requests of a class of status (2 for 2xx), all methods. */
uint64_t stats_requests_of_class(const struct stats *stats, unsigned class_of_status);
unsigned stats_code_status(enum stats_code code); /* 200 for STATS_CODE_200 */

/* All rows and the departed, added up. */
void stats_total(const struct region *region, struct stats *ret_total);

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
    _Atomic uint64_t
        restarts_recycled; /* workers that asked for it: render.max_requests, max_rss */
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
