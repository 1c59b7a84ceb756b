/* SPDX-License-Identifier: MIT */
/* test_js_lasting.c - ctx.waitUntil(): what a render does when its answer is out (worker/js.h, js_keep). */
#include "worker/js.h"

#define JS_EXPOSE "ask"
#include "tests/unit/js_fixture.h"

#define WAITS                                                                                      \
    "const pause = (ms) => new Promise((go) => setTimeout(go, ms));"                               \
    "globalThis.fetchHandler = (request, env, ctx) => {"

static void the_answer_goes_out_first(void **state)
{
    struct bench *b = *state;

    load(b, WAITS "ctx.waitUntil((async () => { await pause(50); console.log('one');"
                  "await pause(50); console.log('two ' + request.method) })());"
                  "return new Response('page') }");
    assert_null(start(b, ""));
    assert_string_equal(b->body, "page");
    assert_string_equal(b->console, "");
    assert_int_equal(js_pending(b->js), 1);
    js_run_timers(b->js, js_next_timer_ms(b->js));
    assert_string_equal(b->console, "1 one\n");
    assert_int_equal(b->overs, 0);
    js_run_timers(b->js, js_next_timer_ms(b->js));
    assert_string_equal(b->console, "1 one\n1 two GET\n");
    assert_string_equal(b->speaker, "id-1");
    assert_int_equal(b->overs, 1);
    assert_int_equal(b->calls, 1);
    assert_int_equal(js_pending(b->js), 0);
}

static void an_answer_that_comes_later_goes_out_before_it_too(void **state)
{
    struct bench *b = *state;

    load(b, "const pause = (ms) => new Promise((go) => setTimeout(go, ms));"
            "addEventListener('fetch', (event) => { event.waitUntil(pause(90).then(() => "
            "console.log('late')));"
            "event.respondWith(pause(10).then(() => new Response('page'))) })");
    assert_non_null(start(b, ""));
    js_run_timers(b->js, js_next_timer_ms(b->js));
    assert_string_equal(b->body, "page");
    assert_string_equal(b->console, "");
    assert_int_equal(js_pending(b->js), 1);
    js_run_timers(b->js, js_next_timer_ms(b->js));
    assert_string_equal(b->console, "1 late\n");
    assert_int_equal(b->overs, 1);
}

static void it_waits_for_all_of_them_and_for_those_added_later(void **state)
{
    struct bench *b = *state;

    load(b, WAITS "ctx.waitUntil(pause(10).then(() => { ctx.waitUntil(pause(20)) }));"
                  "ctx.waitUntil(pause(15)); return new Response('page') }");
    (void)start(b, "");
    for (int i = 0; i < 2; i++) {
        js_run_timers(b->js, js_next_timer_ms(b->js));
        assert_int_equal(b->overs, 0);
    }
    js_run_timers(b->js, js_next_timer_ms(b->js));
    assert_int_equal(b->overs, 1);
}

static void what_is_settled_by_then_keeps_nothing_open(void **state)
{
    struct bench *b = *state;

    load(b, WAITS "ctx.waitUntil(Promise.resolve(1)); ctx.waitUntil(2);"
                  "setTimeout(() => console.log('never'), 0); return new Response('page') }");
    render(b);
    assert_string_equal(b->body, "page");
    assert_null(b->lasting);
    assert_string_equal(b->console, "");
}

static void a_handler_that_throws_has_its_work_done_too(void **state)
{
    struct bench *b = *state;

    load(b, WAITS "ctx.waitUntil(pause(10).then(() => console.log('told')));"
                  "throw new Error('broken') }");
    (void)start(b, "");
    assert_int_equal(b->outcome, JS_ERROR);
    js_run_timers(b->js, js_next_timer_ms(b->js));
    assert_string_equal(b->console, "1 told\n");
    assert_int_equal(b->overs, 1);
}

static void a_rejection_is_told_with_the_request(void **state)
{
    struct bench *b = *state;

    load(b, WAITS "ctx.waitUntil(pause(10).then(() => { throw new Error('later') }));"
                  "return new Response('page') }");
    (void)start(b, "");
    js_run_timers(b->js, js_next_timer_ms(b->js));
    assert_non_null(strstr(b->console, "Error: later"));
    assert_string_equal(b->speaker, "id-1");
    assert_int_equal(b->overs, 1);
}

