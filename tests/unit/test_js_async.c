/* SPDX-License-Identifier: MIT */
/*
 * test_js_async.c - many renders open at once (worker/js.h): each has its own answer, timers, reads,
 * console lines and end.
 */
#include "worker/js.h"

#include "tests/unit/js_many.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#define MANY 100

static void many_renders_are_open_and_each_gets_its_own_answer(void **state)
{
    struct bench *b = *state;
    static struct one one[MANY];
    char id[8], url[16], want[64];

    load(b, SLEEP PAGE(
                "const n = Number(url.slice(1)); await sleep(1000 - n); await null;"
                "await sleep(n % 7); return url + request.url + request.headers.get('cookie')"));
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(id, sizeof id, "r%d", i);
        (void)snprintf(url, sizeof url, "/%d", i);
        begin(b, &one[i], id, url);
    }
    assert_int_equal(js_pending(b->js), MANY);
    run(b);
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(want, sizeof want, "/%dhttp://h/%dr%d", i, i, i);
        assert_int_equal(one[i].calls, 1);
        assert_int_equal(one[i].outcome, JS_OK);
        assert_string_equal(one[i].body, want);
    }
    assert_int_equal(js_pending(b->js), 0);
    assert_int_equal(js_next_timer_ms(b->js), UINT64_MAX);
}

static void answers_come_in_the_order_of_their_timers(void **state)
{
    struct bench *b = *state;
    struct one slow, quick, at_once;

    load(b, SLEEP PAGE("await sleep(Number(url.slice(1))); return url"));
    begin(b, &slow, "slow", "/900");
    begin(b, &quick, "quick", "/100");
    load(b, SLEEP PAGE("return url"));
    begin(b, &at_once, "now", "/0");
    run(b);
    assert_string_equal(ended, "now quick slow ");
}

static void reads_after_awaits_are_noted_on_their_own_render(void **state)
{
    struct bench *b = *state;
    struct one reads, looks_away;

    load(b, SLEEP PAGE(
                "await sleep(5); if (url === '/r') { await null; request.headers.get('cookie') }"
                "await sleep(5); return url"));
    begin(b, &reads, "a", "/r");
    begin(b, &looks_away, "b", "/l");
    run(b);
    assert_true(reads.cookie);
    assert_false(looks_away.cookie);
}

static void a_request_of_an_ended_render_shows_nothing(void **state)
{
    struct bench *b = *state;
    struct one first, second;

    load(b, SLEEP "globalThis.kept = null;" PAGE(
                "if (url === '/1') { kept = request; return '' }"
                "await sleep(1); return String(kept.headers.get('cookie')) + kept.url"));
    begin(b, &first, "a", "/1");
    begin(b, &second, "b", "/2");
    run(b);
    assert_string_equal(second.body, "null");
    assert_false(second.cookie);
}

/* A bundle keeps the request of one render: what another makes of it is not for everyone. */
static void what_is_read_of_anothers_request_is_noted(void **state)
{
    static const char *const ways[] = {"kept.headers.get('cookie')",
                                       "kept.headers.has('x')",
                                       "[...kept.headers].join()",
                                       "kept.clone().headers.get('cookie')",
                                       "new Request(kept).headers.get('cookie')",
                                       "kept.url",
                                       "kept.method",
                                       "new Headers(kept.headers)",
                                       "String(walked.get('cookie'))",
                                       "[...walked].join()",
                                       "JSON.stringify([...walked.keys()])",
                                       "new Headers(walked).get('cookie')",
                                       "[...copy.headers].join()"};
    struct bench *b = *state;
    char source[1024];

    for (size_t i = 0; i < array_len(ways); i++) {
        struct one first, second, own;

        (void)snprintf(
            source, sizeof source,
            SLEEP "globalThis.kept = globalThis.walked = globalThis.copy = null;" PAGE(
                "if (url === '/1') { kept = request; copy = request.clone();"
                "  walked = new Request(request).headers; [...walked]; await sleep(90000);"
                "  return String(request.headers.get('cookie')) + request.url + [...walked] }"
                "if (url === '/own') { await sleep(20000); return request.url + request.method +"
                "  request.headers.get('cookie') + [...request.headers] + "
                "[...request.clone().headers] }"
                "await sleep(10000); return String(%s)"),
            ways[i]);
        load(b, source);
        begin(b, &first, "a", "/1");
        begin(b, &second, "b", "/2");
        begin(b, &own, "c", "/own");
        run(b);
        if (!second.other)
            fail_msg("%s: %s%s", ways[i], second.body, second.error);
        assert_false(first.other || own.other);
        assert_int_equal(first.outcome | second.outcome | own.outcome, JS_OK);
    }
}

