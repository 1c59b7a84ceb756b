/* SPDX-License-Identifier: MIT */
/*
 * test_js_result.c - what renderPage gives and gets (worker/js.h): strings, objects and Responses
 * as pages, what is refused, and the request with the record of what was read of it.
 */
#include "worker/js.h"

#include "tests/unit/js_fixture.h"

static void a_string_is_a_text_page(void **state)
{
    struct bench *b = *state;

    load(b, "globalThis.renderPage = (url, data) => url + JSON.stringify(data)");
    render(b);
    assert_int_equal(b->outcome, JS_OK);
    assert_int_equal(b->status, 200);
    assert_true(b->is_text);
    assert_string_equal(b->body, "/path?q=1{}");
    assert_int_equal(b->ttl_ms, JS_UNSET);
    assert_int_equal(start(b, "{\"a\":[1,\"\\u20ac\"]}"), 0);
    assert_string_equal(b->body, "/path?q=1{\"a\":[1,\"\xe2\x82\xac\"]}");
}

static void strings_become_utf8(void **state)
{
    struct bench *b = *state;

    expect_page(b, "return 'caf\\xe9 and some more text \\xff'",
                "caf\xc3\xa9 and some more text \xc3\xbf");
    expect_page(b, "return '\\u20ac 12345678 \\u{1f600}'",
                "\xe2\x82\xac 12345678 \xf0\x9f\x98\x80");
    expect_page(b, "return 'a\\ud800b\\udc00'",
                "a\xef\xbf\xbd"
                "b\xef\xbf\xbd");
    expect_page(b, "let s = ''; for (let i = 0; i < 20000; i++) s += 'ab'; return String(s.length)",
                "40000");
    page(b, "return '\\xe9'.repeat(100000)");
    assert_int_equal(b->body_bytes, 200000);
    page(b, "return 'a\\0b'");
    assert_int_equal(b->body_bytes, 3);
    expect_page(b, "return ''", "");
    /* what templates give that mark escaped text */
    expect_page(b, "return new String('h\\xe9')", "h\xc3\xa9");
    expect_page(b, "return {status: 201, body: new String('x')}", "x");
}

static void an_object_gives_status_headers_and_cache_policy(void **state)
{
    struct bench *b = *state;

    page(
        b,
        "return {status: 404, headers: {'X-Name': ' v ', 'set-cookie': ['a=1', 'b=2']}, body: "
        "'gone',"
        "cache: {ttl: 1.5, swr: 60, sie: 0, tags: ['t1', 't2'], private: true, vary: ['a', 'b']}}");
    assert_int_equal(b->outcome, JS_OK);
    assert_int_equal(b->status, 404);
    assert_false(b->is_text);
    assert_string_equal(b->body, "gone");
    assert_string_equal(b->headers, "x-name: v\nset-cookie: a=1\nset-cookie: b=2\nvary: a, b\n");
    assert_int_equal(b->ttl_ms, 1500);
    assert_int_equal(b->swr_ms, 60000);
    assert_int_equal(b->sie_ms, 0);
    assert_true(b->is_private);
    assert_string_equal(b->tags, "t1\nt2\n");
    page(b, "return {headers: [['a', 1]], body: new Uint8Array([104, 105])}");
    assert_string_equal(b->headers, "a: 1\n");
    assert_string_equal(b->body, "hi");
    page(
        b,
        "return {headers: new Headers({a: 'x'}), body: new TextEncoder().encode('buffer').buffer}");
    assert_string_equal(b->headers, "a: x\n");
    assert_string_equal(b->body, "buffer");
    expect_page(b, "return {status: 204}", "");
}

static void a_response_is_a_page(void **state)
{
    struct bench *b = *state;

    page(b, "return new Response('<p>', {status: 201, headers: {'Content-Type': 'text/html'}})");
    assert_int_equal(b->status, 201);
    assert_string_equal(b->body, "<p>");
    assert_string_equal(b->headers, "content-type: text/html\n");
    page(b, "class Own extends Response {}; return new Own(new Uint8Array([65]))");
    assert_string_equal(b->body, "A");
    page(b, "return Response.redirect('/x', 301)");
    assert_int_equal(b->status, 301);
    assert_string_equal(b->headers, "location: /x\n");
    expect_error(b, "const r = new Response('x'); await r.text(); return r", "read already");
}

