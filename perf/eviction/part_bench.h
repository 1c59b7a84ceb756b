/* SPDX-License-Identifier: MIT */
/*
 * part_bench.h - what an operation of one part of the cold cache costs, in nanoseconds of CPU time: alone, and while a
 * second process does the same on the same memory. Operations take turns, round by round, and the figure is the lower quartile
 * of the rounds: what else runs on the machine makes rounds slower, never faster.
 *
 *   NAME_bench                 the table
 *   NAME_bench --list          the names of the operations
 *   NAME_bench OPERATION N     N of one, for perf/part_cost to count instructions in
 */
#ifndef SSRD_PERF_PART_BENCH_H
#define SSRD_PERF_PART_BENCH_H

#include "shm/base.h"

/* One process's view; made before the fork of the second, which has a copy with another number. */
struct part {
    void *stage;
    uint32_t number; /* 0, or 1 for the second process */
    uint64_t random;
    uint64_t failed; /* operations that came to something else than they should */
};

struct part_operation {
    const char *name;
    void (*run)(struct part *part);
};

static inline uint32_t part_draw(struct part *part, uint32_t below)
{
    part->random = part->random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(((part->random >> 32) * below) >> 32);
}

/* enter: in the second process, once; settle: in the first, when the second has been killed. Either may be NULL. */
int part_main(int argc, char **argv, struct part *part, const struct part_operation *operations,
              size_t count, void (*enter)(struct part *part), void (*settle)(struct part *part));

#endif