/* Its headers may be in JavaScript already. */
static void what_is_left_of_an_ended_request_is_noted(void **state)
{
    struct bench *b = *state;
    struct one first, second;

    load(b, SLEEP "globalThis.kept = null;" PAGE(
                "if (url === '/1') { kept = request.headers; [...kept]; return '' }"
                "await sleep(1); return kept.get('cookie')"));
    begin(b, &first, "a", "/1");
    begin(b, &second, "b", "/2");
    run(b);
    assert_string_equal(second.body, "a");
    assert_true(second.other);
    assert_false(first.other);
}

static void timers_end_with_their_render_and_those_of_others_run(void **state)
{
    struct bench *b = *state;
    struct one leaves, stays;

    load(b, SLEEP "globalThis.ran = [];" PAGE(
                "setInterval(() => ran.push(url), 10000);"
                "await sleep(url === '/leaves' ? 35000 : 65000); return ran.join()"));
    begin(b, &leaves, "a", "/leaves");
    begin(b, &stays, "b", "/stays");
    run(b);
    assert_string_equal(leaves.body, "/leaves,/stays,/leaves,/stays,/leaves,/stays");
    assert_string_equal(stays.body,
                        "/leaves,/stays,/leaves,/stays,/leaves,/stays,/stays,/stays,/stays");
}

static void a_timer_is_cleared_by_its_own_render_alone(void **state)
{
    struct bench *b = *state;
    struct one sets, clears;

    load(b, SLEEP "globalThis.id = 0;" PAGE("if (url === '/sets') return await new Promise((go) => "
                                            "{ id = setTimeout(go, 5, 'ran') });"
                                            "clearTimeout(id); await sleep(9); return 'cleared'"));
    begin(b, &sets, "a", "/sets");
    begin(b, &clears, "b", "/clears");
    run(b);
    assert_string_equal(sets.body, "ran");
    assert_string_equal(clears.body, "cleared");
}

/* What an ended render had begun goes on when another wakes it, but it may not leave anything. */
static void a_render_that_has_ended_sets_no_timers(void **state)
{
    struct bench *b = *state;
    struct one dead, other;

    load(b,
         SLEEP "globalThis.wake = null; globalThis.ran = ''; globalThis.later = new Promise((go) "
               "=> wake = go);" PAGE("if (url === '/dead') { later.then(() => { ran += 'woken'; "
                                     "setTimeout(() => ran += 'timer', 0) });"
                                     "  return '' }"
                                     "wake(); await sleep(50); return ran"));
    begin(b, &dead, "a", "/dead");
    begin(b, &other, "b", "/other");
    run(b);
    assert_string_equal(other.body, "woken");
}

static void a_render_may_settle_what_another_waits_for(void **state)
{
    struct bench *b = *state;
    struct one waits, settles;

    load(b, SLEEP "globalThis.go = null; globalThis.shared = new Promise((r) => go = r);" PAGE(
                "if (url === '/w') return await shared;"
                "await sleep(1); go('from the other'); return 'done'"));
    begin(b, &waits, "w", "/w");
    assert_true(js_is_stuck(b->js));
    begin(b, &settles, "s", "/s");
    assert_false(js_is_stuck(b->js));
    run(b);
    assert_string_equal(waits.body, "from the other");
    assert_string_equal(ended, "s w ");
}

/* ---- console ---- */

static void expect_speaker(struct bench *b, const char *code, const char *console)
{
    char source[1024];
    struct one said, other;

    b->console[0] = 0;
    (void)snprintf(
        source, sizeof source,
        SLEEP PAGE("await sleep(1); if (url === '/said') { %s }; await sleep(20); return ''"),
        code);
    load(b, source);
    begin(b, &other, "other", "/other");
    begin(b, &said, "said", "/said");
    (void)snprintf(b->speaker, sizeof b->speaker, "nobody");
    run(b);
    if (!strstr(b->console, console) || strcmp(b->speaker, "said") != 0)
        fail_msg("%s: \"%s\" by %s", code, b->console, b->speaker);
}

