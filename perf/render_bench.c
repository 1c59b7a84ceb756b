/* SPDX-License-Identifier: MIT */
/*
 * render_bench.c - what isolation and V8's flags do to renders, without a server around them: each
 * variant is a process with an isolate of its own; they take turns, some renders each, and what is
 * printed are microseconds of CPU time a render, and the ratio to the first variant (median of the
 * ratios of neighbouring turns: a slow minute of the machine hits all of them).
 *
 *   render_bench [-r TURNS] [-n RENDERS] [-p PATH]... BUNDLE [shared|reset][:V8 FLAGS]...
 *
 * PATH is asked for with a number behind it, so that no two renders are the same; several are
 * asked for in turn. A page that stays open (a promise that waits for a timer) is refused.
 */
#include "shm/base.h"
#include "worker/js.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define VARIANTS_MAX 16
#define PATHS_MAX 16
#define WARM 4000 /* renders until V8 has optimised what it will */

struct variant {
    const char *name;
    int ask, answer; /* our ends of its pipes */
    double *us;      /* by turn */
};

static const char *paths[PATHS_MAX];
static size_t path_count;

static void fail(const char *what, const char *why)
{
    (void)fprintf(stderr, "render_bench: %s: %s\n", what, why);
    exit(1);
}

static void *must(void *allocated)
{
    if (!allocated)
        fail("memory", "there is none left");
    return allocated;
}

static char *read_all(const char *path, size_t *ret_bytes)
{
    FILE *file = fopen(path, "rb");
    long bytes;
    char *text;

    if (!file || fseek(file, 0, SEEK_END) || (bytes = ftell(file)) < 0)
        fail(path, "can't be read: build the example, or name another bundle");
    rewind(file);
    text = must(malloc((size_t)bytes + 1));
    if (fread(text, 1, (size_t)bytes, file) != (size_t)bytes)
        fail(path, "was cut short");
    (void)fclose(file);
    *ret_bytes = (size_t)bytes;
    return text;
}

static double cpu_us(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

static void on_done(void *arg, const struct js_result *result)
{
    (void)arg;
    if (result->outcome != JS_OK)
        fail("a render failed", result->error ? result->error->message : "it has no message");
}

static void on_console(void *arg, enum js_console level, const char *text, size_t bytes)
{
    (void)arg;
    (void)level;
    (void)fprintf(stderr, "%.*s\n", (int)bytes, text);
}

static struct js *load(const char *variant, const char *bundle)
{
    struct js_options options = {
        .heap_bytes = 256 * MIB, .generation = 1, .version = "bench", .console = on_console};
    struct js_error *error = NULL;
    const char *flags = strchr(variant, ':');
    struct js *js;
    size_t bytes;
    char *source = read_all(bundle, &bytes);

    options.isolation = strncmp(variant, "shared", 6) == 0 ? JS_SHARED : JS_RESET;
    js_start(flags ? flags + 1 : NULL);
    js = js_new(&options, &error);
    if (!js || js_load(js, source, bytes, bundle, "renderPage", &error))
        fail(bundle, error->message);
    return js;
}

static void render(struct js *js, uint64_t number)
{
    char url[512];
    int bytes =
        snprintf(url, sizeof url, "%s%llu", paths[number % path_count], (unsigned long long)number);
    const struct js_request request = {.url = url,
                                       .url_bytes = (size_t)bytes,
                                       .method = "GET",
                                       .method_bytes = 3,
                                       .origin = "http://localhost",
                                       .origin_bytes = 16,
                                       .id = "bench",
                                       .id_bytes = 5};

    if (js_render(js, &request, on_done, NULL))
        fail(url, "its page stays open after the first call: such a bundle needs a loop around it");
}

/* A turn for each byte that comes. */
static void serve(const char *variant, const char *bundle, unsigned renders, int ask, int answer)
{
    struct js *js = load(variant, bundle);
    uint64_t number = 0;
    char byte;

    while (read(ask, &byte, 1) == 1) {
        double us = cpu_us();

        for (unsigned i = 0; i < renders; i++)
            render(js, number++);
        us = (cpu_us() - us) / renders;
        if (write(answer, &us, sizeof us) != sizeof us)
            break;
    }
    _exit(0);
}

static void begin(struct variant *v, const char *bundle, unsigned renders)
{
    int ask[2], answer[2];
    pid_t pid;

    if (pipe(ask) || pipe(answer) || (pid = fork()) < 0)
        fail(v->name, "no process to be had");
    if (pid == 0) {
        (void)close(ask[1]);
        (void)close(answer[0]);
        serve(v->name, bundle, renders, ask[0], answer[1]);
    }
    (void)close(ask[0]);
    (void)close(answer[1]);
    v->ask = ask[1];
    v->answer = answer[0];
}

static double turn(const struct variant *v)
{
    double us;

    if (write(v->ask, "t", 1) != 1 || read(v->answer, &us, sizeof us) != sizeof us)
        fail(v->name, "its process has ended");
    return us;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void print(const struct variant *v, const struct variant *first, unsigned turns)
{
    double *us = must(calloc(turns, sizeof us[0])), *ratio = must(calloc(turns, sizeof ratio[0]));

    for (unsigned i = 0; i < turns; i++) {
        us[i] = v->us[i];
        ratio[i] = v->us[i] / first->us[i];
    }
    qsort(us, turns, sizeof us[0], by_value);
    qsort(ratio, turns, sizeof ratio[0], by_value);
    printf("%8.1f %8.1f %8.1f %8.3f  %s\n", us[0], us[turns / 4], us[turns / 2], ratio[turns / 2],
           v->name);
    free(us);
    free(ratio);
}

int main(int argc, char **argv)
{
    static struct variant variants[VARIANTS_MAX];
    unsigned turns = 40, renders = 100;
    size_t count = 0;
    int option;

    while ((option = getopt(argc, argv, "r:n:p:")) != -1) {
        if (option == 'r')
            turns = (unsigned)atoi(optarg);
        else if (option == 'n')
            renders = (unsigned)atoi(optarg);
        else if (option == 'p' && path_count < PATHS_MAX)
            paths[path_count++] = optarg;
        else
            return 2;
    }
    if (optind >= argc || argc - optind - 1 > VARIANTS_MAX || turns == 0 || renders == 0)
        fail("usage", "render_bench [-r TURNS] [-n RENDERS] [-p PATH]... BUNDLE [VARIANT]...");
    if (path_count == 0)
        paths[path_count++] = "/shop?n=";
    for (int i = optind + 1; i < argc; i++)
        variants[count++].name = argv[i];
    if (count == 0) {
        variants[count++].name = "shared";
        variants[count++].name = "reset";
    }
    for (size_t i = 0; i < count; i++) {
        variants[i].us = must(calloc(turns, sizeof variants[i].us[0]));
        begin(&variants[i], argv[optind], renders);
    }
    for (unsigned i = 0; i < WARM / renders + 1; i++)
        for (size_t j = 0; j < count; j++)
            (void)turn(&variants[j]);
    for (unsigned i = 0; i < turns; i++)
        for (size_t j = 0; j < count; j++)
            variants[j].us[i] = turn(&variants[j]);
    printf(
        "     min  quarter   median  to first  (us of CPU time a render; %u turns of %u renders)\n",
        turns, renders);
    for (size_t i = 0; i < count; i++)
        print(&variants[i], &variants[0], turns);
    return 0;
}
