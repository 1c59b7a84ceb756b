/* SPDX-License-Identifier: MIT */
/* test_js_context.c - render.isolation = context (worker/js_context.cc): each render has a realm of its own. What renders leave
 * for one another is in test_js_isolation.c. */
#include "worker/js.h"

#include "tests/unit/js_many.h"

static int setup_contexts(void **state)
{
    fixture_isolation = JS_CONTEXT;
    return setup(state);
}

#define CONTEXT_TEST(f) cmocka_unit_test_setup_teardown(f, setup_contexts, teardown)

static void what_a_bundle_keeps_is_each_renders_own(void **state)
{
    struct bench *b = *state;

    load(b, "let n = 0; globalThis.renderPage = (url) => `${++n} "
            "${Object.keys(globalThis).includes('left')} ` + (globalThis.left = n)");
    for (int i = 0; i < 20; i++) {
        if (i % 3 == 0)
            js_prepare(b->js); /* made ahead, or when it is needed: the same */
        render(b);
        assert_string_equal(b->body, "1 false 1");
    }
}

static void realms_are_made_ahead_of_need_until_there_are_enough(void **state)
{
    struct bench *b = *state;
    int made = 0;

    assert_false(js_wants_realm(b->js)); /* there is no bundle */
    load(b, "console.log('loads'); globalThis.renderPage = () => 'page'");
    while (js_wants_realm(b->js)) {
        js_prepare(b->js);
        made++;
    }
    assert_in_range(made, 1, 16);
    b->console[0] = 0;
    render(b);
    assert_string_equal(b->console, ""); /* nothing was loaded while it waited */
    assert_true(js_wants_realm(b->js));
    js_prepare(b->js);
    assert_string_equal(b->console, "1 loads\n");
    assert_false(js_wants_realm(b->js));
}

static void open_renders_have_each_their_realm(void **state)
{
    struct bench *b = *state;
    struct one one[3];
    static const char *const urls[] = {"/a", "/b", "/c"};

    load(b, SLEEP "const als = new AsyncLocalStorage(); let seen = '';" PAGE(
                "seen += url; globalThis.mine = url; Array.prototype.mine = url;"
                "return als.run(url, async () => { await sleep(5); seen += '+'; await sleep(5);"
                "  queueMicrotask(() => seen += '!'); await null;"
                "  return [seen, mine, [].mine, als.getStore(), new URL(request.url).pathname, "
                "Math.random() < 1,"
                "    await ask('value', '') === 'asked'].join(' ') })"));
    for (int i = 0; i < 3; i++)
        begin(b, &one[i], urls[i], urls[i]);
    for (int i = 0; i < 100 && b->asked < 3; i++)
        js_run_timers(b->js, js_next_timer_ms(b->js));
    for (size_t i = 0; i < 3; i++)
        js_settle(b->wait[i], JS_VALUE_TEXT, "asked", 5);
    run(b);
    for (int i = 0; i < 3; i++) {
        char want[64];

        (void)snprintf(want, sizeof want, "%s+! %s %s %s %s true true", urls[i], urls[i], urls[i],
                       urls[i], urls[i]);
        assert_string_equal(one[i].body, want);
    }
}

static void modules_are_run_anew_for_each(void **state)
{
    static const struct js_file files[] = {{"part.js", "export const list = []; await null;", 35}};
    static const char source[] =
        "import { list } from './part.js'; export const renderPage = async (url) => {"
        "  list.push(url); const again = await import('./part.js'); return String(again.list) }";
    struct bench *b = *state;
    struct js_error *error = NULL;
    char *text = strdup(source); /* js_load_bundle() borrows it */
    struct js_bundle bundle = {.name = "main.mjs",
                               .source = text,
                               .source_bytes = sizeof source - 1,
                               .function = "renderPage",
                               .file = files,
                               .file_count = 1};

    assert_int_equal(js_load_bundle(b->js, &bundle, &error), 0);
    memset(text, 'x', sizeof source - 1);
    free(text);
    for (int i = 0; i < 3; i++) {
        render(b);
        assert_string_equal(b->body, "/path?q=1");
    }
}

/* A file that is another one each time: what may differ from one load to the next. */
static char *read_next(void *arg, const char *name, size_t *ret_bytes)
{
    const char **next = arg;
    char *text = strdup(*next);

    assert_string_equal(name, "state.js");
    *next = "throw new Error('not again')";
    *ret_bytes = text ? strlen(text) : 0;
    return text;
}

static void what_fails_when_it_loads_anew_fails_its_render_alone(void **state)
{
    static const char source[] =
        "await import('./' + 'state.js'); export const renderPage = () => 'page'";
    const char *next = "export default 1";
    struct bench *b = *state;
    struct js_error *error = NULL;
    struct js_bundle bundle = {.name = "main.mjs",
                               .source = source,
                               .source_bytes = sizeof source - 1,
                               .function = "renderPage",
                               .read_file = read_next,
                               .arg = &next};

    assert_int_equal(js_load_bundle(b->js, &bundle, &error), 0);
    next = "export default 2";
    render(b);
    assert_string_equal(b->body, "page");
    render(b);
    assert_int_equal(b->outcome, JS_ERROR);
    assert_non_null(strstr(b->error, "not again"));
    assert_string_equal(b->file, "state.js");
    js_prepare(b->js);
    assert_false(js_wants_realm(b->js)); /* no use in trying on and on */
    next = "export default 3";
    render(b);
    assert_string_equal(b->body, "page");
    assert_true(js_wants_realm(b->js));
}

static void realms_of_renders_that_are_over_are_collected(void **state)
{
    struct bench *b = *state;
    struct js_heap before, after;

    load(b, "const big = Array(20000).fill('x'); globalThis.renderPage = () => { globalThis.own = "
            "big.map((x) => x + 'y');"
            " setTimeout(() => {}, 1000); new Promise(() => {}); return String(own.length) }");
    for (int i = 0; i < 50; i++)
        render(b);
    js_collect(b->js);
    js_heap(b->js, &before);
    for (int i = 0; i < 300; i++)
        render(b); /* 160 kB and more each: beyond the limit of 64 MiB if they stayed */
    assert_int_equal(b->outcome, JS_OK);
    js_collect(b->js);
    js_heap(b->js, &after);
    assert_in_range(after.used_bytes, 1, before.used_bytes + 2 * MIB);
}

static void a_cancelled_render_is_told_in_its_realm(void **state)
{
    struct bench *b = *state;
    struct js_open *first, *second;

    load(b,
         "globalThis.renderPage = (url, data, request) => { globalThis.mine = data.name;"
         " request.signal.addEventListener('abort', () => console.log('aborted ' + mine)); return "
         "new Promise(() => {}) }");
    first = start(b, "{\"name\": \"first\"}");
    second = start(b, "{\"name\": \"second\"}");
    js_cancel(b->js, first, JS_GONE);
    assert_string_equal(b->console, "1 aborted first\n");
    js_cancel(b->js, second, JS_TIMEOUT);
    assert_string_equal(b->console, "1 aborted first\n1 aborted second\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CONTEXT_TEST(what_a_bundle_keeps_is_each_renders_own),
        CONTEXT_TEST(realms_are_made_ahead_of_need_until_there_are_enough),
        CONTEXT_TEST(open_renders_have_each_their_realm),
        CONTEXT_TEST(modules_are_run_anew_for_each),
        CONTEXT_TEST(what_fails_when_it_loads_anew_fails_its_render_alone),
        CONTEXT_TEST(realms_of_renders_that_are_over_are_collected),
        CONTEXT_TEST(a_cancelled_render_is_told_in_its_realm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
