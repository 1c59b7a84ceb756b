/* SPDX-License-Identifier: MIT */
/* cpus.c - see cpus.h. cgroup v2 (cpu.max on every level up) and v1 (cfs_quota_us). */
#include "master/cpus.h"

#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#define CGROUP_ROOT "/sys/fs/cgroup"

unsigned cpus_quota_parse(const char *text)
{
    unsigned long long quota = 0, period = 0;

    if (sscanf(text, "%llu %llu", &quota, &period) != 2 || quota == 0 || period == 0)
        return 0;
    quota = (quota + period - 1) / period;
    return quota > CPUS_MAX ? 0 : (unsigned)quota;
}

static bool read_line(const char *path, char *line, size_t cap)
{
    FILE *file = fopen(path, "re");
    bool got;

    if (!file)
        return false;
    got = fgets(line, (int)cap, file) != NULL;
    (void)fclose(file);
    return got;
}

static unsigned lower(unsigned a, unsigned b)
{
    return a == 0 || (b != 0 && b < a) ? b : a;
}

/* Our own group and all above it: each may set a limit. */
static unsigned quota_v2(void)
{
    char line[PATH_MAX], path[PATH_MAX + 64], value[64];
    unsigned quota = 0;
    char *group;

    if (!read_line("/proc/self/cgroup", line, sizeof line) || strncmp(line, "0::", 3) != 0)
        return 0;
    line[strcspn(line, "\n")] = '\0';
    group = line + 3;
    for (;;) {
        (void)snprintf(path, sizeof path, CGROUP_ROOT "%s/cpu.max", group);
        if (read_line(path, value, sizeof value))
            quota = lower(quota, cpus_quota_parse(value));
        char *slash = strrchr(group, '/');
        if (!slash)
            return quota;
        *slash = '\0';
    }
}

static unsigned quota_v1(void)
{
    char quota[32], period[32], both[80];

    if (!read_line(CGROUP_ROOT "/cpu/cpu.cfs_quota_us", quota, sizeof quota) || quota[0] == '-' ||
        !read_line(CGROUP_ROOT "/cpu/cpu.cfs_period_us", period, sizeof period))
        return 0;
    quota[strcspn(quota, "\n")] = '\0';
    (void)snprintf(both, sizeof both, "%s %s", quota, period);
    return cpus_quota_parse(both);
}

void cpus_read(struct cpus *ret_cpus)
{
    cpu_set_t set;

    memset(ret_cpus, 0, sizeof *ret_cpus);
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        for (int cpu = 0; cpu < CPU_SETSIZE && ret_cpus->count < CPUS_MAX; cpu++)
            if (CPU_ISSET(cpu, &set))
                ret_cpus->cpu[ret_cpus->count++] = cpu;
    if (ret_cpus->count == 0)
        ret_cpus->count = 1; /* CPU 0: there must be one */
    ret_cpus->quota = lower(quota_v2(), quota_v1());
}

unsigned cpus_workers(const struct cpus *cpus)
{
    return cpus->quota > 0 && cpus->quota < cpus->count ? cpus->quota : cpus->count;
}
