/* SPDX-License-Identifier: MIT */
/*
 * test_js_tick.c - ticks of worker/js.h: that JavaScript of every kind lets them through, loses
 * nothing by it, and is never entered from one.
 */
#include "worker/js.h"

#include "tests/unit/js_fixture.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>

#define ENOUGH 5u

struct ticker {
    struct bench *bench;
    pthread_t thread;
    _Atomic bool stop;
    unsigned ticks;
    unsigned enough;          /* then the JavaScript is ended; 0: never */
    void (*act)(struct js *); /* in a tick */
};

static void on_tick(void *arg)
{
    struct ticker *t = arg;

    t->ticks++;
    if (t->act)
        t->act(t->bench->js);
    if (t->ticks == t->enough)
        js_terminate(t->bench->js);
}

static void *ask(void *arg)
{
    struct ticker *t = arg;

    while (!atomic_load_explicit(&t->stop, memory_order_relaxed))
        js_request_tick(t->bench->js);
    return NULL;
}

/* Render while somebody asks for ticks all the time. */
static void tick_during(struct ticker *t, void (*run)(struct bench *))
{
    js_set_tick(t->bench->js, on_tick, t);
    atomic_store_explicit(&t->stop, false, memory_order_relaxed);
    assert_int_equal(pthread_create(&t->thread, NULL, ask, t), 0);
    run(t->bench);
    atomic_store_explicit(&t->stop, true, memory_order_relaxed);
    assert_int_equal(pthread_join(t->thread, NULL), 0);
    js_set_tick(t->bench->js, NULL, NULL);
}

static void whatever_loops_lets_ticks_through(void **state)
{
    static const char *const loops[] = {
        "for (;;) {}",
        "const f = () => 1; for (;;) f()",
        "return String(/(a+)+b/.test('a'.repeat(60)))",
        "return 'a'.repeat(60).replace(/(a+)+b/, () => 'x')",
        "return [...Array(1000).keys()].sort(() => { for (;;) {} })",
        "const f = () => Promise.resolve().then(f); await f()",
        "await new Promise((go) => setTimeout(go, 1)); for (;;) {}",
        "const g = (function* () { for (;;) yield 1 })(); for (const x of g) {}",
        "const keep = {}; for (let i = 0;; i = (i + 1) % 1000) keep['k' + i] = JSON.stringify({i})",
        "const m = new WebAssembly.Module(new "
        "Uint8Array([0,97,115,109,1,0,0,0,1,4,1,96,0,0,3,2,1,0,"
        "7,5,1,1,102,0,0,10,9,1,7,0,3,64,12,0,11,11])); new WebAssembly.Instance(m).exports.f()",
        "return {get status() { for (;;) {} }}",
    };

    for (size_t i = 0; i < array_len(loops); i++) {
        struct ticker t = {.bench = *state, .enough = ENOUGH};
        char source[512];

        (void)snprintf(source, sizeof source, "globalThis.renderPage = async () => { %s }",
                       loops[i]);
        load(t.bench, source);
        tick_during(&t, render);
        if (t.bench->outcome != JS_TIMEOUT || t.ticks != ENOUGH)
            fail_msg("%s: outcome %d %s, %u ticks", loops[i], (int)t.bench->outcome, t.bench->error,
                     t.ticks);
    }
}

/* What V8 interrupts it goes on with where it was: a regular expression that began anew at each tick
 * would never end. Each takes some tens of milliseconds. */
static void what_is_ticked_comes_to_its_end_with_the_same_result(void **state)
{
    static const char *const pages[] = {
        "let n = 0; for (let i = 0; i < 1e7; i++) n += i % 7; return String(n)",
        "return String(/(a+)+b/.test('a'.repeat(22)))",
        "return 'a'.repeat(22).replace(/(a+)+b|a$/, () => 'x')",
        "return 'a'.repeat(22).replace(/(a+)+b|a$/g, 'y')",
        "return String('a'.repeat(22).split(/(a+)+b/).length)",
        "const a = Array.from({length: 1e5}, (_, i) => (i * 7919) % 100003); "
        "return a.sort((x, y) => x - y).slice(0, 9).join()",
        "return JSON.stringify(Array.from({length: 1e5}, (_, i) => ({i}))).length + ''",
    };

    for (size_t i = 0; i < array_len(pages); i++) {
        struct ticker t = {.bench = *state};
        char quiet[256];

        page(t.bench, pages[i]);
        assert_int_equal(t.bench->outcome, JS_OK);
        (void)snprintf(quiet, sizeof quiet, "%s", t.bench->body);
        while (t.ticks == 0) { /* on a busy machine who asks may come too late; but not for ever */
            tick_during(&t, render);
            assert_int_equal(t.bench->outcome, JS_OK);
            assert_string_equal(t.bench->body, quiet);
        }
    }
}

