/* SPDX-License-Identifier: MIT */
/*
 * test_js_storage.c - AsyncLocalStorage (polyfills/async_hooks.js, worker/js_frame.cc) with several
 * renders open.
 */
#include "worker/js.h"

#include "tests/unit/js_many.h"

static void a_storage_is_kept_through_all_that_is_asynchronous(void **state)
{
    struct bench *b = *state;
    static const char *const ways[] = {
        "await null; seen = als.getStore()",
        "await sleep(1); seen = als.getStore()",
        "await new Promise((go) => queueMicrotask(() => { seen = als.getStore(); go() }))",
        "await new Promise((go) => setImmediate(() => { seen = als.getStore(); go() }))",
        "await new Promise((go) => { let n = 0; const i = setInterval(() => { seen = "
        "als.getStore();"
        "  if (++n === 2) { clearInterval(i); go() } }, 2) })",
        "await new Promise((go) => { const {port1, port2} = new MessageChannel();"
        "  port1.onmessage = () => { seen = als.getStore(); go() }; port2.postMessage(1) })",
        "const t = new EventTarget(); t.addEventListener('x', () => seen = als.getStore());"
        "await sleep(1); t.dispatchEvent(new Event('x'))",
        "for await (const x of (async function* () { yield 1; await sleep(1); yield 2 })()) seen = "
        "als.getStore()",
        "await Promise.all([sleep(1), sleep(2)]).then(() => seen = als.getStore())",
        "await Promise.reject(1).catch(() => {}).finally(() => seen = als.getStore())",
        "try { await (async () => { await sleep(1); throw 1 })() } catch { seen = als.getStore() }",
        "const c = new AbortController(); c.signal.onabort = () => seen = als.getStore(); await "
        "sleep(1); c.abort()",
        "await new Promise((go) => { AbortSignal.timeout(2).onabort = () => { seen = "
        "als.getStore(); go() } })",
        "seen = await ask('value', '')",
    };

    for (size_t i = 0; i < array_len(ways); i++) {
        struct one a, c;
        char source[1024];

        (void)snprintf(source, sizeof source,
                       SLEEP "globalThis.als = new AsyncLocalStorage();" PAGE(
                           "let seen; await als.run(url, async () => { %s; if (seen === 'asked') "
                           "seen = als.getStore() });"
                           "return seen + ' ' + als.getStore()"),
                       ways[i]);
        load(b, source);
        b->asked = 0;
        begin(b, &a, "a", "/a");
        begin(b, &c, "c", "/c");
        for (size_t k = 0; k < b->asked; k++)
            js_settle(b->wait[k], JS_VALUE_TEXT, "asked", 5);
        run(b);
        if (strcmp(a.body, "/a undefined") != 0 || strcmp(c.body, "/c undefined") != 0)
            fail_msg("%s: %s, %s (%s)", ways[i], a.body, c.body, a.error);
    }
}

static void storages_nest_and_end(void **state)
{
    struct bench *b = *state;

    expect_page(b,
                "const s = new AsyncLocalStorage(), t = new AsyncLocalStorage({defaultValue: 'd', "
                "name: 'n'}), seen = [];"
                "const look = (where) => seen.push('' + where + s.getStore() + t.getStore());"
                "look(0);"
                "await s.run(1, async () => { look(1); t.run(2, () => { look(2); s.run(3, () => "
                "look(3)); look(4);"
                "  s.exit(() => look(5)); look(6) }); look(7); await null; look(8); "
                "s.enterWith(4); look(9);"
                "  await null; look(10); s.disable(); look(11) });"
                "look(12); try { s.run(9, () => { throw 1 }) } catch { look(13) }"
                "return seen.join() + t.name + s.run(1, (...a) => a.join('-'), 2, 3)",
                "0undefinedd,11d,212,332,412,5undefined2,612,71d,81d,94d,104d,11undefinedd,"
                "12undefinedd,13undefineddn2-3");
}

static void bound_functions_and_snapshots_bring_their_storages(void **state)
{
    struct bench *b = *state;

    expect_page(
        b,
        "const s = new AsyncLocalStorage(), look = () => s.getStore();"
        "const bound = s.run(1, () => AsyncLocalStorage.bind(look));"
        "const snap = s.run(2, () => AsyncLocalStorage.snapshot());"
        "const withThis = AsyncLocalStorage.bind(function (x) { return this.n + x });"
        "return s.run(9, () => [bound(), snap(look), snap((a, b) => a + b, 1, 2), s.getStore(),"
        "  withThis.call({n: 1}, 2)].join())",
        "1,2,3,9,3");
}

/* A connection pool calls back in the render of another. */
static void a_snapshot_of_an_ended_render_works_for_the_one_that_calls_it(void **state)
{
    struct bench *b = *state;
    struct one first, second;

    load(b, SLEEP "globalThis.s = new AsyncLocalStorage(); globalThis.snap = null;" PAGE(
                "if (url === '/1') return s.run('first', () => { snap = "
                "AsyncLocalStorage.snapshot(); return '' });"
                "return await snap(async () => { await sleep(2); console.log('x'); return "
                "s.getStore() })"));
    begin(b, &first, "a", "/1");
    begin(b, &second, "b", "/2");
    run(b);
    assert_string_equal(second.body, "first");
    assert_string_equal(b->speaker, "b");
}

static void what_a_thenable_does_sees_no_other_renders_storage(void **state)
{
    struct bench *b = *state;
    struct one a, c;

    load(b, SLEEP "globalThis.s = new AsyncLocalStorage();" PAGE(
                "return s.run(url, async () => { await sleep(1); let seen;"
                "await {then(go) { seen = s.getStore(); go() }}; return String(seen) + "
                "s.getStore() })"));
    begin(b, &a, "a", "/a");
    begin(b, &c, "c", "/c");
    run(b);
    assert_true(strcmp(a.body, "undefined/a") == 0 || strcmp(a.body, "/a/a") == 0);
    assert_true(strcmp(c.body, "undefined/c") == 0 || strcmp(c.body, "/c/c") == 0);
}

static void node_async_hooks_has_them(void **state)
{
    struct bench *b = *state;

    expect_page(
        b,
        "const {AsyncLocalStorage: S, AsyncResource: R, executionAsyncId} = await "
        "import('node:async_hooks');"
        "const s = new S(); const r = s.run(1, () => new R('X'));"
        "return [S === require('async_hooks').AsyncLocalStorage, S === AsyncLocalStorage,"
        "  r.runInAsyncScope((a) => a + s.getStore(), null, 'a'), r.bind(() => s.getStore())(),"
        "  s.run(2, () => R.bind(() => s.getStore()))(), typeof executionAsyncId()].join()",
        "true,true,a1,1,2,number");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ASYNC_TEST(a_storage_is_kept_through_all_that_is_asynchronous),
        ASYNC_TEST(storages_nest_and_end),
        ASYNC_TEST(bound_functions_and_snapshots_bring_their_storages),
        ASYNC_TEST(a_snapshot_of_an_ended_render_works_for_the_one_that_calls_it),
        ASYNC_TEST(node_async_hooks_has_them),
        ASYNC_TEST(what_a_thenable_does_sees_no_other_renders_storage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
