/* SPDX-License-Identifier: MIT */
/*
 * test_js_limits.c - what ends a render that does not end by itself (worker/js.h): a cancel, a shot
 * from another thread, the heap limit; and that the next render works.
 */
#include "worker/js.h"

#include "tests/unit/js_fixture.h"

#include <pthread.h>
#include <stdatomic.h>

#define ROUNDS 20 /* how often a bomb and a normal render take turns */
#define TABLE_ROUNDS 3

static void a_promise_that_never_settles_waits_for_its_cancel(void **state)
{
    struct bench *b = *state;

    load(b, "globalThis.renderPage = () => new Promise(() => {})");
    struct js_open *open = start(b, "");
    assert_non_null(open);
    assert_int_equal(b->calls, 0);
    assert_true(js_pending(b->js));
    assert_int_equal(js_next_timer_ms(b->js), UINT64_MAX);
    assert_true(js_is_stuck(b->js));
    js_cancel(b->js, open, JS_TIMEOUT);
    assert_int_equal(b->calls, 1);
    assert_int_equal(b->outcome, JS_TIMEOUT);
    assert_false(js_pending(b->js));
}

struct stopper {
    struct bench *b;
    unsigned from_lines; /* on the console */
    pthread_t thread;
    _Atomic bool stop;
};

/* Shoots until told to stop: whatever runs is stopped, sooner or later. */
static void *shoot(void *arg)
{
    struct stopper *s = arg;

    while (!atomic_load_explicit(&s->stop, memory_order_relaxed))
        if (atomic_load_explicit(&s->b->lines, memory_order_relaxed) >= s->from_lines)
            js_terminate(s->b->js);
    return NULL;
}

static void stop_from(struct bench *b, unsigned lines, void (*run)(struct bench *))
{
    struct stopper s = {.b = b, .from_lines = lines};

    assert_int_equal(pthread_create(&s.thread, NULL, shoot, &s), 0);
    run(b);
    atomic_store_explicit(&s.stop, true, memory_order_relaxed);
    assert_int_equal(pthread_join(s.thread, NULL), 0);
}

static void stop_during(struct bench *b, void (*run)(struct bench *))
{
    stop_from(b, 0, run);
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

/* later.js calls flatMap in the midst of its work. Stopped there, it left its accessors without what they stand for, and
 * each later read of one called itself. */
static void what_loads_late_is_not_stopped_midway(void **state)
{
    struct bench *b = *state;

    load(b, "const { flatMap } = Array.prototype;"
            "globalThis.renderPage = (url, data) => {"
            "  if (data.bad) Array.prototype.flatMap = function (f) {"
            "    console.log('now'); for (let i = 0; i < 1e5; i++); return flatMap.call(this, f) };"
            "  const page = [2, 1].toSorted().join();"
            "  for (let i = 0; data.bad && i < 1e9; i++);"
            "  return page }");
    b->stops = true;
    render_bad(b);
    assert_int_equal(b->outcome, JS_TIMEOUT); /* when it had loaded */
    render(b);
    assert_int_equal(b->outcome, JS_OK);
    assert_string_equal(b->body, "1,2");
}

/* isolation: reset puts globals back in an entry of its own, which is shot at like any other: half of them put back would
 * be what the next visitor gets. */
static void what_puts_globals_back_is_not_stopped_midway(void **state)
{
    struct bench *b;

    fixture_isolation = JS_RESET;
    assert_int_equal(setup(state), 0);
    fixture_isolation = JS_SHARED;
    b = *state;
    load(b, "const { at } = Array.prototype;"
            "globalThis.renderPage = (url, data) => {"
            "  if (data.bad) {"
            "    for (let i = 0; i < 500; i++) globalThis['of' + i] = i;"
            "    Array.prototype.at = String.raw = Math.hypot = () => 'theirs';"
            "    console.log('set');"
            "    for (;;) ;"
            "  }"
            "  return Object.keys(globalThis).filter((key) => /^of/.test(key)).length +"
            "    [at === [].at, String.raw`x`, Math.hypot(1)].join() }");
    for (int i = 0; i < ROUNDS; i++) {
        unsigned lines = atomic_load_explicit(&b->lines, memory_order_relaxed);

        stop_from(b, lines + 1, render_bad);
        if (b->outcome != JS_TIMEOUT)
            fail_msg("%d %s", (int)b->outcome, b->error);
        assert_int_equal(atomic_load_explicit(&b->lines, memory_order_relaxed), lines + 1);
        render(b);
        assert_int_equal(b->outcome, JS_OK);
        assert_string_equal(b->body, "0true,x,1");
    }
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

static void bomb(struct bench *b, const char *source, int rounds)
{
    struct js_heap heap;

    load(b, source);
    for (int i = 0; i < rounds; i++) {
        render_bad(b);
        if (b->outcome != JS_OOM)
            fail_msg("round %d: outcome %d %s", i, (int)b->outcome, b->error);
        assert_true(strlen(b->error) > 0);
        if (!strstr(b->stack, "renderPage"))
            fail_msg("round %d: %s, nobody knows where: %s", i, b->error, b->stack);
        assert_null(start(b, ""));
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        JS_TEST(a_promise_that_never_settles_waits_for_its_cancel),
        JS_TEST(a_loop_is_stopped_where_it_stands_and_the_next_render_works),
        JS_TEST(what_loads_late_is_not_stopped_midway),
        cmocka_unit_test_teardown(what_puts_globals_back_is_not_stopped_midway, teardown),
        JS_TEST(a_loop_at_load_is_stopped),
        JS_TEST(a_shot_at_nothing_hits_nothing),
        JS_TEST(a_bomb_of_arrays_ends_the_render_alone),
        JS_TEST(a_bomb_of_objects_ends_the_render_alone),
        JS_TEST(a_bomb_of_strings_ends_the_render_alone),
        JS_TEST(a_bomb_of_doubling_strings_ends_the_render_alone),
        JS_TEST(a_bomb_of_buffers_ends_the_render_alone),
        JS_TEST(a_bomb_of_tables_ends_the_render_alone),
        JS_TEST(a_heap_limit_at_load_refuses_the_bundle),
        JS_TEST(renders_leave_no_garbage_behind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