static void no_javascript_no_tick(void **state)
{
    struct ticker t = {.bench = *state};

    load(t.bench, "globalThis.renderPage = () => { for (let i = 0; i < 1e5; i++); return 'x' }");
    js_set_tick(t.bench->js, on_tick, &t);
    for (int i = 0; i < 1000; i++)
        js_request_tick(t.bench->js);
    render(t.bench);
    assert_int_equal(t.ticks, 0);
    js_set_tick(t.bench->js, NULL, NULL);
}

static void terminate_twice(struct js *js)
{
    js_terminate(js);
    js_request_tick(js);
}

static void what_is_being_stopped_has_no_ticks_any_more(void **state)
{
    struct ticker t = {.bench = *state, .act = terminate_twice};

    load(t.bench, "globalThis.renderPage = () => { try { for (;;) {} } finally { for (;;) {} } }");
    tick_during(&t, render);
    assert_int_equal(t.bench->outcome, JS_TIMEOUT);
    assert_int_equal(t.ticks, 1);
}

static void look_around(struct js *js)
{
    struct js_heap heap;

    js_heap(js, &heap);
    assert_true(heap.used_bytes > 0);
    assert_true(js_pending(js)); /* the render has not called done */
    assert_true(js_next_timer_ms(js) > 0);
    js_request_tick(js); /* of itself: V8 would never get back to the JavaScript */
}

static void what_a_tick_may_ask_is_answered(void **state)
{
    struct ticker t = {.bench = *state, .act = look_around};

    load(t.bench, "globalThis.renderPage = () => { let n = 0; for (let i = 0; i < 3e7; i++) n += i;"
                  "return 'x' }");
    while (t.ticks == 0)
        tick_during(&t, render);
    assert_int_equal(t.bench->outcome, JS_OK);
}

static void render_another(struct js *js)
{
    struct js_request request = {.url = "/", .url_bytes = 1};

    (void)js_render(js, &request, NULL, NULL);
}

static void run_timers(struct js *js)
{
    js_run_timers(js, UINT64_MAX);
}

static void cancel(struct js *js)
{
    js_cancel(js, NULL, JS_TIMEOUT);
}

static void load_again(struct js *js)
{
    struct js_error *error;

    (void)js_load(js, "1", 1, "a.js", "renderPage", &error);
}

/* Our own bug, so the process ends: in a child, whose end is what is looked at. */
static void whatever_enters_in_a_tick_ends_the_process(void **state)
{
    static void (*const acts[])(struct js *) = {render_another, run_timers, cancel,
                                                load_again,     js_collect, js_free};

    load(*state, "globalThis.renderPage = () => { setTimeout(() => {}, 1); for (;;) {} }");
    for (size_t i = 0; i < array_len(acts); i++) {
        struct ticker t = {.bench = *state, .act = acts[i], .enough = 1};
        int status;
        pid_t pid;

        assert_int_equal(js_before_fork(t.bench->js), 0);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            (void)freopen("/dev/null", "we", stderr);
            js_after_fork(t.bench->js);
            (void)signal(SIGABRT, SIG_DFL);
            tick_during(&t, render);
            _exit(0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT)
            fail_msg("act %zu: status %x", i, (unsigned)status);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        JS_TEST(whatever_loops_lets_ticks_through),
        JS_TEST(what_is_ticked_comes_to_its_end_with_the_same_result),
        JS_TEST(no_javascript_no_tick),
        JS_TEST(what_is_being_stopped_has_no_ticks_any_more),
        JS_TEST(what_a_tick_may_ask_is_answered),
        JS_TEST(whatever_enters_in_a_tick_ends_the_process),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
