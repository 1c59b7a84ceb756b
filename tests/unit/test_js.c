/* SPDX-License-Identifier: MIT */
/*
 * test_js.c - the C edge of V8 (worker/js.h): pages, errors, timers, limits, polyfills. Forking is
 * in test_js_fork.c. Each test has an isolate of its own; V8 starts once.
 */
#include "worker/js.h"

#include "shm/base.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define HEAP_BYTES (64 * MIB)
#define ROUNDS 20 /* how often a bomb and a normal render take turns */
#define TABLE_ROUNDS 3

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
    char console[8192]; /* "level text\n" */
};

static void on_console(void *arg, enum js_console level, const char *text, size_t bytes)
{
    struct bench *b = arg;
    size_t used = strlen(b->console);

    (void)snprintf(b->console + used, sizeof b->console - used, "%d %.*s\n", (int)level, (int)bytes,
                   text);
}

static void list(char *to, size_t cap, const struct js_header *header, size_t count, bool values)
{
    to[0] = 0;
    for (size_t i = 0; i < count; i++) {
        size_t used = strlen(to);
        (void)snprintf(to + used, cap - used, values ? "%.*s: %.*s\n" : "%.*s\n",
                       (int)header[i].name_bytes, header[i].name, (int)header[i].value_bytes,
                       header[i].value);
    }
}

static void keep_error(struct bench *b, const struct js_error *error)
{
    (void)snprintf(b->error, sizeof b->error, "%s", error ? error->message : "");
    (void)snprintf(b->stack, sizeof b->stack, "%s", error ? error->stack : "");
    (void)snprintf(b->hint, sizeof b->hint, "%s", error ? error->hint : "");
    (void)snprintf(b->file, sizeof b->file, "%s", error ? error->file : "");
    b->line = error ? error->line : 0;
    b->column = error ? error->column : 0;
}

static void on_done(void *arg, const struct js_result *result)
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
}

