/* SPDX-License-Identifier: MIT */
/*
 * js_body.h - for targets whose parser is seen from JavaScript alone: a bundle in an isolate, and a page of it for a
 * body and its type. What the page says tells inputs apart, as libFuzzer sees no branches of JavaScript. Included by one file a program.
 */
#ifndef SSRD_TESTS_FUZZ_JS_BODY_H
#define SSRD_TESTS_FUZZ_JS_BODY_H

#include "shm/base.h"
#include "worker/js.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JS_BODY_FEATURES 4096u

__attribute__((
    section("__libfuzzer_extra_counters"))) static uint8_t js_body_feature[JS_BODY_FEATURES];

static struct {
    struct js *js;
    char *page; /* of the last body; NUL behind it */
    size_t bytes;
    bool done;
} js_body;

/* So that what hangs from V8's heap is no leak. */
static inline void js_body_close(void)
{
    js_free(js_body.js);
    free(js_body.page);
}

static inline void js_body_open(const char *bundle)
{
    struct js_options options = {.heap_bytes = 256 * MIB, .version = "fuzz"};
    struct js_error *error = NULL;

    if (js_body.js)
        return;
    js_start(NULL);
    js_body.js = js_new(&options, &error);
    if (!js_body.js ||
        js_load(js_body.js, bundle, strlen(bundle), "bundle.js", "renderPage", &error) != 0) {
        (void)fprintf(stderr, "%s\n%s\n", error ? error->message : "", error ? error->stack : "");
        abort();
    }
    (void)atexit(js_body_close);
}

static inline void js_body_done(void *arg, const struct js_result *result)
{
    (void)arg;
    if (result->outcome != JS_OK) {
        (void)fprintf(stderr, "outcome %d: %s\n%s\n", (int)result->outcome,
                      result->error ? result->error->message : "",
                      result->error ? result->error->stack : "");
        abort();
    }
    free(js_body.page);
    js_body.bytes = result->body_bytes;
    js_body.page = calloc(1, result->body_bytes + 1);
    if (!js_body.page)
        abort();
    if (result->body_bytes > 0)
        memcpy(js_body.page, result->body, result->body_bytes);
    js_body.done = true;
}

/* The page for a POST of this body; any other outcome than a page is a crash. Nothing it waits for comes from outside. */
static inline void js_body_render(const char *url, struct span type, const void *body,
                                  size_t body_bytes)
{
    struct js_header header = {"content-type", 12, type.data, type.bytes};
    struct js_request request = {.url = url,
                                 .url_bytes = strlen(url),
                                 .method = "POST",
                                 .method_bytes = 4,
                                 .origin = "http://h",
                                 .origin_bytes = 8,
                                 .headers = &header,
                                 .header_count = 1,
                                 .id = "id",
                                 .id_bytes = 2,
                                 .body = body,
                                 .body_bytes = body_bytes};

    js_body.done = false;
    (void)js_render(js_body.js, &request, js_body_done, NULL);
    while (!js_body.done && js_next_timer_ms(js_body.js) != UINT64_MAX)
        js_run_timers(js_body.js, js_next_timer_ms(js_body.js));
    if (!js_body.done) {
        (void)fprintf(stderr, "the page is never done\n");
        abort();
    }
}

static inline void js_body_note(const char *text, size_t bytes)
{
    uint32_t hash = 2166136261u; /* FNV-1a */

    for (size_t i = 0; i < bytes; i++)
        hash = (hash ^ (unsigned char)text[i]) * 16777619u;
    js_body_feature[hash % JS_BODY_FEATURES] = 1;
}

#endif
