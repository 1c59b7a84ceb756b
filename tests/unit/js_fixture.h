/* SPDX-License-Identifier: MIT */
/*
 * js_fixture.h - one isolate for tests of the C edge of V8 (worker/js.h): an engine, the last
 * result it gave, copied, and short ways to load a bundle and to render. V8 starts once a program;
 * each test has an isolate of its own. Included by one file a program.
 */
#ifndef SSRD_TESTS_UNIT_JS_FIXTURE_H
#define SSRD_TESTS_UNIT_JS_FIXTURE_H

#include "shm/base.h"
#include "worker/js.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define HEAP_BYTES (64 * MIB)
#ifndef JS_EXPOSE
#define JS_EXPOSE NULL /* a function of `native` for the bundles of this program */
#endif

struct bench {
    struct js *js;
    int calls; /* of done */
    enum js_outcome outcome;
    int status;
    bool is_text, is_private;
    int64_t ttl_ms, swr_ms, sie_ms;
    bool cookie, authorization, all;
    char *body;
    size_t body_bytes;
    char headers[2048]; /* "name: value\n", tags, reads: for comparison */
    char tags[512];
    char reads[512];
    char error[1024];
    char stack[2048];
    char hint[512];
    char file[64];
    uint32_t line, column;
    char console[8192];       /* "level text\n" */
    _Atomic unsigned lines;   /* of it, for other threads */
    char speaker[32];         /* whose render wrote the last line; "-": none's */
    struct js_wait *wait[64]; /* asked for, in order */
    size_t asked, forgotten;
    struct js_open *lasting; /* goes on after its answer */
    int overs;
    bool stops;    /* the next line on the console stops the JavaScript that writes it */
    bool lets_go;  /* done does not keep those that would go on */
    char ask[128]; /* the last: "what data" */
};

static inline void on_console(void *arg, enum js_console level, const char *text, size_t bytes)
{
    struct bench *b = arg;
    size_t used = strlen(b->console);

    if (b->stops)
        js_terminate(b->js);
    b->stops = false;
    atomic_fetch_add_explicit(&b->lines, 1, memory_order_relaxed);
    const char *id = "-";
    size_t id_bytes = 1;

    (void)js_speaker(b->js, &id, &id_bytes);
    (void)snprintf(b->speaker, sizeof b->speaker, "%.*s", (int)id_bytes, id);
    (void)snprintf(b->console + used, sizeof b->console - used, "%d %.*s\n", (int)level, (int)bytes,
                   text);
}

static inline bool on_ask(void *arg, struct js_wait *wait, const char *what, size_t what_bytes,
                          const void *data, size_t data_bytes)
{
    struct bench *b = arg;

    if (what_bytes == 6 && memcmp(what, "refuse", 6) == 0)
        return false;
    assert_true(b->asked < array_len(b->wait));
    (void)snprintf(b->ask, sizeof b->ask, "%.*s %.*s", (int)what_bytes, what, (int)data_bytes,
                   (const char *)data);
    b->wait[b->asked++] = wait;
    return true;
}

static inline void on_forget(void *arg, struct js_wait *wait)
{
    struct bench *b = arg;

    (void)wait;
    b->forgotten++;
}

static inline void list(char *to, size_t cap, const struct js_header *header, size_t count,
                        bool values)
{
    to[0] = 0;
    for (size_t i = 0; i < count; i++) {
        size_t used = strlen(to);
        (void)snprintf(to + used, cap - used, values ? "%.*s: %.*s\n" : "%.*s\n",
                       (int)header[i].name_bytes, header[i].name, (int)header[i].value_bytes,
                       header[i].value);
    }
}

static inline void keep_error(struct bench *b, const struct js_error *error)
{
    (void)snprintf(b->error, sizeof b->error, "%s", error ? error->message : "");
    (void)snprintf(b->stack, sizeof b->stack, "%s", error ? error->stack : "");
    (void)snprintf(b->hint, sizeof b->hint, "%s", error ? error->hint : "");
    (void)snprintf(b->file, sizeof b->file, "%s", error ? error->file : "");
    b->line = error ? error->line : 0;
    b->column = error ? error->column : 0;
}

static inline void on_over(void *arg)
{
    struct bench *b = arg;

    b->overs++;
}

