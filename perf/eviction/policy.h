/* SPDX-License-Identifier: MIT */
/*
 * policy.h - what the cold cache is compared with: eviction as in the books, without segments,
 * without rounding, without a byte of overhead.
 */
#ifndef SSRD_PERF_EVICTION_POLICY_H
#define SSRD_PERF_EVICTION_POLICY_H

#include "perf/eviction/trace.h"

struct misses {
    uint64_t requests;
    uint64_t bytes;
};

/* Replay the trace into a cache of so many bytes. 0 / -ENOMEM. */
typedef int policy_run(const struct trace *trace, uint64_t cache_bytes, struct misses *ret_misses);

policy_run fifo_run, lru_run, clock_run, sieve_run, s3fifo_run;

/* Belady's, which knows the future and need not store what it was asked for. With sizes the best
 * is not computable; what is wanted latest for its size then goes first, which is close. */
policy_run belady_run;

#endif
