/* SPDX-License-Identifier: MIT */
/*
 * eviction.c - miss ratios of the cold cache beside those of the books, on traces read and made up.
 * Usage and what came out: perf/README.md.
 */
#include "perf/eviction/cold_policy.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    policy_run *run;
} policies[] = {
    {"FIFO", fifo_run},   {"LRU", lru_run},        {"clock", clock_run},
    {"SIEVE", sieve_run}, {"S3-FIFO", s3fifo_run}, {"optimum", belady_run},
};

#define COLUMNS (array_len(policies) + 2) /* and ours, of one worker and of many */
#define OURS array_len(policies)
#define MANY 8
#define S3_FIFO 4

static const unsigned shares_pct[] = {1, 10, 25};

struct options {
    size_t requests;
    bool ours_only;
};

/* The sums that the last row shows, of requests and of bytes where sizes differ. */
struct sums {
    double ratio[COLUMNS];
    double to_s3[COLUMNS];
    unsigned rows;
};

static void print_head(void)
{
    (void)printf("%-25s %5s", "trace", "cache");
    for (size_t i = 0; i < array_len(policies); i++)
        (void)printf(" %8s", policies[i].name);
    (void)printf(" %8s %8s\n", "ours", "ours x8");
}

static void print_row(const char *name, const char *what, unsigned share_pct,
                      const double ratio[static COLUMNS], struct sums *sums)
{
    char left[64];

    (void)snprintf(left, sizeof left, "%s%s", name, what);
    (void)printf("%-25s %4u%%", left, share_pct);
    for (size_t i = 0; i < COLUMNS; i++) {
        (void)printf(" %8.4f", ratio[i]);
        sums->ratio[i] += ratio[i];
        sums->to_s3[i] += ratio[S3_FIFO] > 0 ? ratio[i] / ratio[S3_FIFO] : 1;
    }
    (void)printf("\n");
    (void)fflush(stdout);
    sums->rows++;
}

static void print_sums(const struct sums *sums)
{
    (void)printf("%-31s", "mean");
    for (size_t i = 0; i < COLUMNS; i++)
        (void)printf(" %8.4f", sums->ratio[i] / sums->rows);
    (void)printf("\n%-31s", "mean of the ratios to S3-FIFO");
    for (size_t i = 0; i < COLUMNS; i++)
        (void)printf(" %8.4f", sums->to_s3[i] / sums->rows);
    (void)printf("\n");
}

static int replay_at(const struct trace *trace, unsigned share_pct, const struct options *options,
                     struct sums *sums)
{
    uint64_t cache_bytes = trace_footprint(trace) * share_pct / 100;
    struct misses misses[COLUMNS] = {0};
    double by_requests[COLUMNS];
    double by_bytes[COLUMNS];
    uint64_t bytes = 0;
    int rc = 0;

    if (cache_bytes < MIB) /* the least that a region can have */
        cache_bytes = MIB;
    for (size_t i = 0; i < array_len(policies) && rc == 0; i++) {
        if (!options->ours_only || i == S3_FIFO)
            rc = policies[i].run(trace, cache_bytes, &misses[i]);
    }
    if (rc == 0)
        rc = cold_policy_run(trace, cache_bytes, 1, &misses[OURS]);
    if (rc == 0)
        rc = cold_policy_run(trace, cache_bytes, MANY, &misses[OURS + 1]);
    if (rc != 0)
        return rc;
    for (size_t i = 0; i < trace->requests; i++)
        bytes += trace->bytes[trace->object[i]];
    for (size_t i = 0; i < COLUMNS; i++) {
        by_requests[i] = (double)misses[i].requests / (double)trace->requests;
        by_bytes[i] = (double)misses[i].bytes / (double)bytes;
    }
    print_row(trace->name, "", share_pct, by_requests, sums);
    if (trace->sized)
        print_row(trace->name, ", B", share_pct, by_bytes, sums);
    return 0;
}

static int replay_trace(struct trace *trace, const struct options *options, struct sums *sums)
{
    int rc = 0;

    for (size_t i = 0; i < array_len(shares_pct) && rc == 0; i++)
        rc = replay_at(trace, shares_pct[i], options, sums);
    trace_done(trace);
    return rc;
}

static int run(const struct options *options, char **paths)
{
    struct sums sums = {0};
    struct trace trace;
    int rc;

    print_head();
    for (; *paths != NULL; paths++) {
        rc = trace_read(*paths, &trace);
        if (rc == -ENOENT) {
            (void)fprintf(stderr, "%s is not here: left out\n", *paths);
            continue;
        }
        if (rc == 0)
            rc = replay_trace(&trace, options, &sums);
        if (rc != 0)
            return rc;
    }
    for (unsigned i = 0; (rc = trace_generate(i, options->requests, &trace)) == 0; i++) {
        rc = replay_trace(&trace, options, &sums);
        if (rc != 0)
            return rc;
    }
    print_sums(&sums);
    return rc == -ENOENT ? 0 : rc;
}

int main(int argc, char **argv)
{
    static const struct option names[] = {
        {"requests", required_argument, NULL, 'r'},
        {"ours", no_argument, NULL, 'o'},
        {NULL, 0, NULL, 0},
    };
    struct options options = {.requests = 400000};
    int rc;
    int c;

    while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
        if (c == 'r') {
            options.requests = strtoul(optarg, NULL, 10);
        } else if (c == 'o') {
            options.ours_only = true;
        } else {
            (void)fprintf(stderr, "eviction [--requests N] [--ours] [TRACE]...\n");
            return 64;
        }
    }
    rc = run(&options, argv + optind);
    if (rc != 0)
        (void)fprintf(stderr, "eviction: %s\n", strerror(-rc));
    return rc != 0;
}