static void console_lines_know_their_request(void **state)
{
    struct bench *b = *state;

    expect_speaker(b, "console.log('x')", "x");
    expect_speaker(b, "await null; await null; console.log('x')", "x");
    expect_speaker(b, "setTimeout(() => console.log('x'), 3)", "x");
    expect_speaker(
        b,
        "setTimeout(() => setImmediate(() => Promise.resolve().then(() => console.log('x'))), 3)",
        "x");
    expect_speaker(b, "queueMicrotask(() => console.log('x'))", "x");
    expect_speaker(b, "await {then(done) { console.log('x'); done() }}", "x");
    expect_speaker(b, "await {then(done) { setTimeout(() => { console.log('x'); done() }, 2) }}",
                   "x");
    expect_speaker(b, "Promise.reject(new Error('lost'))", "Unhandled rejection Error: lost");
    expect_speaker(b, "setTimeout(() => { throw new Error('thrown') }, 2)", "thrown");
    expect_speaker(b, "queueMicrotask(() => { throw new Error('thrown') })", "thrown");
    expect_speaker(
        b,
        "const t = new EventTarget(); t.addEventListener('x', () => { throw 'listener' });"
        "t.dispatchEvent(new Event('x'))",
        "listener");
    expect_speaker(
        b,
        "const {port1, port2} = new MessageChannel(); port1.onmessage = () => console.log('x');"
        "port2.postMessage(1)",
        "x");
}

/* As React's build for browsers schedules: one channel for all, and a list beside it. */
static void messages_that_renders_left_behind_take_no_others_place(void **state)
{
    struct bench *b = *state;
    struct one done[4], waits;

    load(b, "const c = new MessageChannel(), todo = [];"
            "c.port1.onmessage = () => todo.shift()();" PAGE(
                "const wants = url === '/waits';"
                "const own = new Promise((go) => { todo.push(go); c.port2.postMessage(null) });"
                "if (wants) await own; return String(todo.length)"));
    for (int i = 0; i < 4; i++) {
        begin(b, &done[i], "done", "/at/once");
        run(b);
        assert_string_equal(done[i].body, i == 0 ? "1" : "2"); /* its own, and the last one's */
    }
    begin(b, &waits, "waits", "/waits");
    run(b);
    assert_int_equal(waits.calls, 1);
    assert_string_equal(waits.body, "0");
}

static void lines_of_the_load_are_nobodys(void **state)
{
    struct bench *b = *state;

    load(b, "console.log('load'); globalThis.renderPage = () => ''");
    assert_string_equal(b->speaker, "-");
}

/* ---- the end ---- */

#define LISTENS                                                                                    \
    "request.signal.addEventListener('abort', () => { const r = request.signal.reason;"            \
    "  console.log(r.name, request.signal.aborted); setTimeout(() => console.log('timer'), 0);"    \
    "  queueMicrotask(() => console.log('micro')) });"

static void a_cancel_aborts_the_requests_signal_after_the_answer(void **state)
{
    struct bench *b = *state;
    struct one gone, late, other;

    load(b, SLEEP PAGE(LISTENS "await sleep(50); return 'end' + request.signal.aborted"));
    begin(b, &gone, "gone", "/");
    begin(b, &late, "late", "/");
    begin(b, &other, "other", "/");
    js_cancel(b->js, gone.open, JS_GONE);
    assert_int_equal(gone.outcome, JS_GONE);
    assert_string_equal(b->console, "1 AbortError true\n1 micro\n");
    assert_string_equal(b->speaker, "gone");
    b->console[0] = 0;
    js_cancel(b->js, late.open, JS_TIMEOUT);
    assert_int_equal(late.outcome, JS_TIMEOUT);
    assert_string_equal(b->console, "1 TimeoutError true\n1 micro\n");
    run(b);
    assert_string_equal(other.body, "endfalse");
    assert_string_equal(ended, "gone late other ");
    assert_null(strstr(b->console, "timer"));
}

static void copies_of_a_request_are_aborted_with_it(void **state)
{
    struct bench *b = *state;
    struct one one;

    load(b, PAGE("const all = [request.clone(), new Request(request), request];"
                 "all.forEach((r, i) => r.signal.onabort = () => console.log(i));"
                 "new Request('http://x').signal.onabort = () => console.log('other');"
                 "await new Promise(() => {})"));
    begin(b, &one, "a", "/");
    js_cancel(b->js, one.open, JS_GONE);
    assert_string_equal(b->console, "1 2\n1 0\n1 1\n"); /* the request itself first */
}

static void an_abort_that_throws_or_kicks_leaves_the_others_alone(void **state)
{
    struct bench *b = *state;
    struct one gone, other;

    load(b, SLEEP PAGE("request.signal.onabort = () => { throw new Error('in abort') };"
                       "await sleep(5); return 'fine'"));
    begin(b, &gone, "gone", "/");
    begin(b, &other, "other", "/");
    js_cancel(b->js, gone.open, JS_GONE);
    assert_non_null(strstr(b->console, "in abort"));
    run(b);
    assert_string_equal(other.body, "fine");
}

