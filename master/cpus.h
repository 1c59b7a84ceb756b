/* SPDX-License-Identifier: MIT */
/*
 * cpus.h - how many workers this machine should run, and on which CPUs: the affinity mask,
 * bounded by the cgroup's quota.
 */
#ifndef SSRD_MASTER_CPUS_H
#define SSRD_MASTER_CPUS_H

#include "shm/base.h"

#define CPUS_MAX 256

struct cpus {
    int cpu[CPUS_MAX]; /* the usable ones, ascending */
    unsigned count;    /* of cpu; at least 1 */
    unsigned quota;    /* whole CPUs that the cgroup grants, rounded up; 0: no limit */
};

void cpus_read(struct cpus *ret_cpus);

/* Workers for `workers: auto`. */
unsigned cpus_workers(const struct cpus *cpus);

/* Parse a cgroup v2 cpu.max ("200000 100000", "max 100000"): CPUs rounded up, 0: none or malformed.
 */
unsigned cpus_quota_parse(const char *text);

#endif