static inline void on_done(void *arg, const struct js_result *result)
{
    struct bench *b = arg;

    b->calls++;
    b->outcome = result->outcome;
    b->status = result->status;
    b->is_text = result->is_text;
    b->is_private = result->is_private;
    b->ttl_ms = result->ttl_ms;
    b->swr_ms = result->swr_ms;
    b->sie_ms = result->sie_ms;
    b->cookie = result->reads.cookie;
    b->authorization = result->reads.authorization;
    b->all = result->reads.all;
    list(b->reads, sizeof b->reads, result->reads.header, result->reads.header_count, false);
    list(b->headers, sizeof b->headers, result->headers, result->header_count, true);
    list(b->tags, sizeof b->tags, result->tags, result->tag_count, false);
    free(b->body);
    b->body_bytes = result->body_bytes;
    b->body = calloc(1, result->body_bytes + 1);
    assert_non_null(b->body);
    if (result->body_bytes)
        memcpy(b->body, result->body, result->body_bytes);
    keep_error(b, result->error);
    b->lasting = result->lasting;
    if (b->lasting && !b->lets_go)
        js_keep(b->lasting, on_over, b);
}

static enum js_isolation fixture_isolation; /* of the isolates that setup() makes */
static bool fixture_blind;
static bool fixture_without_snapshot;

static inline int setup(void **state)
{
    struct bench *b = calloc(1, sizeof *b);
    struct js_options options = {.heap_bytes = HEAP_BYTES,
                                 .generation = 7,
                                 .version = "1.2.3",
                                 .console = on_console,
                                 .outside = {on_ask, on_forget},
                                 .isolation = fixture_isolation,
                                 .blind_to_shapes = fixture_blind,
                                 .without_snapshot = fixture_without_snapshot,
                                 .expose = JS_EXPOSE,
                                 .arg = b};
    struct js_error *error = NULL;

    if (!b)
        return -1;
    js_start(NULL);
    b->js = js_new(&options, &error);
    if (error)
        print_error("%s\n%s\n", error->message, error->stack);
    js_error_free(error);
    *state = b;
    return b->js ? 0 : -1;
}

static inline int teardown(void **state)
{
    struct bench *b = *state;

    js_free(b->js);
    free(b->body);
    free(b);
    return 0;
}

static inline int try_load(struct bench *b, const char *source, const char *function)
{
    struct js_error *error = NULL;
    int result = js_load(b->js, source, strlen(source), "bundle.js", function, &error);

    keep_error(b, error);
    js_error_free(error);
    return result;
}

static inline void load(struct bench *b, const char *source)
{
    if (try_load(b, source, "renderPage") != 0)
        fail_msg("%s", b->error);
}

static const struct js_header request_headers[] = {
    {"cookie", 6, "a=b", 3},
    {"authorization", 13, "Basic x", 7},
    {"accept-language", 15, "de", 2},
    {"x-two", 5, "1", 1},
    {"x-two", 5, "2", 1},
};

/* NULL: done already */
static inline struct js_open *start(struct bench *b, const char *data)
{
    struct js_request request = {.url = "/path?q=1",
                                 .url_bytes = 9,
                                 .data = data,
                                 .data_bytes = strlen(data),
                                 .method = "GET",
                                 .method_bytes = 3,
                                 .origin = "http://127.0.0.1:8080",
                                 .origin_bytes = 21,
                                 .id = "id-1",
                                 .id_bytes = 4,
                                 .headers = request_headers,
                                 .header_count = array_len(request_headers)};

    return js_render(b->js, &request, on_done, b);
}

/* Time is the timers' own: always at the next deadline. */
static inline void run_to_the_end(struct bench *b, struct js_open *open)
{
    for (int i = 0; js_pending(b->js) && i < 1000; i++) {
        uint64_t at = js_next_timer_ms(b->js);
        if (at == UINT64_MAX)
            js_cancel(b->js, open ? open : b->lasting, JS_TIMEOUT);
        else
            js_run_timers(b->js, at);
    }
}

static inline void render_with(struct bench *b, const char *data)
{
    int before = b->calls;

    run_to_the_end(b, start(b, data));
    assert_int_equal(b->calls, before + 1);
}

static inline void render(struct bench *b)
{
    render_with(b, "");
}

static inline void render_bad(struct bench *b)
{
    render_with(b, "{\"bad\":true}");
}

/* Load a body of renderPage(url, data, request) and render once. */
static inline void page(struct bench *b, const char *body)
{
    char source[8192];

    (void)snprintf(source, sizeof source,
                   "globalThis.renderPage = async (url, data, request) => {%s}", body);
    load(b, source);
    render(b);
}

static inline void expect_page(struct bench *b, const char *body, const char *want)
{
    page(b, body);
    if (b->outcome != JS_OK)
        fail_msg("%s: %s", body, b->error);
    assert_string_equal(b->body, want);
}

static inline void expect_error(struct bench *b, const char *body, const char *want)
{
    page(b, body);
    assert_int_equal(b->outcome, JS_ERROR);
    if (!strstr(b->error, want))
        fail_msg("%s\n gave %s\n not %s", body, b->error, want);
}

#define JS_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
