/* SPDX-License-Identifier: MIT */
/*
 * js_edge.c - what the edge of V8 costs a render: js_edge [RENDERS [shared|reset|context]]
 * Url, data and request go in and a page of 8.4 kB comes out, of a bundle that does nothing else; by turns at each
 * level of isolation, CPU time a render, the best of five (other load on the machine only adds). Exit 1: more than 3 us
 * with `shared`, or with what `reset` adds more than 6. Instructions: perf/README.md.
 */
#include "shm/base.h"
#include "worker/js.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define TURNS 5
#define WANTED_US 3.0
#define WANTED_RESET_US 6.0

static const char bundle[] = "const page = '<p>' + 'x'.repeat(8400) + '</p>';"
                             "globalThis.renderPage = (url, data, request) => url === '/path?q=1' "
                             "&& data.items.length === 3 ? page : '';";
static const char data[] =
    "{\"title\":\"A "
    "title\",\"items\":[{\"id\":1,\"name\":\"one\"},{\"id\":2,\"name\":\"two\"},{\"id\":3,"
    "\"name\":\"three\"}],\"user\":null}";

static size_t out_bytes;

static void on_done(void *arg, const struct js_result *result)
{
    out_bytes = result->outcome == JS_OK ? result->body_bytes : 0;
}

static void quiet(void *arg, enum js_console level, const char *text, size_t bytes)
{
}

static double cpu_us(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

static struct js *load(enum js_isolation isolation)
{
    struct js_options options = {.heap_bytes = 256 * MIB, .isolation = isolation, .console = quiet};
    struct js_error *error = NULL;
    struct js *js = js_new(&options, &error);

    if (js && js_load(js, bundle, sizeof bundle - 1, "edge.js", "renderPage", &error) == 0)
        return js;
    (void)fprintf(stderr, "js_edge: %s\n", error ? error->message : "?");
    exit(EXIT_FAILURE);
}

static double per_render_us(struct js *js, unsigned renders)
{
    static const struct js_header header[] = {{"accept", 6, "text/html", 9},
                                              {"cookie", 6, "theme=dark", 10},
                                              {"user-agent", 10, "perf", 4}};
    const struct js_request request = {.url = "/path?q=1",
                                       .url_bytes = 9,
                                       .data = data,
                                       .data_bytes = sizeof data - 1,
                                       .method = "GET",
                                       .method_bytes = 3,
                                       .origin = "http://127.0.0.1:8080",
                                       .origin_bytes = 21,
                                       .headers = header,
                                       .header_count = array_len(header),
                                       .id = "0123456789abcdef",
                                       .id_bytes = 16};
    double start = cpu_us();

    for (unsigned i = 0; i < renders; i++) {
        (void)js_render(js, &request, on_done, NULL);
        if (out_bytes < 8400) {
            (void)fprintf(stderr, "js_edge: a render has failed\n");
            exit(EXIT_FAILURE);
        }
    }
    return (cpu_us() - start) / renders;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        enum js_isolation isolation;
        unsigned divisor; /* of the renders */
        double wanted_us;
    } level[] = {{"shared", JS_SHARED, 1, WANTED_US},
                 {"reset", JS_RESET, 1, WANTED_RESET_US},
                 {"context", JS_CONTEXT, 200, 0}};
    unsigned renders = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 20000;
    struct js *js[array_len(level)];
    double best[array_len(level)];
    const char *only = argc > 2 ? argv[2] : NULL;
    int missed = 0;

    js_start(NULL);
    for (size_t i = 0; i < array_len(level); i++) {
        js[i] = NULL;
        if (only && strcmp(only, level[i].name) != 0)
            continue;
        js[i] = load(level[i].isolation);
        best[i] = 1e9;
    }
    for (int turn = 0; turn < TURNS; turn++)
        for (size_t i = 0; i < array_len(level); i++) {
            unsigned count = renders / level[i].divisor;
            if (!js[i])
                continue;
            double us = per_render_us(js[i], count ? count : 1);

            best[i] = us < best[i] ? us : best[i];
        }
    for (size_t i = 0; i < array_len(level); i++) {
        if (!js[i])
            continue;
        bool misses = level[i].wanted_us > 0 && best[i] > level[i].wanted_us;

        (void)printf("%-8s %8.2f us a render%s\n", level[i].name, best[i], misses ? "  MISS" : "");
        missed |= misses;
        js_free(js[i]);
    }
    return missed;
}
