/* SPDX-License-Identifier: MIT */
/*
 * js_many.h - for tests that have several renders open (worker/js.h): each with a result of its own.
 * Bundles of these programs can call native.ask(). Included by one file a program.
 */
#ifndef SSRD_TESTS_UNIT_JS_MANY_H
#define SSRD_TESTS_UNIT_JS_MANY_H

#define JS_EXPOSE "ask"
#include "tests/unit/js_fixture.h"

/* One of several renders of a test. */
struct one {
    char id[8];
    struct js_open *open;
    int calls;
    enum js_outcome outcome;
    char body[256];
    bool cookie, other;
    char error[128];
};

static char ended[512]; /* ids, as they end */

static inline void on_end(void *arg, const struct js_result *result)
{
    struct one *o = arg;

    o->calls++;
    o->open = NULL;
    o->outcome = result->outcome;
    o->cookie = result->reads.cookie;
    o->other = result->reads.other;
    (void)snprintf(o->body, sizeof o->body, "%.*s", (int)result->body_bytes,
                   result->body ? result->body : "");
    (void)snprintf(o->error, sizeof o->error, "%s", result->error ? result->error->message : "");
    (void)snprintf(ended + strlen(ended), sizeof ended - strlen(ended), "%s ", o->id);
}

static inline void begin(struct bench *b, struct one *o, const char *id, const char *url)
{
    struct js_header header = {"cookie", 6, id, strlen(id)};
    struct js_request request = {.url = url,
                                 .url_bytes = strlen(url),
                                 .method = "GET",
                                 .method_bytes = 3,
                                 .origin = "http://h",
                                 .origin_bytes = 8,
                                 .headers = &header,
                                 .header_count = 1,
                                 .id = id,
                                 .id_bytes = strlen(id)};

    *o = (struct one){.calls = 0};
    (void)snprintf(o->id, sizeof o->id, "%s", id);
    struct js_open *open = js_render(b->js, &request, on_end, o);
    if (o->calls == 0) {
        assert_non_null(open);
        assert_ptr_equal(js_arg(open), o);
        o->open = open;
    } else {
        assert_null(open);
    }
}

/* Time is the timers' own. */
static inline void run(struct bench *b)
{
    for (int i = 0; i < 100000 && js_next_timer_ms(b->js) != UINT64_MAX; i++)
        js_run_timers(b->js, js_next_timer_ms(b->js));
}

static inline int set_up(void **state)
{
    ended[0] = 0;
    return setup(state);
}

#define ASYNC_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, teardown)

#define PAGE(code) "globalThis.renderPage = async (url, data, request) => {" code "}"
#define SLEEP "globalThis.sleep = (ms) => new Promise((go) => setTimeout(go, ms));"

#endif
