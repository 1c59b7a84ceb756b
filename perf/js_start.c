/* SPDX-License-Identifier: MIT */
/*
 * js_start.c - what a worker with `start: cold` spends in V8 before it can serve: js_start BUNDLE.js [RUNS]
 * Each run is a process of its own, by turns: with the startup snapshot and the bundle's compiled code, as such workers
 * start; with the snapshot alone, as who makes that code starts; without both. CPU time, which other
 * load on the machine changes least, and the wall's; medians, in ms. Exit 1: more than 10 ms of CPU with both.
 */
#include "shm/base.h"
#include "worker/js.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
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

static const struct js_options usual = {
    .heap_bytes = 256 * MIB, .isolation = JS_RESET, .console = quiet};
static void *code;
static size_t code_bytes;

static int load(struct js *js, bool with_code, struct js_error **ret_error)
{
    struct js_bundle bundle = {.name = "server.js",
                               .source = source,
                               .source_bytes = source_bytes,
                               .function = "renderPage",
                               .code = code,
                               .code_bytes = with_code ? code_bytes : 0};

    return js_load_bundle(js, &bundle, ret_error);
}

static void ignore(void *arg, const struct js_result *result)
{
}

/* In a child: what has run once for a page is in it, as after the warm-up. */
static int make_code(int fd)
{
    struct js_request request = {.url = "/", .url_bytes = 1, .method = "GET", .method_bytes = 3};
    struct js *js;
    void *made = NULL;
    size_t bytes = 0;

    js_start(NULL);
    js = js_new(&usual, NULL);
    if (!js || load(js, false, NULL) != 0)
        return EXIT_FAILURE;
    (void)js_render(js, &request, ignore, NULL);
    return js_code(js, &made, &bytes) != 0 || write(fd, made, bytes) != (ssize_t)bytes;
}

static int take_code(void)
{
    autofd int fd = memfd_create("code", MFD_CLOEXEC);
    int status = 0;
    struct stat st;
    pid_t child = fork();

    if (child == 0)
        _exit(make_code(fd));
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0 || fstat(fd, &st) != 0)
        return -1;
    code_bytes = (size_t)st.st_size;
    code = mmap(NULL, code_bytes, PROT_READ, MAP_SHARED, fd, 0);
    return code == MAP_FAILED ? -1 : 0;
}

enum way { ALL_HELP, NO_CODE, NOTHING, WAYS };

/* In a child: the stages, each from the one before. */
static int start(enum way way, struct run *run)
{
    struct js_options options = usual;
    double cpu[STAGES], wall[STAGES];
    struct js_error *error = NULL;
    struct js *js = NULL;
    int failed = 0;

    options.without_snapshot = way == NOTHING;
    for (int stage = START; stage <= ALL; stage++) {
        cpu[stage] = clock_ms(CLOCK_PROCESS_CPUTIME_ID);
        wall[stage] = clock_ms(CLOCK_MONOTONIC);
        if (stage == START)
            js_start(NULL);
        else if (stage == ISOLATE)
            js = js_new(&options, &error);
        else if (stage == BUNDLE)
            failed = !js || load(js, way == ALL_HELP, &error) != 0 ||
                     js_code_used(js).taken != (way == ALL_HELP);
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

static int one_run(enum way way, struct run *ret_run)
{
    int ends[2], status = 0;
    pid_t child;
    ssize_t got;

    if (pipe2(ends, O_CLOEXEC) != 0 || (child = fork()) < 0)
        return -1;
    if (child == 0) {
        struct run run;
        int failed = start(way, &run);

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
    static const char *const name[WAYS] = {"snapshot and code", "snapshot", "neither"};
    static struct run run[WAYS][RUNS_MAX];
    size_t count = argc > 2 ? strtoul(argv[2], NULL, 10) : 41;
    double all;

    if (argc < 2 || count == 0 || count > RUNS_MAX || read_source(argv[1]) != 0) {
        (void)fprintf(stderr, "usage: js_start BUNDLE.js [RUNS]\n");
        return 64;
    }
    if (take_code() != 0)
        return EXIT_FAILURE;
    for (size_t i = 0; i < count; i++)
        for (enum way way = ALL_HELP; way < WAYS; way++)
            if (one_run(way, &run[way][i]) != 0)
                return EXIT_FAILURE;
    (void)printf("%-18s  %-13s  %-13s  %-13s  %-13s\n", "ms: CPU, wall", "V8", "isolate", "bundle",
                 "all");
    for (enum way way = ALL_HELP; way < WAYS; way++)
        print(name[way], run[way], count);
    (void)printf("compiled code: %zu bytes\n", code_bytes);
    free(source);
    all = median(run[ALL_HELP], count, ALL, false);
    if (all > WANTED_MS)
        (void)printf("MISS: %.1f ms of CPU, wanted %.0f\n", all, WANTED_MS);
    return all > WANTED_MS;
}
