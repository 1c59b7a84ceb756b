/* SPDX-License-Identifier: MIT */
/*
 * test_js_wait.c - promises that C settles (worker/js.h, struct js_outside).
 */
#include "worker/js.h"

#include "tests/unit/js_many.h"

static void what_c_settles_comes_as_it_was_given(void **state)
{
    struct bench *b = *state;
    static const struct {
        enum js_value kind;
        const char *data, *want;
    } table[] = {
        {JS_VALUE_NOTHING, "", "undefined undefined"},
        {JS_VALUE_TEXT, "h\xc3\xa4", "string h\xc3\xa4"},
        {JS_VALUE_BYTES, "\x01\xff", "object 1,255"},
        {JS_VALUE_BYTES, "", "object "},
        {JS_VALUE_JSON, "{\"a\":[1]}", "object [object Object]"},
        {JS_VALUE_JSON, "{", "rejected SyntaxError: Unexpected end of JSON input"},
        {JS_VALUE_ERROR, "no route", "rejected TypeError: no route"},
    };

    load(b, PAGE("return await ask('fetch', 'http://' + url).then((v) => typeof v + ' ' + v, (e) "
                 "=> 'rejected ' + e)"));
    for (size_t i = 0; i < array_len(table); i++) {
        struct one o;

        begin(b, &o, "a", "x");
        assert_string_equal(b->ask, "fetch http://x");
        assert_false(js_is_stuck(b->js));
        assert_int_equal(js_next_timer_ms(b->js), UINT64_MAX);
        js_settle(b->wait[b->asked - 1], table[i].kind, table[i].data, strlen(table[i].data));
        assert_int_equal(o.calls, 0); /* only noted */
        assert_int_equal(js_next_timer_ms(b->js), 0);
        assert_ptr_equal(js_due(b->js, 0), o.open);
        js_step(b->js, o.open, 0);
        assert_int_equal(o.calls, 1);
        assert_string_equal(o.body, table[i].want);
    }
    assert_int_equal(b->forgotten, 0);
}

static void several_waits_overlap_and_end_in_any_order(void **state)
{
    struct bench *b = *state;
    struct one o;

    load(b, PAGE("const order = []; const all = await Promise.all([1, 2, 3].map((n) =>"
                 "ask('x', '' + n).then((v) => { order.push(n); return v }))); return all.join() + "
                 "order"));
    begin(b, &o, "a", "/");
    assert_int_equal(b->asked, 3); /* all before the first has ended */
    js_settle(b->wait[2], JS_VALUE_TEXT, "c", 1);
    js_settle(b->wait[0], JS_VALUE_TEXT, "a", 1);
    run(b);
    assert_int_equal(o.calls, 0);
    js_settle(b->wait[1], JS_VALUE_TEXT, "b", 1);
    run(b);
    assert_string_equal(o.body, "a,b,c3,1,2");
}

static void what_an_ended_render_waited_for_is_forgotten(void **state)
{
    struct bench *b = *state;
    struct one done, gone;

    load(
        b,
        PAGE(
            "const p = ask('x'); if (url === '/done') return 'without'; ask('y'); return await p"));
    begin(b, &done, "a", "/done");
    assert_string_equal(done.body, "without");
    assert_int_equal(b->forgotten, 1);
    begin(b, &gone, "b", "/gone");
    js_settle(b->wait[2], JS_VALUE_NOTHING, NULL, 0); /* y: settled, not delivered yet */
    js_cancel(b->js, gone.open, JS_GONE);
    assert_int_equal(b->forgotten, 2);
    assert_int_equal(js_next_timer_ms(b->js), UINT64_MAX);
    assert_true(js_is_stuck(b->js));
}

static void what_can_not_be_asked_is_rejected(void **state)
{
    struct bench *b = *state;
    int mark = 0;

    expect_page(b, "return await ask('refuse').catch((e) => e.message)",
                "refuse is not available here");
    load(
        b,
        "globalThis.early = ask('x').catch((e) => e.message); globalThis.renderPage = () => early");
    render(b);
    assert_non_null(strstr(b->body, "none has begun"));
    page(b, "ask('x'); return 'x'");
    assert_int_equal(b->forgotten, 1);
    load(b, PAGE("return await ask('x', new Uint8Array([104, 105]))"));
    struct one o;
    begin(b, &o, "a", "/");
    assert_string_equal(b->ask, "x hi");
    assert_null(js_wait_work(b->wait[b->asked - 1]));
    js_wait_set_work(b->wait[b->asked - 1], &mark);
    assert_ptr_equal(js_wait_work(b->wait[b->asked - 1]), &mark);
    js_settle(b->wait[b->asked - 1], JS_VALUE_NOTHING, NULL, 0);
    run(b);
    assert_int_equal(o.calls, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ASYNC_TEST(what_c_settles_comes_as_it_was_given),
        ASYNC_TEST(several_waits_overlap_and_end_in_any_order),
        ASYNC_TEST(what_an_ended_render_waited_for_is_forgotten),
        ASYNC_TEST(what_can_not_be_asked_is_rejected),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
