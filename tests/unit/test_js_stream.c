/* SPDX-License-Identifier: MIT */
/* test_js_stream.c - bodies that are streams, fetched in parts: worker/js_stream.cc. */
#include "tests/unit/js_fixture.h"

/* A part comes with each timer: as many bytes as `sizes` says; -1: it fails. */
#define STREAM(sizes)                                                                              \
    "globalThis.pulls = 0; globalThis.renderPage = (url, data, request) => ({"                     \
    "  status: 201, headers: {'x-a': request.headers.get('accept-language')},"                     \
    "  body: new ReadableStream({"                                                                 \
    "    async pull(c) {"                                                                          \
    "      await new Promise((go) => setTimeout(go, 1));"                                          \
    "      const size = [" sizes "][pulls++];"                                                     \
    "      if (size === undefined) { console.log('pulled all'); c.close(); }"                      \
    "      else if (size < 0) throw new Error('half way');"                                        \
    "      else c.enqueue(new Uint8Array(size).fill(64 + pulls));"                                 \
    "    }, cancel(why) { console.log('cancelled ' + why.name); }"                                 \
    "  }, {highWaterMark: 0})})"

static struct js_open *start_in_parts(struct bench *b)
{
    struct js_request request = {.url = "/p",
                                 .url_bytes = 2,
                                 .method = "GET",
                                 .method_bytes = 3,
                                 .origin = "http://a",
                                 .origin_bytes = 8,
                                 .headers = request_headers,
                                 .header_count = array_len(request_headers),
                                 .takes_parts = true};

    return js_render(b->js, &request, on_done, b);
}

static bool step(struct bench *b)
{
    uint64_t at = js_next_timer_ms(b->js);
    struct js_open *due = at == UINT64_MAX ? NULL : js_due(b->js, at);

    if (due)
        js_step(b->js, due, at);
    return due != NULL;
}

/* Steps until there is a part. */
static struct js_open *next(struct bench *b, struct js_part *part)
{
    struct js_open *open = js_next_part(b->js, part);

    while (!open && step(b))
        open = js_next_part(b->js, part);
    return open;
}

static void the_first_part_brings_the_head_and_done_what_is_left(void **state)
{
    struct bench *b = *state;
    struct js_open *open;
    struct js_part part;

    load(b, STREAM("3, 2, 4"));
    open = start_in_parts(b);
    assert_non_null(open);
    assert_ptr_equal(next(b, &part), open);
    assert_true(part.is_first);
    assert_int_equal(part.head.outcome, JS_OK);
    assert_int_equal(part.head.status, 201);
    assert_int_equal(part.head.header_count, 1);
    assert_memory_equal(part.head.headers[0].value, "de", 2);
    assert_int_equal(part.head.reads.header_count, 1); /* accept-language, by now */
    assert_int_equal(part.bytes, 3);
    assert_memory_equal(part.data, "AAA", 3);
    assert_ptr_equal(js_arg(open), b);
    js_resume(open);
    assert_ptr_equal(next(b, &part), open);
    assert_false(part.is_first);
    assert_int_equal(part.bytes, 2);
    assert_memory_equal(part.data, "BB", 2);
    js_resume(open);
    while (!b->calls) /* nobody fetches the third */
        assert_true(step(b));
    assert_int_equal(b->outcome, JS_OK);
    assert_string_equal(b->body, "CCCC");
    assert_int_equal(b->status, 201);
    assert_null(js_next_part(b->js, &part));
}

static void whoever_is_held_gathers_64_kib_and_reads_no_more(void **state)
{
    struct bench *b = *state;
    struct js_open *open;
    struct js_part part;

    load(b, STREAM("1, 30000, 30000, 30000, 30000"));
    open = start_in_parts(b);
    assert_ptr_equal(next(b, &part), open);
    assert_null(js_next_part(b->js, &part));
    while (step(b)) /* until it waits for room, and for nothing else */
        assert_int_equal(b->calls, 0);
    assert_false(js_is_stuck(b->js)); /* the owner's move */
    assert_null(js_next_part(b->js, &part));
    js_resume(open);
    assert_ptr_equal(js_next_part(b->js, &part), open);
    assert_in_range(part.bytes, 30000, 90000);
    js_resume(open);
    while (!b->calls) {
        if (js_next_part(b->js, &part))
            js_resume(open);
        else
            assert_true(step(b));
    }
    assert_int_equal(b->outcome, JS_OK);
    assert_non_null(strstr(b->console, "pulled all"));
}