static int setup(void **state)
{
    struct bench *b = calloc(1, sizeof *b);
    struct js_options options = {.heap_bytes = HEAP_BYTES,
                                 .generation = 7,
                                 .version = "1.2.3",
                                 .console = on_console,
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

static int teardown(void **state)
{
    struct bench *b = *state;

    js_free(b->js);
    free(b->body);
    free(b);
    return 0;
}

static int try_load(struct bench *b, const char *source, const char *function)
{
    struct js_error *error = NULL;
    int result = js_load(b->js, source, strlen(source), "bundle.js", function, &error);

    keep_error(b, error);
    js_error_free(error);
    return result;
}

static void load(struct bench *b, const char *source)
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

static int start(struct bench *b, const char *data)
{
    struct js_request request = {.url = "/path?q=1",
                                 .url_bytes = 9,
                                 .data = data,
                                 .data_bytes = strlen(data),
                                 .method = "GET",
                                 .method_bytes = 3,
                                 .origin = "http://127.0.0.1:8080",
                                 .origin_bytes = 21,
                                 .headers = request_headers,
                                 .header_count = array_len(request_headers)};

    return js_render(b->js, &request, on_done, b);
}

/* Time is the timers' own: always at the next deadline. */
static void run_to_the_end(struct bench *b)
{
    for (int i = 0; js_pending(b->js) && i < 1000; i++) {
        uint64_t at = js_next_timer_ms(b->js);
        if (at == UINT64_MAX)
            js_cancel(b->js, JS_TIMEOUT);
        else
            js_run_timers(b->js, at);
    }
}

static void render_with(struct bench *b, const char *data)
{
    int before = b->calls;

    assert_int_equal(start(b, data), 0);
    run_to_the_end(b);
    assert_int_equal(b->calls, before + 1);
}

static void render(struct bench *b)
{
    render_with(b, "");
}

static void render_bad(struct bench *b)
{
    render_with(b, "{\"bad\":true}");
}

/* Load a body of renderPage(url, data, request) and render once. */
static void page(struct bench *b, const char *body)
{
    char source[8192];

    (void)snprintf(source, sizeof source,
                   "globalThis.renderPage = async (url, data, request) => {%s}", body);
    load(b, source);
    render(b);
}

static void expect_page(struct bench *b, const char *body, const char *want)
{
    page(b, body);
    if (b->outcome != JS_OK)
        fail_msg("%s: %s", body, b->error);
    assert_string_equal(b->body, want);
}

static void expect_error(struct bench *b, const char *body, const char *want)
{
    page(b, body);
    assert_int_equal(b->outcome, JS_ERROR);
    if (!strstr(b->error, want))
        fail_msg("%s\n gave %s\n not %s", body, b->error, want);
}

static void expect_refused(struct bench *b, const char *source, const char *want, const char *hint)
{
    assert_int_equal(try_load(b, source, "renderPage"), -EINVAL);
    if (!strstr(b->error, want) || !strstr(b->hint, hint))
        fail_msg("%s\n gave %s (%s)", source, b->error, b->hint);
}

/* ---- pages ---- */

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
    expect_error(b, "return {html: ''}", "without status, headers or body (it has: html)");
    expect_error(b, "return {body: {getReader() {}}}", "streams come later");
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
    {
        char url[] = "/one", name[] = "accept-language", value[] = "en";
        struct js_header header = {name, sizeof name - 1, value, 2};
        struct js_request request = {.url = url,
                                     .url_bytes = 4,
                                     .origin = "http://h",
                                     .origin_bytes = 8,
                                     .headers = &header,
                                     .header_count = 1};
        assert_int_equal(js_render(b->js, &request, on_done, b), 0);
        memset(url, 'x', 4); /* borrowed for the call only */
        memset(name, 'x', sizeof name);
        memset(value, 'x', sizeof value);
    }
    assert_true(js_pending(b->js));
    assert_int_equal(start(b, ""), -EBUSY);
    run_to_the_end(b);
    assert_string_equal(b->body, "enhttp://h/one");
    assert_string_equal(b->reads, "accept-language\n");
    render(b);
    assert_string_equal(b->body, "dehttp://127.0.0.1:8080/path?q=1null");
    assert_false(b->cookie);
}

/* ---- errors ---- */

static void an_exception_has_message_position_and_stack(void **state)
{
    struct bench *b = *state;

    load(b, "function inner() {\n  return missing.x;\n}\nglobalThis.renderPage = () => inner()");
    render(b);
    assert_int_equal(b->outcome, JS_ERROR);
    assert_string_equal(b->error, "ReferenceError: missing is not defined");
    assert_string_equal(b->file, "bundle.js");
    assert_int_equal(b->line, 2);
    assert_int_equal(b->column, 3);
    assert_non_null(strstr(b->stack, "at inner (bundle.js:2:3)"));
    assert_null(strstr(b->stack, "ssr:"));
    expect_error(b, "return document.title", "document is not defined");
    assert_non_null(strstr(b->hint, "no browser"));
}

static void what_is_thrown_need_not_be_an_error(void **state)
{
    struct bench *b = *state;

    load(b, "globalThis.renderPage = () => { throw 'some text' }");
    render(b);
    assert_string_equal(b->error, "threw a string: some text");
    assert_int_equal(b->line, 1);
    expect_error(b, "throw undefined", "rejected with undefined");
    expect_error(b, "throw {toString() { throw 1 }}", "rejected with");
    expect_error(b, "throw Object.create(null)", "rejected with an object");
    expect_error(b, "throw new DOMException('why', 'AbortError')", "AbortError: why");
    expect_error(b, "await null; throw new TypeError('later')", "TypeError: later");
    assert_non_null(strstr(b->stack, "bundle.js:1:"));
    expect_error(b, "return (function f() { return f() + 1 })()", "Maximum call stack size");
    expect_error(b, "throw new Proxy({}, {get() { throw 1 }})", "rejected with");
}

static void bundles_that_cannot_load_say_why(void **state)
{
    struct bench *b = *state;

    expect_refused(b, "", "globalThis.renderPage is not there: it set no globals", "");
    expect_refused(b, "globalThis.render = () => 1; globalThis.n = 2",
                   "it set render (a function), n (a number)", "");
    expect_refused(b, "globalThis.renderPage = 5", "globalThis.renderPage is a number", "");
    expect_refused(b, "let a = = 1", "SyntaxError: Unexpected token '='", "");
    assert_int_equal(b->line, 1);
    assert_int_equal(b->column, 9);
    expect_refused(b, "export default 1", "Unexpected token 'export'", "iife");
    expect_refused(b, "import x from 'y'", "Cannot use import statement", "iife");
    expect_refused(b, "require('fs')", "require is not defined", "iife");
    expect_refused(b, "window.x = 1", "window is not defined", "browser");
    expect_refused(b, "/x/v", "Invalid regular expression flags", "es2022");
    expect_refused(b, "addEventListener('fetch', () => {})", "addEventListener", "fetch handlers");
    expect_refused(b, "globalThis.default = {fetch() {}}", "fetch handlers are not available", "");
    expect_refused(b, "throw new Error('at load')", "Error: at load", "");
}

static void the_function_may_be_dotted_or_declared(void **state)
{
    struct bench *b = *state;

    assert_int_equal(
        try_load(b, "globalThis.app = {n: 'self', render() { return this.n }}", "app.render"), 0);
    render(b);
    assert_string_equal(b->body, "self");
    load(b, "const renderPage = () => 'declared'");
    render(b);
    assert_string_equal(b->body, "declared");
}

/* ---- console ---- */

static void console_writes_values_as_people_read_them(void **state)
{
    struct bench *b = *state;

    page(b, "console.log('a %s %d', 'x', 4, {b: [1, 'two', null], m: new Map([[1, {c: 2}]])});"
            "console.warn(new Set([1]), undefined, 5n, Symbol('s'), class A {}, () => {}, -0);"
            "const self = {}; self.self = self; console.error(self, [,1], 'text');"
            "console.debug('debug'); console.info(new Uint8Array(2)); return ''");
    assert_string_equal(
        b->console, "1 a x 4 { b: [ 1, 'two', null ], m: Map(1) { 1 => { c: 2 } } }\n"
                    "3 Set(1) { 1 } undefined 5n Symbol(s) [class A] [Function (anonymous)] -0\n"
                    "4 { self: [Circular] } [ <empty>, 1 ] text\n"
                    "0 debug\n"
                    "2 Uint8Array(2) [ 0, 0 ]\n");
    b->console[0] = 0;
    page(b, "console.error(new TypeError('shown')); return ''");
    assert_non_null(strstr(b->console, "4 TypeError: shown\n    at "));
    b->console[0] = 0;
    page(b, "Promise.reject(new Error('lost')); return 'x'");
    assert_string_equal(b->body, "x");
    assert_non_null(strstr(b->console, "4 Unhandled rejection Error: lost"));
}

/* ---- timers ---- */

static void timers_run_in_the_order_of_their_deadlines(void **state)
{
    struct bench *b = *state;

    expect_page(
        b,
        "const seen = [];"
        "await new Promise((done) => {"
        "  setTimeout(done, 30);"
        "  setTimeout((x) => { seen.push(x); queueMicrotask(() => seen.push('micro')) }, 20, 'c');"
        "  setTimeout(() => seen.push('d'), 20);"
        "  setTimeout(() => seen.push('b'), 10);"
        "  clearTimeout(setTimeout(() => seen.push('never'), 5));"
        "  setImmediate(() => seen.push('a'));"
        "  let n = 0; const id = setInterval(() => { seen.push('i' + ++n); if (n === 2) "
        "clearInterval(id) }, 12);"
        "});"
        "return seen.join()",
        "a,b,i1,c,micro,d,i2");
    expect_error(b, "setTimeout('text', 1); return ''", "must be a function");
}

static void timers_end_with_their_render(void **state)
{
    struct bench *b = *state;

    load(b, "globalThis.ran = 0; setTimeout(() => ran++, 0);"
            "globalThis.renderPage = () => { setTimeout(() => ran++, 0); return '' + ran }");
    assert_int_equal(js_next_timer_ms(b->js), UINT64_MAX);
    for (int i = 0; i < 3; i++) {
        render(b);
        assert_string_equal(b->body, "0");
        assert_int_equal(js_next_timer_ms(b->js), UINT64_MAX);
        js_run_timers(b->js, UINT64_MAX - 1);
    }
}

static void a_timer_that_throws_is_told_and_the_render_goes_on(void **state)
{
    struct bench *b = *state;

    expect_page(b,
                "setTimeout(() => { throw new Error('in timer') }, 1);"
                "await new Promise((go) => setTimeout(go, 2)); return 'on'",
                "on");
    assert_non_null(strstr(b->console, "4 Uncaught in a timer: Error: in timer"));
}

static void a_promise_that_never_settles_waits_for_its_cancel(void **state)
{
    struct bench *b = *state;

    load(b, "globalThis.renderPage = () => new Promise(() => {})");
    assert_int_equal(start(b, ""), 0);
    assert_int_equal(b->calls, 0);
    assert_true(js_pending(b->js));
    assert_int_equal(js_next_timer_ms(b->js), UINT64_MAX);
    js_cancel(b->js, JS_TIMEOUT);
    assert_int_equal(b->calls, 1);
    assert_int_equal(b->outcome, JS_TIMEOUT);
    assert_false(js_pending(b->js));
    js_cancel(b->js, JS_TIMEOUT);
    assert_int_equal(b->calls, 1);
}

/* ---- stopping ---- */

struct stopper {
    struct js *js;
    pthread_t thread;
    _Atomic bool stop;
};

/* Shoots until told to stop: whatever runs is stopped, sooner or later. */
static void *shoot(void *arg)
{
    struct stopper *s = arg;

    while (!s->stop)
        js_terminate(s->js);
    return NULL;
}

static void stop_during(struct bench *b, void (*run)(struct bench *))
{
    struct stopper s = {.js = b->js};

    assert_int_equal(pthread_create(&s.thread, NULL, shoot, &s), 0);
    run(b);
    s.stop = true;
    assert_int_equal(pthread_join(s.thread, NULL), 0);
}

static void a_loop_is_stopped_where_it_stands_and_the_next_render_works(void **state)
{
    struct bench *b = *state;
    static const char *const loops[] = {
        "for (;;) {}",
        "/(a+)+b/.test('a'.repeat(60))",
        "const f = () => Promise.resolve().then(f); f(); return 'done'",
        "[...Array(1000).keys()].sort(() => { for (;;) {} })",
        "try { for (;;) {} } catch { return 'caught' } finally { return 'finally' }",
        "return {get status() { for (;;) {} }}",
        "await new Promise((go) => setTimeout(go, 1)); for (;;) {}",
        "const e = new Error(); Object.defineProperty(e, 'stack', {get() { for (;;) {} }}); throw "
        "e",
    };

    for (size_t i = 0; i < array_len(loops); i++) {
        char source[512];

        (void)snprintf(
            source, sizeof source,
            "globalThis.leak = 0;"
            "globalThis.renderPage = async (url, data) => { if (!data.bad) return 'fine' + leak;"
            "queueMicrotask(() => leak++); setTimeout(() => leak++); %s }",
            loops[i]);
        load(b, source);
        stop_during(b, render_bad);
        if (b->outcome != JS_TIMEOUT)
            fail_msg("%s: outcome %d %s", loops[i], (int)b->outcome, b->error);
        render(b);
        assert_int_equal(b->outcome, JS_OK);
        assert_memory_equal(b->body, "fine", 4);
        if (i == 0)
            assert_string_equal(b->body, "fine0"); /* what the stopped one had queued is gone */
    }
    load(b, "globalThis.renderPage = function where() {\n  for (;;) {} }");
    stop_during(b, render);
    assert_int_equal(b->outcome, JS_TIMEOUT);
    if (b->line != 0)
        assert_non_null(strstr(b->stack, "bundle.js:"));
}

static void try_loading_a_loop(struct bench *b)
{
    assert_int_equal(try_load(b, "for (;;) {}", "renderPage"), -ETIME);
}

static void a_loop_at_load_is_stopped(void **state)
{
    stop_during(*state, try_loading_a_loop);
    load(*state, "globalThis.renderPage = () => 'x'");
    render(*state);
}

static void a_shot_at_nothing_hits_nothing(void **state)
{
    struct bench *b = *state;

    load(b, "globalThis.renderPage = () => { let n = 0; for (let i = 0; i < 1e5; i++) n += i; "
            "return 'x' }");
    for (int i = 0; i < 100; i++) {
        js_terminate(b->js);
        render(b);
        assert_int_equal(b->outcome, JS_OK);
        js_terminate(b->js);
    }
}

/* ---- the heap limit ---- */

static void bomb(struct bench *b, const char *source, int rounds)
{
    struct js_heap heap;

    load(b, source);
    for (int i = 0; i < rounds; i++) {
        render_bad(b);
        if (b->outcome != JS_OOM)
            fail_msg("round %d: outcome %d %s", i, (int)b->outcome, b->error);
        assert_true(strlen(b->error) > 0);
        assert_int_equal(start(b, ""), 0);
        assert_int_equal(b->outcome, JS_OK);
        assert_string_equal(b->body, "fine");
        js_heap(b->js, &heap);
        assert_true(heap.limit_bytes < HEAP_BYTES + HEAP_BYTES / 4);
    }
}

#define BOMB(code)                                                                                 \
    "globalThis.renderPage = (url, data) => { if (!data.bad) return 'fine'; " code " }"

static void a_bomb_of_arrays_ends_the_render_alone(void **state)
{
    bomb(*state, BOMB("const keep = []; for (;;) keep.push(new Array(1000).fill(0.5))"), ROUNDS);
}

static void a_bomb_of_objects_ends_the_render_alone(void **state)
{
    bomb(*state, BOMB("let keep = null; for (;;) keep = {keep, text: 'x' + Math.random()}"),
         ROUNDS);
}

static void a_bomb_of_strings_ends_the_render_alone(void **state)
{
    bomb(*state,
         BOMB("const keep = []; for (let i = 0;; i++) keep.push(('x' + "
              "i).repeat(5000).toUpperCase())"),
         ROUNDS);
}

static void a_bomb_of_doubling_strings_ends_the_render_alone(void **state)
{
    bomb(*state,
         BOMB("const keep = []; let s = 'ab'; for (;;) { keep.push(s.toUpperCase()); if "
              "(s.length < 8e6) s += s }"),
         ROUNDS);
}

static void a_bomb_of_buffers_ends_the_render_alone(void **state)
{
    bomb(*state, BOMB("const keep = []; for (;;) keep.push(new Uint8Array(1 << 20))"), ROUNDS);
    bomb(*state, BOMB("const keep = []; for (;;) keep.push(new ArrayBuffer(1 << 26))"), ROUNDS);
}

/* One growth of a table doubles it: the largest single allocations there are. */
static void a_bomb_of_tables_ends_the_render_alone(void **state)
{
    bomb(*state, BOMB("const keep = {}; for (let i = 0;; i++) keep['k' + i] = i"), TABLE_ROUNDS);
    bomb(*state, BOMB("const keep = new Map; for (let i = 0;; i++) keep.set(i, {i})"),
         TABLE_ROUNDS);
    bomb(*state, BOMB("const keep = new Set; for (let i = 0;; i++) keep.add('x' + i)"),
         TABLE_ROUNDS);
    bomb(*state, BOMB("const keep = []; for (let i = 0;; i++) keep[i] = i"), TABLE_ROUNDS);
}

static void a_heap_limit_at_load_refuses_the_bundle(void **state)
{
    struct bench *b = *state;

    assert_int_equal(
        try_load(b, "const keep = []; for (;;) keep.push(new Array(1000).fill(1))", "renderPage"),
        -EINVAL);
    assert_non_null(strstr(b->error, "heap limit"));
    load(b, "globalThis.renderPage = () => 'x'");
    render(b);
    assert_int_equal(b->outcome, JS_OK);
}

/* ---- polyfills ---- */

static void text_encoding_follows_the_standard(void **state)
{
    struct bench *b = *state;

    expect_page(b, "return String(new TextEncoder().encode('a\\u20ac\\ud800'))",
                "97,226,130,172,239,191,189");
    expect_page(b,
                "const to = new Uint8Array(5); return JSON.stringify(new "
                "TextEncoder().encodeInto('ab\\u20ac\\u20ac', to)) + to",
                "{\"read\":3,\"written\":5}97,98,226,130,172");
    expect_page(b,
                "return new TextDecoder().decode(new Uint8Array([0xef, 0xbb, 0xbf, 0x61, 0xff, "
                "0xe2, 0x82]))",
                "a\xef\xbf\xbd\xef\xbf\xbd");
    expect_page(b,
                "const d = new TextDecoder(); let s = '';"
                "for (const byte of [0xf0, 0x9f, 0x98, 0x80, 0x61]) s += d.decode(new "
                "Uint8Array([byte]), {stream: true});"
                "return s + d.decode()",
                "\xf0\x9f\x98\x80"
                "a");
    expect_error(
        b, "return new TextDecoder('utf-8', {fatal: true}).decode(new Uint8Array([0xc0, 0x80]))",
        "not valid UTF-8");
    expect_error(b, "new TextDecoder('utf-16le')", "only utf-8");
}

static void base64_and_crypto_follow_their_standards(void **state)
{
    struct bench *b = *state;

    expect_page(b,
                "return btoa('a') + btoa('ab\\xff') + btoa('') + atob(' YW J\\n') + atob('YQ==')",
                "YQ==YWL/aba");
    expect_error(b, "btoa('\\u20ac')", "InvalidCharacterError");
    expect_error(b, "atob('a')", "InvalidCharacterError");
    expect_error(b, "atob('a=b')", "InvalidCharacterError");
    expect_page(b,
                "const a = crypto.getRandomValues(new Uint32Array(8));"
                "return (new Set(a).size > 6) + ' ' + "
                "/^[\\da-f]{8}-[\\da-f]{4}-4[\\da-f]{3}-[89ab][\\da-f]{3}-[\\da-f]{12}$/"
                ".test(crypto.randomUUID())",
                "true true");
    expect_error(b, "crypto.getRandomValues(new Uint8Array(65537))", "QuotaExceededError");
    expect_error(b, "crypto.getRandomValues(new Float64Array(1))", "TypeMismatchError");
}

static void random_numbers_are_even_and_in_range(void **state)
{
    expect_page(*state,
                "let sum = 0, all = new Set(), bad = 0;"
                "for (let i = 0; i < 1e4; i++) { const x = Math.random(); sum += x; all.add(x); if "
                "(!(x >= 0 && x < 1)) bad++ }"
                "return [Math.abs(sum / 1e4 - 0.5) < 0.05, all.size, bad, Math.random.name].join()",
                "true,10000,0,random");
}

static void events_and_aborts_follow_the_dom_standard(void **state)
{
    struct bench *b = *state;

    expect_page(
        b,
        "const t = new EventTarget(), seen = [];"
        "t.addEventListener('x', (e) => seen.push(e.type + e.isTrusted + (e.target === t)), {once: "
        "true});"
        "t.addEventListener('x', {handleEvent() { seen.push('object') }});"
        "t.dispatchEvent(new Event('x')); t.dispatchEvent(new CustomEvent('x', {detail: 1}));"
        "return seen.join()",
        "xfalsetrue,object,object");
    expect_page(b,
                "const c = new AbortController(); let n = 0; c.signal.onabort = () => n++;"
                "c.signal.addEventListener('abort', () => n++); c.abort(); c.abort();"
                "try { c.signal.throwIfAborted() } catch (e) { return n + e.name }",
                "2AbortError");
    expect_page(b,
                "const s = AbortSignal.timeout(5); await new Promise((go) => s.onabort = go); "
                "return s.reason.name",
                "TimeoutError");
}

static void messages_arrive_as_tasks(void **state)
{
    expect_page(
        *state,
        "const {port1, port2} = new MessageChannel(), seen = [];"
        "await new Promise((go) => { port1.onmessage = (e) => { seen.push(e.data.x); go() };"
        "  port2.postMessage({x: 'task'}); Promise.resolve().then(() => seen.push('micro')); "
        "seen.push('now') });"
        "return seen.join()",
        "now,micro,task");
}

static void clones_are_deep_and_functions_refused(void **state)
{
    struct bench *b = *state;

    expect_page(b,
                "const a = {d: new Date(0), m: new Map([[1, new Set([2])]]), u: new Uint8Array([1, "
                "2])}; a.self = a;"
                "const c = structuredClone(a);"
                "return [c !== a, c.self === c, c.d.toISOString(), [...c.m.get(1)], c.u].join()",
                "true,true,1970-01-01T00:00:00.000Z,2,1,2");
    expect_error(b, "structuredClone({f() {}})", "DataCloneError");
}

static void headers_and_requests_follow_fetch(void **state)
{
    struct bench *b = *state;

    expect_page(
        b,
        "const h = new Headers([['B', '2'], ['a', '1'], ['b', ' 3 ']]); h.append('Set-Cookie', "
        "'x=1'); h.append('set-cookie', 'y=2');"
        "return JSON.stringify([...h]) + h.getSetCookie().length",
        "[[\"a\",\"1\"],[\"b\",\"2, 3\"],[\"set-cookie\",\"x=1\"],[\"set-cookie\",\"y=2\"]]2");
    expect_error(b, "new Headers({'a b': ''})", "Invalid header name");
    expect_error(b, "new Headers({a: 'x\\ny'})", "Invalid header value");
    expect_page(
        b,
        "class Own extends Request { get extra() { return this.method + this.url } }"
        "const r = new Own('http://h/', {method: 'post', body: '{\"a\":1}', headers: {x: 'y'}});"
        "return r.extra + (await r.clone().json()).a + r.headers.get('content-type') + r.bodyUsed",
        "POSThttp://h/1text/plain;charset=UTF-8false");
    expect_page(
        b, "return await Response.json({a: 1}).text() + new Response(null, {status: 204}).status",
        "{\"a\":1}204");
    expect_error(b, "new Response('x', {status: 204})", "no body");
}

static void state_serialized_for_a_script_cannot_end_it(void **state)
{
    expect_page(*state,
                "return ssr.serialize({a: '</script><!--&\\u2028'}) + ssr.version + ssr.generation",
                "{\"a\":\"\\u003c/script\\u003e\\u003c!--\\u0026\\u2028\"}1.2.37");
}

static void globals_are_writable_and_the_browsers_absent(void **state)
{
    expect_page(
        *state,
        "const names = ['self', 'navigator', 'console', 'setTimeout', 'Request', 'crypto', "
        "'performance', 'ssr'];"
        "const fixed = names.filter((n) => { const d = Object.getOwnPropertyDescriptor(globalThis, "
        "n);"
        "  return !d || !d.writable || !d.configurable });"
        "const absent = ['window', 'document', 'location', 'process', 'require', "
        "'history'].filter((n) => n in globalThis);"
        "return [fixed, absent, self === globalThis, performance.now() >= 0, "
        "performance.timeOrigin > 1e12,"
        "  new Function('return 5')(), new Intl.NumberFormat('de').format(1234.5)].join('|')",
        "||true|true|true|5|1.234,5");
}

static void webassembly_compiles_while_the_render_waits(void **state)
{
    expect_page(*state,
                "const bytes = new "
                "Uint8Array([0,97,115,109,1,0,0,0,1,7,1,96,2,127,127,1,127,3,2,1,0,7,7,1,3,97,100,"
                "100,0,0,10,9,1,7,0,32,0,32,1,106,11]);"
                "const {instance} = await WebAssembly.instantiate(bytes); return "
                "String(instance.exports.add(40, 2))",
                "42");
}

static void renders_leave_no_garbage_behind(void **state)
{
    struct bench *b = *state;
    struct js_heap before, after;

    load(b, "globalThis.renderPage = (url, data, request) => { setTimeout(() => {}, 1000);"
            "request.headers.get('x-two'); return 'x'.repeat(100) + Math.random() }");
    for (int i = 0; i < 2000; i++)
        render(b);
    js_collect(b->js);
    js_heap(b->js, &before);
    for (int i = 0; i < 20000; i++)
        render(b);
    js_collect(b->js);
    js_heap(b->js, &after);
    assert_true(after.used_bytes < before.used_bytes + 256 * KIB);
}

#define JS_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

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
        JS_TEST(an_exception_has_message_position_and_stack),
        JS_TEST(what_is_thrown_need_not_be_an_error),
        JS_TEST(bundles_that_cannot_load_say_why),
        JS_TEST(the_function_may_be_dotted_or_declared),
        JS_TEST(console_writes_values_as_people_read_them),
        JS_TEST(timers_run_in_the_order_of_their_deadlines),
        JS_TEST(timers_end_with_their_render),
        JS_TEST(a_timer_that_throws_is_told_and_the_render_goes_on),
        JS_TEST(a_promise_that_never_settles_waits_for_its_cancel),
        JS_TEST(a_loop_is_stopped_where_it_stands_and_the_next_render_works),
        JS_TEST(a_loop_at_load_is_stopped),
        JS_TEST(a_shot_at_nothing_hits_nothing),
        JS_TEST(a_bomb_of_arrays_ends_the_render_alone),
        JS_TEST(a_bomb_of_objects_ends_the_render_alone),
        JS_TEST(a_bomb_of_strings_ends_the_render_alone),
        JS_TEST(a_bomb_of_doubling_strings_ends_the_render_alone),
        JS_TEST(a_bomb_of_buffers_ends_the_render_alone),
        JS_TEST(a_bomb_of_tables_ends_the_render_alone),
        JS_TEST(a_heap_limit_at_load_refuses_the_bundle),
        JS_TEST(text_encoding_follows_the_standard),
        JS_TEST(base64_and_crypto_follow_their_standards),
        JS_TEST(random_numbers_are_even_and_in_range),
        JS_TEST(events_and_aborts_follow_the_dom_standard),
        JS_TEST(messages_arrive_as_tasks),
        JS_TEST(clones_are_deep_and_functions_refused),
        JS_TEST(headers_and_requests_follow_fetch),
        JS_TEST(state_serialized_for_a_script_cannot_end_it),
        JS_TEST(globals_are_writable_and_the_browsers_absent),
        JS_TEST(webassembly_compiles_while_the_render_waits),
        JS_TEST(renders_leave_no_garbage_behind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
