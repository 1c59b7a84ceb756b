/* SPDX-License-Identifier: MIT */
/*
 * test_js_copies.c - a page leaves JavaScript by one copy: out of V8's heap into the memory that js_result.body points
 * to. Every memcpy() and memmove() of this process comes by here, those of V8 and of the C++ library too; what counts are
 * those of a page's size.
 */
#include "worker/js.h"

#include "tests/unit/js_fixture.h"

#define PAGE_BYTES ((size_t)400 << 10)
#define SOME_BYTES ((size_t)8 << 10) /* nothing else that a render copies is so large */

static size_t copied_bytes;

/* As the C library's; by volatile, so that the compiler does not make calls of themselves of the loops. */
static void *copy(void *to, const void *from, size_t bytes)
{
    volatile char *t = to;
    const volatile char *f = from;

    if (bytes >= SOME_BYTES)
        copied_bytes += bytes;
    if ((uintptr_t)to - (uintptr_t)from >= bytes) {
        for (size_t i = 0; i < bytes; i++)
            t[i] = f[i];
    } else {
        for (size_t i = bytes; i > 0; i--)
            t[i - 1] = f[i - 1];
    }
    return to;
}

void *memmove(void *to, const void *from, size_t bytes)
{
    return copy(to, from, bytes);
}

void *memcpy(void *restrict to, const void *restrict from, size_t bytes)
{
    return copy(to, from, bytes);
}

struct seen {
    size_t bytes, copied_bytes;
    char first;
};

static void on_page(void *arg, const struct js_result *result)
{
    struct seen *seen = arg;

    assert_int_equal(result->outcome, JS_OK);
    seen->bytes = result->body_bytes;
    seen->first = result->body[0];
    seen->copied_bytes = copied_bytes;
}

/* The second time: V8 has made the text flat, and the edge has its memory. */
static size_t copied_for(struct bench *b, const char *page, const char *result)
{
    const struct js_request request = {
        .url = "/", .url_bytes = 1, .method = "GET", .method_bytes = 3};
    struct seen seen = {0};
    char source[512];

    (void)snprintf(source, sizeof source, "var page = %s; globalThis.renderPage = () => %s;", page,
                   result);
    load(b, source);
    for (int i = 0; i < 2; i++) {
        copied_bytes = 0;
        assert_null(js_render(b->js, &request, on_page, &seen));
        assert_int_equal(seen.bytes, PAGE_BYTES);
        assert_int_equal(seen.first, 'x');
    }
    return seen.copied_bytes;
}

static void a_page_is_copied_once(void **state)
{
    static const char text[] = "'x'.repeat(400 << 10)";
    static const char bytes[] = "new Uint8Array(400 << 10).fill(120)";
    struct bench *b = *state;

    assert_int_equal(copied_for(b, text, "page"), PAGE_BYTES);
    assert_int_equal(copied_for(b, text, "Promise.resolve(page)"), PAGE_BYTES);
    assert_int_equal(copied_for(b, text, "({body: page, headers: {'x-a': '1'}})"), PAGE_BYTES);
    assert_int_equal(copied_for(b, text, "new Response(page)"), PAGE_BYTES);
    assert_int_equal(copied_for(b, bytes, "({body: page})"), PAGE_BYTES);
    /* and it would be seen */
    assert_true(copied_for(b, text, "({body: new TextEncoder().encode(page)})") > PAGE_BYTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {JS_TEST(a_page_is_copied_once)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