static void what_nobody_takes_in_parts_comes_whole(void **state)
{
    struct bench *b = *state;
    struct js_part part;

    load(b, STREAM("3, 200000, 1"));
    assert_non_null(start(b, ""));
    while (!b->calls) {
        assert_null(js_next_part(b->js, &part));
        assert_true(step(b));
    }
    assert_int_equal(b->body_bytes, 200004);
}

static void chunks_are_counted_from_the_body_on(void **state)
{
    struct bench *b = *state;
    struct js_open *open;
    uint64_t before = 0;

    load(b, STREAM("3, 0, 1"));
    open = start(b, "");
    assert_in_range(js_stream_chunks(open), 0, 1); /* streams load with the first */
    while (step(b) && !b->calls) {
        assert_true(js_stream_chunks(open) >= before);
        before = js_stream_chunks(open);
    }
    assert_in_range(before, 3, 4); /* the body, and what chunks came before the last step */
    load(b, "globalThis.renderPage = () => new Promise(() => setTimeout(() => {}, 1))");
    open = start(b, "");
    assert_int_equal(js_stream_chunks(open), 0);
    js_cancel(b->js, open, JS_GONE);
}

static void a_failure_half_way_is_the_renders(void **state)
{
    struct bench *b = *state;
    struct js_part part;
    struct js_open *open;

    load(b, STREAM("3, -1"));
    open = start_in_parts(b);
    assert_ptr_equal(next(b, &part), open);
    js_resume(open);
    while (!b->calls)
        assert_true(step(b));
    assert_int_equal(b->outcome, JS_ERROR);
    assert_non_null(strstr(b->error, "half way"));
}

static void who_is_ended_has_his_stream_cancelled(void **state)
{
    static const struct {
        enum js_outcome how;
        const char *why, *error;
    } ends[] = {
        {JS_GONE, "cancelled AbortError", "client has gone"},
        {JS_TIMEOUT, "cancelled TimeoutError", "still open"},
        {JS_STALL, "cancelled TimeoutError", "no chunk for render.stall"},
    };
    struct bench *b = *state;
    struct js_part part;

    load(b, STREAM("3, 3, 3"));
    for (size_t i = 0; i < array_len(ends); i++) {
        struct js_open *open = start_in_parts(b);

        assert_ptr_equal(next(b, &part), open);
        b->console[0] = 0;
        js_cancel(b->js, open, ends[i].how);
        assert_int_equal(b->outcome, ends[i].how);
        assert_non_null(strstr(b->error, ends[i].error));
        if (!strstr(b->console, ends[i].why))
            fail_msg("%zu: %s", i, b->console);
        assert_null(js_next_part(b->js, &part));
        assert_int_equal(js_pending(b->js), 0);
    }
}

static void two_streams_are_told_apart(void **state)
{
    struct bench *b = *state;
    struct js_open *one, *two, *at;
    struct js_part part;
    size_t bytes[2] = {0};

    load(b, STREAM("1, 2, 4, 8, 16, 32, 64"));
    one = start_in_parts(b);
    two = start_in_parts(b);
    while (b->calls < 2) {
        at = js_next_part(b->js, &part);
        if (!at) {
            assert_true(step(b));
            continue;
        }
        assert_true(at == one || at == two);
        bytes[at == two] += part.bytes;
        js_resume(at);
    }
    assert_true(bytes[0] > 0 && bytes[1] > 0);
    assert_in_range(bytes[0] + bytes[1], 60, 127);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        JS_TEST(the_first_part_brings_the_head_and_done_what_is_left),
        JS_TEST(whoever_is_held_gathers_64_kib_and_reads_no_more),
        JS_TEST(what_nobody_takes_in_parts_comes_whole),
        JS_TEST(chunks_are_counted_from_the_body_on),
        JS_TEST(a_failure_half_way_is_the_renders),
        JS_TEST(who_is_ended_has_his_stream_cancelled),
        JS_TEST(two_streams_are_told_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
