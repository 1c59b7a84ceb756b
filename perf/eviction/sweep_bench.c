/* SPDX-License-Identifier: MIT */
/*
 * sweep_bench.c - how long the master needs to repair the shared tables after a worker's death, with a
 * million slots in the index, most of them taken. Workers store pages and are killed wherever they are;
 * what is measured is what the master does between waitpid() and the moment the row may be given out
 * again, once with its tables in the processor's caches and once after they have been pushed out. It makes
 * no system call, so processor time is what it takes where nobody else wants the processor; wall time
 * is printed beside it.
 */
#include "shm/bell.h"
#include "shm/claim.h"
#include "shm/cold.h"
#include "shm/peers.h"
#include "shm/purge.h"
#include "shm/region.h"
#include "shm/stats.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#define COLD_BYTES (512 * MIB) /* a slot for 512 bytes: 1,048,576 */
#define PAGES 1000000u
#define DEATHS 200u
#define PUSH_BYTES (64 * MIB)
#define PROMISED_US 5000.0
#define PAUSE_NS 2000000 /* in which a worker gets to its work */

struct sweep_times {
    double reap_us[DEATHS]; /* cold_reap() alone, processor time */
    double all_us[DEATHS];  /* the whole repair, processor time */
    double wall_us[DEATHS]; /* the same, wall time */
};

static uint64_t processor_ns(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static struct page *build(uint64_t n, struct page *buf)
{
    char key[24];
    int bytes = snprintf(key, sizeof key, "/%llx", (unsigned long long)n);
    struct page_source source = {
        .hash = (n + 1) * 0x9e3779b97f4a7c15u,
        .epoch = 1,
        .stored_ms = 1,
        .fresh_until_ms = UINT64_MAX / 2,
        .status = 200,
        .key = {key, (size_t)bytes},
        .path_bytes = (uint32_t)bytes,
    };

    source.hash = (source.hash ^ source.hash >> 29) * 0xbf58476d1ce4e5b9u;
    source.hash ^= source.hash >> 32;
    source.variant[PAGE_IDENTITY] = (struct page_variant_source){{"H\r\n", 3}, {"body", 4}, {0}};
    page_build(&source, buf);
    return buf;
}

static void store(struct cold *cold, uint64_t first, uint64_t count)
{
    uint64_t buf[128];

    for (uint64_t n = first; n < first + count; n++)
        (void)cold_put(cold, build(n, (struct page *)(void *)buf));
}

/* A worker: killed in the middle of storing. Returns its row. */
static uint32_t die(struct region *region, uint64_t n)
{
    struct timespec pause = {0, PAUSE_NS};
    uint32_t row;
    pid_t pid;

    if (peer_claim(region, 1, 0, -1, &row) != 0)
        abort();
    pid = fork();
    if (pid < 0)
        abort();
    if (pid == 0) {
        struct cold *cold;

        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (cold_open(region, row, &cold) != 0)
            _exit(1);
        for (;; n++)
            store(cold, n * PAGES, PAGES);
    }
    (void)nanosleep(&pause, NULL);
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
    return row;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;

    return (x > y) - (x < y);
}

static void print(const char *what, double us[static DEATHS])
{
    qsort(us, DEATHS, sizeof us[0], ascending);
    (void)printf("%-34s median %7.1f us  99 %% %7.1f us  worst %7.1f us  (promised %.0f us: %s)\n",
                 what, us[DEATHS / 2], us[DEATHS * 99 / 100], us[DEATHS - 1], PROMISED_US,
                 us[DEATHS - 1] <= PROMISED_US ? "kept" : "NOT kept");
}

/* The repair, in the order of shm/README.md. */
static void repair(struct region *region, struct cold *master, uint32_t row,
                   struct sweep_times *times, unsigned i)
{
    struct bells none = {0};
    uint64_t wall_ns = mono_ns();
    uint64_t start_ns = processor_ns();

    (void)cold_reap(master, row);
    times->reap_us[i] = (double)(processor_ns() - start_ns) / 1000.0;
    (void)claim_reap(region, &none, row);
    stats_retire(region, row);
    peer_release(region, row);
    times->all_us[i] = (double)(processor_ns() - start_ns) / 1000.0;
    times->wall_us[i] = (double)(mono_ns() - wall_ns) / 1000.0;
}

static void measure(struct region *region, struct cold *master, unsigned char *push,
                    const char *caches)
{
    static struct sweep_times times;
    char what[64];

    for (unsigned i = 0; i < DEATHS; i++) {
        uint32_t row = die(region, i + 2);

        if (push != NULL)
            memset(push, (int)i, PUSH_BYTES);
        repair(region, master, row, &times, i);
    }
    (void)snprintf(what, sizeof what, "cold_reap(), caches %s", caches);
    print(what, times.reap_us);
    (void)snprintf(what, sizeof what, "whole repair, caches %s", caches);
    print(what, times.all_us);
    (void)snprintf(what, sizeof what, "the same, wall time");
    print(what, times.wall_us);
}

int main(void)
{
    struct region_sizes sizes = {COLD_BYTES, MIB};
    autofree unsigned char *push = malloc(PUSH_BYTES);
    struct cold_figures figures;
    struct region *region;
    struct cold *master;

    if (push == NULL || region_create(&sizes, &region) != 0 ||
        cold_open(region, REGION_PEERS_MAX, &master) != 0) {
        (void)fprintf(stderr, "sweep_bench: no room for a cache of 512 MiB\n");
        return 1;
    }
    store(master, 0, PAGES);
    cold_figures(master, &figures);
    (void)printf("%llu slots, %llu pages, %llu segments; %u deaths each\n",
                 (unsigned long long)figures.slots, (unsigned long long)figures.entries,
                 (unsigned long long)figures.segments, DEATHS);
    measure(region, master, NULL, "warm");
    measure(region, master, push, "cold");
    cold_close(master);
    region_close(region);
    return 0;
}