static void what_is_no_page_is_an_error_that_says_so(void **state)
{
    struct bench *b = *state;

    expect_error(b, "return 5", "renderPage returned a number; return a string");
    expect_error(b, "return undefined", "renderPage returned undefined");
    expect_error(b, "return null", "renderPage returned null");
    expect_error(b, "return []", "renderPage returned an array");
    expect_error(b, "return {page: ''}", "without status, headers, body or html (it has: page)");
    expect_error(b, "return {html: 7}", "html must be a string");
    expect_error(b, "return {html: '', head: 7}", "head must be a string or strings");
    expect_error(b, "return {body: {getReader() {}}}", "or a ReadableStream, not an object");
    expect_error(b, "return {body: 5}", "body must be a string");
    expect_error(b, "return {body: '', status: 99}", "status must be");
    expect_error(b, "return {body: '', status: '200'}", "status must be");
    expect_error(b, "return {body: '', cache: {ttl: -1}}", "cache.ttl must be");
    expect_error(b, "return {body: '', cache: {swr: Infinity}}", "cache.swr must be");
    expect_error(b, "return {body: '', cache: {tags: ['a b']}}", "cache.tags");
    expect_error(b, "return {body: '', cache: {tags: Array(65).fill('t')}}", "at most 64");
    expect_error(b, "return {get body() { throw new Error('in a getter') }}", "Error: in a getter");
}

static void headers_with_line_breaks_are_refused_by_name(void **state)
{
    struct bench *b = *state;

    expect_error(b, "return {body: '', headers: {'x-a': 'a\\r\\nset-cookie: b'}}",
                 "header \"x-a\": the value must not hold the byte 0x0d");
    expect_error(b, "return {body: '', headers: {'x-a': 'a\\0'}}", "header \"x-a\"");
    expect_error(b, "return {body: '', headers: {'x-a': '\\u20ac'}}", "above U+00FF");
    expect_error(b, "return {body: '', headers: {'x\\na': ''}}", "must not hold the byte 0x0a");
    assert_null(strchr(b->error, '\n'));
    expect_error(b, "return {body: '', headers: {'': ''}}", "name");
    expect_error(b, "return {body: '', headers: {'a b': ''}}", "0x20");
}

static void data_that_is_no_json_is_an_error(void **state)
{
    struct bench *b = *state;

    load(b, "globalThis.renderPage = () => 'x'");
    assert_int_equal(start(b, "{nope"), 0);
    assert_int_equal(b->outcome, JS_ERROR);
    assert_non_null(strstr(b->error, "the data is not JSON"));
    render(b);
    assert_int_equal(b->outcome, JS_OK);
}

static void reads_of_the_request_are_told(void **state)
{
    struct bench *b = *state;

    page(b, "return 'nothing'");
    assert_false(b->cookie || b->authorization || b->all);
    assert_string_equal(b->reads, "");
    page(b, "return request.url + request.method");
    assert_string_equal(b->body, "http://127.0.0.1:8080/path?q=1GET");
    assert_false(b->cookie || b->all);
    page(b, "return request.headers.get('Cookie') + request.headers.get('X-Two') + "
            "request.headers.has('x-two')"
            " + request.headers.get('absent')");
    assert_string_equal(b->body, "a=b1, 2truenull");
    assert_true(b->cookie);
    assert_false(b->authorization || b->all);
    assert_string_equal(b->reads, "x-two\nabsent\n");
    page(b, "return String(new Request(request).headers.has('authorization'))");
    assert_true(b->authorization);
    assert_false(b->all);
    page(b, "return JSON.stringify([...request.headers])");
    assert_true(b->all);
}

static void a_request_is_readable_while_the_render_waits_and_empty_after_it(void **state)
{
    struct bench *b = *state;

    load(b, "globalThis.renderPage = async (url, data, request) => {"
            "  await new Promise((go) => setTimeout(go, 5));"
            "  const last = globalThis.last; globalThis.last = request;"
            "  return request.headers.get('accept-language') + request.url + (last ? "
            "last.headers.get('cookie') : '') }");
    struct js_open *open;
    {
        char url[] = "/one", name[] = "accept-language", value[] = "en";
        struct js_header header = {name, sizeof name - 1, value, 2};
        struct js_request request = {.url = url,
                                     .url_bytes = 4,
                                     .origin = "http://h",
                                     .origin_bytes = 8,
                                     .headers = &header,
                                     .header_count = 1};
        open = js_render(b->js, &request, on_done, b);
        memset(url, 'x', 4); /* borrowed for the call only */
        memset(name, 'x', sizeof name);
        memset(value, 'x', sizeof value);
    }
    assert_int_equal(js_pending(b->js), 1);
    run_to_the_end(b, open);
    assert_string_equal(b->body, "enhttp://h/one");
    assert_string_equal(b->reads, "accept-language\n");
    render(b);
    assert_string_equal(b->body, "dehttp://127.0.0.1:8080/path?q=1null");
    assert_false(b->cookie);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        JS_TEST(a_string_is_a_text_page),
        JS_TEST(strings_become_utf8),
        JS_TEST(an_object_gives_status_headers_and_cache_policy),
        JS_TEST(a_response_is_a_page),
        JS_TEST(what_is_no_page_is_an_error_that_says_so),
        JS_TEST(headers_with_line_breaks_are_refused_by_name),
        JS_TEST(data_that_is_no_json_is_an_error),
        JS_TEST(reads_of_the_request_are_told),
        JS_TEST(a_request_is_readable_while_the_render_waits_and_empty_after_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
