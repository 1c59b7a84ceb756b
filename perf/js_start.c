/* SPDX-License-Identifier: MIT */
/*
 * js_start.c - what a worker with `start: cold` spends in V8 before it can serve: js_start BUNDLE.js [RUNS]
 * Each run is a process of its own, by turns with the startup snapshot and without. CPU time, which other
 * load on the machine changes least, and the wall's; medians, in ms. Exit 1: more than 10 ms of CPU with it.
 */
#include "shm/base.h"
#include "worker/js.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define RUNS_MAX 1000
#define WANTED_MS 10.0

enum stage { START, ISOLATE, BUNDLE, ALL, STAGES };

struct run {
    double cpu_ms[STAGES];
    double wall_ms[STAGES];
};

static char *source;
static size_t source_bytes;

static double clock_ms(clockid_t clock)
{
    struct timespec ts;

    (void)clock_gettime(clock, &ts);
    return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static void quiet(void *arg, enum js_console level, const char *text, size_t bytes)
{
}

/* In a child: the stages, each from the one before. */
static int start(bool without_snapshot, struct run *run)
{
    struct js_options options = {.heap_bytes = 256 * MIB,
                                 .isolation = JS_RESET,
                                 .console = quiet,
                                 .without_snapshot = without_snapshot};
    double cpu[STAGES], wall[STAGES];
    struct js_error *error = NULL;
    struct js *js = NULL;
    int failed = 0;

    for (int stage = START; stage <= ALL; stage++) {
        cpu[stage] = clock_ms(CLOCK_PROCESS_CPUTIME_ID);
        wall[stage] = clock_ms(CLOCK_MONOTONIC);
        if (stage == START)
            js_start(NULL);
        else if (stage == ISOLATE)
            js = js_new(&options, &error);
        else if (stage == BUNDLE)
            failed = !js || js_load(js, source, source_bytes, "server.js", "renderPage", &error);
    }
    for (int stage = START; stage < ALL; stage++) {
        run->cpu_ms[stage] = cpu[stage + 1] - cpu[stage];
        run->wall_ms[stage] = wall[stage + 1] - wall[stage];
    }
    run->cpu_ms[ALL] = cpu[ALL] - cpu[START];
    run->wall_ms[ALL] = wall[ALL] - wall[START];
    if (failed)
        (void)fprintf(stderr, "js_start: %s\n", error ? error->message : "?");
    return failed;
}

static int one_run(bool without_snapshot, struct run *ret_run)
{
    int ends[2], status = 0;
    pid_t child;
    ssize_t got;

    if (pipe2(ends, O_CLOEXEC) != 0 || (child = fork()) < 0)
        return -1;
    if (child == 0) {
        struct run run;
        int failed = start(without_snapshot, &run);

        failed |= write(ends[1], &run, sizeof run) != (ssize_t)sizeof run;
        _exit(failed); /* V8 is not taken down */
    }
    (void)close(ends[1]);
    got = read(ends[0], ret_run, sizeof *ret_run);
    (void)close(ends[0]);
    return waitpid(child, &status, 0) == child && status == 0 && got == (ssize_t)sizeof *ret_run
               ? 0
               : -1;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(const struct run *run, size_t count, int stage, bool of_wall)
{
    double value[RUNS_MAX];

    for (size_t i = 0; i < count; i++)
        value[i] = of_wall ? run[i].wall_ms[stage] : run[i].cpu_ms[stage];
    qsort(value, count, sizeof value[0], by_value);
    return value[count / 2];
}

static void print(const char *name, const struct run *run, size_t count)
{
    (void)printf("%-18s", name);
    for (int stage = START; stage < STAGES; stage++)
        (void)printf("  %6.2f %6.2f", median(run, count, stage, false),
                     median(run, count, stage, true));
    (void)printf("\n");
}

static int read_source(const char *path)
{
    struct stat st;
    autofd int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || fstat(fd, &st) != 0 || !(source = malloc((size_t)st.st_size)))
        return -1;
    source_bytes = (size_t)st.st_size;
    return read(fd, source, source_bytes) == (ssize_t)source_bytes ? 0 : -1;
}

int main(int argc, char **argv)
{
    static struct run with[RUNS_MAX], without[RUNS_MAX];
    size_t count = argc > 2 ? strtoul(argv[2], NULL, 10) : 41;
    double all;

    if (argc < 2 || count == 0 || count > RUNS_MAX || read_source(argv[1]) != 0) {
        (void)fprintf(stderr, "usage: js_start BUNDLE.js [RUNS]\n");
        return 64;
    }
    for (size_t i = 0; i < count; i++)
        if (one_run(false, &with[i]) != 0 || one_run(true, &without[i]) != 0)
            return EXIT_FAILURE;
    (void)printf("%-18s  %-13s  %-13s  %-13s  %-13s\n", "ms: CPU, wall", "V8", "isolate", "bundle",
                 "all");
    print("with snapshot", with, count);
    print("without", without, count);
    free(source);
    all = median(with, count, ALL, false);
    if (all > WANTED_MS)
        (void)printf("MISS: %.1f ms of CPU, wanted %.0f\n", all, WANTED_MS);
    return all > WANTED_MS;
}