static void it_is_ended_and_told_of_at_the_deadline(void **state)
{
    struct bench *b = *state;

    load(b, WAITS "request.signal.addEventListener('abort', () => console.log('aborted'));"
                  "ctx.waitUntil(pause(1e6)); return new Response('page') }");
    (void)start(b, "");
    js_cancel(b->js, b->lasting, JS_TIMEOUT);
    assert_string_equal(b->console, "4 ctx.waitUntil: promises were still open when the render "
                                    "was ended\n1 aborted\n");
    assert_int_equal(b->overs, 1);
    assert_int_equal(b->calls, 1);
    assert_int_equal(js_pending(b->js), 0);
    assert_true(js_next_timer_ms(b->js) == UINT64_MAX);
}

static void what_comes_from_outside_reaches_it(void **state)
{
    struct bench *b = *state;

    load(b, WAITS "ctx.waitUntil(ask('it').then((got) => console.log('got ' + got)));"
                  "return new Response('page') }");
    (void)start(b, "");
    assert_int_equal(b->calls, 1);
    assert_int_equal(b->asked, 1);
    js_settle(b->wait[0], JS_VALUE_TEXT, "this", 4);
    js_run_timers(b->js, 0);
    assert_string_equal(b->console, "1 got this\n");
    assert_int_equal(b->overs, 1);
}

static void another_render_may_settle_it(void **state)
{
    struct bench *b = *state;

    load(b, "let go; globalThis.fetchHandler = (request, env, ctx) => {"
            "if (go) { go(); return new Response('second') }"
            "ctx.waitUntil(new Promise((resolve) => { go = resolve }));"
            "return new Response('first') }");
    (void)start(b, "");
    assert_true(js_is_stuck(b->js));
    (void)start(b, "");
    assert_string_equal(b->body, "second");
    js_run_timers(b->js, 0);
    assert_int_equal(b->overs, 1);
    assert_int_equal(js_pending(b->js), 0);
}

static void an_owner_that_does_not_keep_it_ends_it(void **state)
{
    struct bench *b = *state;

    b->lets_go = true;
    load(b, WAITS "ctx.waitUntil(pause(10).then(() => console.log('late')));"
                  "return new Response('page') }");
    (void)start(b, "");
    assert_string_equal(b->body, "page");
    assert_int_equal(js_pending(b->js), 0);
    assert_true(js_next_timer_ms(b->js) == UINT64_MAX);
    assert_int_equal(b->overs, 0);
    assert_string_equal(b->console, "");
}

static void globals_are_put_back_when_it_has_ended(void **state)
{
    struct bench *b;

    fixture_isolation = JS_RESET;
    assert_int_equal(setup(state), 0);
    b = *state;
    load(b, WAITS "globalThis.mine = 1; ctx.waitUntil(pause(10).then(() => "
                  "console.log('still ' + globalThis.mine))); return new Response('page') }");
    (void)start(b, "");
    js_run_timers(b->js, js_next_timer_ms(b->js));
    assert_string_equal(b->console, "1 still 1\n");
    assert_string_equal(js_leftovers(b->js), "mine ");
    (void)teardown(state);
    fixture_isolation = JS_SHARED;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        JS_TEST(the_answer_goes_out_first),
        JS_TEST(an_answer_that_comes_later_goes_out_before_it_too),
        JS_TEST(it_waits_for_all_of_them_and_for_those_added_later),
        JS_TEST(what_is_settled_by_then_keeps_nothing_open),
        JS_TEST(a_handler_that_throws_has_its_work_done_too),
        JS_TEST(a_rejection_is_told_with_the_request),
        JS_TEST(it_is_ended_and_told_of_at_the_deadline),
        JS_TEST(what_comes_from_outside_reaches_it),
        JS_TEST(another_render_may_settle_it),
        JS_TEST(an_owner_that_does_not_keep_it_ends_it),
        cmocka_unit_test(globals_are_put_back_when_it_has_ended),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