static void freeing_the_engine_ends_what_is_open(void **state)
{
    struct bench *b = *state;
    struct one one;

    load(b, PAGE("request.signal.onabort = () => console.log('no'); ask('x'); await new Promise(() "
                 "=> {})"));
    begin(b, &one, "a", "/");
    js_free(b->js);
    b->js = NULL;
    assert_int_equal(one.calls, 1);
    assert_int_equal(one.outcome, JS_TIMEOUT);
    assert_int_equal(b->forgotten, 1);
    assert_string_equal(b->console, "");
}

struct shooter {
    struct bench *bench;
    _Atomic bool stop;
};

static void *shoot(void *arg)
{
    struct shooter *s = arg;

    while (atomic_load_explicit(&s->bench->lines, memory_order_relaxed) == 0) /* until it loops */
        (void)sched_yield();
    while (!atomic_load_explicit(&s->stop, memory_order_relaxed))
        js_terminate(s->bench->js);
    return NULL;
}

/* Its microtasks are dropped, and with them the news that the other's promise has settled. */
static void a_render_that_is_stopped_takes_no_other_with_it(void **state)
{
    struct bench *b = *state;
    struct shooter s = {.bench = b};
    struct one waits, loops;
    pthread_t thread;

    load(b, "globalThis.go = null; globalThis.shared = new Promise((r) => go = r);"
            "globalThis.renderPage = (url) => { if (url === '/w') return shared; go('rescued'); "
            "console.log('looping'); for (;;) {} }");
    begin(b, &waits, "w", "/w");
    assert_int_equal(pthread_create(&thread, NULL, shoot, &s), 0);
    begin(b, &loops, "l", "/l");
    atomic_store_explicit(&s.stop, true, memory_order_relaxed);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(loops.outcome, JS_TIMEOUT);
    run(b);
    assert_string_equal(waits.body, "rescued");
}

/* ---- nothing grows ---- */

static void a_hundred_thousand_renders_that_leave_timers_grow_nothing(void **state)
{
    struct bench *b = *state;
    struct js_heap before, after;
    static struct one one[8];

    load(b, SLEEP PAGE(
                "setTimeout(() => {}, 1e6, new Array(100).fill(url)); setInterval(() => {}, 1000);"
                "new Promise(() => {}).then(() => request); request.signal.onabort = () => {};"
                "if (url === '/open') await sleep(1); return 'x'"));
    for (int i = 0; i < 100000; i++) {
        if (i == 10000) {
            js_collect(b->js);
            js_heap(b->js, &before);
        }
        begin(b, &one[i % 8], "a", i % 8 < 4 ? "/open" : "/now");
        if (i % 8 == 7) {
            js_cancel(b->js, one[0].open, JS_GONE);
            run(b);
        }
    }
    assert_int_equal(js_pending(b->js), 0);
    assert_int_equal(js_next_timer_ms(b->js), UINT64_MAX);
    js_collect(b->js);
    js_heap(b->js, &after);
    assert_true(after.used_bytes < before.used_bytes + 256 * KIB);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ASYNC_TEST(many_renders_are_open_and_each_gets_its_own_answer),
        ASYNC_TEST(answers_come_in_the_order_of_their_timers),
        ASYNC_TEST(reads_after_awaits_are_noted_on_their_own_render),
        ASYNC_TEST(a_request_of_an_ended_render_shows_nothing),
        ASYNC_TEST(what_is_read_of_anothers_request_is_noted),
        ASYNC_TEST(what_is_left_of_an_ended_request_is_noted),
        ASYNC_TEST(timers_end_with_their_render_and_those_of_others_run),
        ASYNC_TEST(a_timer_is_cleared_by_its_own_render_alone),
        ASYNC_TEST(a_render_that_has_ended_sets_no_timers),
        ASYNC_TEST(a_render_may_settle_what_another_waits_for),
        ASYNC_TEST(console_lines_know_their_request),
        ASYNC_TEST(messages_that_renders_left_behind_take_no_others_place),
        ASYNC_TEST(lines_of_the_load_are_nobodys),
        ASYNC_TEST(a_cancel_aborts_the_requests_signal_after_the_answer),
        ASYNC_TEST(copies_of_a_request_are_aborted_with_it),
        ASYNC_TEST(an_abort_that_throws_or_kicks_leaves_the_others_alone),
        ASYNC_TEST(freeing_the_engine_ends_what_is_open),
        ASYNC_TEST(a_render_that_is_stopped_takes_no_other_with_it),
        ASYNC_TEST(a_hundred_thousand_renders_that_leave_timers_grow_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
