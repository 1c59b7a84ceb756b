/* SPDX-License-Identifier: MIT */
/*
 * test_js_contracts.c - what a bundle may be (README.md, "What a bundle is"): which of its functions
 * is found, in scripts and in modules, how it is called, and modules of several files.
 */
#include "worker/js.h"

#include "tests/unit/js_fixture.h"

/* Sorted by name, as js.h wants them. */
static const struct js_file files[] = {
    {"bundle/a.js", "export const a = 'A'; export {b} from './deep/b.js'", 51},
    {"bundle/bad.js", "export const x = = 1", 20},
    {"bundle/bad.json", "{", 1},
    {"bundle/cycle.js", "import {name} from './main.js'; export const said = () => name", 62},
    {"bundle/data.json", "{\"n\": [1, 2]}", 13},
    {"bundle/deep/b.js", "import {root} from '../root.js'; export const b = root + 'B'", 60},
    {"bundle/late.js",
     "await new Promise((done) => setTimeout(done, 1)); export const late = 'late'", 76},
    {"bundle/lost.js", "import './nowhere.js'", 21},
    {"bundle/root.js", "globalThis.roots = (globalThis.roots ?? 0) + 1; export const root = roots",
     73},
    {"bundle/throws.js", "\n throw new Error('in a file')", 30},
};

static char *read_computed(void *arg, const char *name, size_t *ret_bytes)
{
    static const char text[] = "export default 'computed'";

    (void)arg;
    if (strcmp(name, "bundle/computed.js") != 0)
        return NULL;
    *ret_bytes = sizeof text - 1;
    return strdup(text);
}

static int try_bundle(struct bench *b, const char *source, enum js_format format)
{
    static const char env[] = "{\"API\":\"http://api\",\"n\":[1,{\"x\":null}]}";
    struct js_error *error = NULL;
    struct js_bundle bundle = {
        .name = "./bundle/main.js",
        .source = source,
        .source_bytes = strlen(source),
        .function = "renderPage",
        .format = format,
        .folder = "/srv/app",
        .file = files,
        .file_count = array_len(files),
        .read_file = read_computed,
        .env = env,
        .env_bytes = sizeof env - 1,
        .sleep_ns = UINT64_C(20000000),
    };
    int result = js_load_bundle(b->js, &bundle, &error);

    keep_error(b, error);
    js_error_free(error);
    return result;
}

/* A bundle that renders `want`, and is called `text`. */
static void expect(struct bench *b, const char *source, const char *text, const char *want)
{
    if (try_bundle(b, source, JS_FORMAT_AUTO) != 0)
        fail_msg("%s\n%s", source, b->error);
    if (text)
        assert_string_equal(js_contract(b->js)->text, text);
    render(b);
    if (b->outcome != JS_OK)
        fail_msg("%s\n%s", source, b->error);
    assert_string_equal(b->body, want);
}

static void refuse(struct bench *b, const char *source, const char *error)
{
    assert_int_equal(try_bundle(b, source, JS_FORMAT_AUTO), -EINVAL);
    if (!strstr(b->error, error))
        fail_msg("%s\n gave %s\n not %s", source, b->error, error);
}

/* Counted by what it asks for: a machine that wakes it late takes nothing of it. */
static void a_top_level_may_sleep_so_long_in_all(void **state)
{
    struct bench *b = *state;

    assert_int_equal(
        try_bundle(b, "await new Promise((done) => setTimeout(done, 3600000))", JS_FORMAT_AUTO),
        -ETIME);
    assert_int_equal(
        try_bundle(b, "for (;;) await new Promise((done) => setTimeout(done, 5))", JS_FORMAT_AUTO),
        -ETIME);
}

static void modules_export_a_page_function(void **state)
{
    struct bench *b = *state;

    expect(b, "export const renderPage = (url, data) => url + JSON.stringify(data)",
           "an ES module that exports renderPage(url, data, request)", "/path?q=1{}");
    assert_false(js_contract(b->js)->is_fetch);
    assert_false(js_contract(b->js)->takes_request);
}

static void a_function_with_three_parameters_takes_a_request(void **state)
{
    struct bench *b = *state;

    expect(b, "export const renderPage = (url, data, request) => request.method", NULL, "GET");
    assert_true(js_contract(b->js)->takes_request);
}

static void modules_export_render_as_vite_does(void **state)
{
    struct bench *b = *state;

    expect(b, "export function render(url) { return '<p>' + url }",
           "an ES module that exports render(url, data)", "<p>/path?q=1");
}

static void modules_export_a_default_function(void **state)
{
    struct bench *b = *state;

    expect(b, "export default async (url) => 'default ' + url",
           "an ES module that exports a default function (url, data, request)",
           "default /path?q=1");
}

static void modules_export_a_fetch_handler_that_gets_env_and_ctx(void **state)
{
    struct bench *b = *state;

    expect(
        b,
        "export default { self: 'me', async fetch(request, env, ctx) {\n"
        "  return new Response([this.self, request.method, request.url, env.API, env.n[1].x,\n"
        "    typeof ctx.waitUntil, typeof ctx.passThroughOnException].join(), {status: 201}) } }",
        "an ES module that exports default.fetch(request, env, ctx)",
        "me,GET,http://127.0.0.1:8080/path?q=1,http://api,,function,function");
    assert_int_equal(b->status, 201);
    assert_true(js_contract(b->js)->is_fetch);
    assert_true(js_contract(b->js)->takes_request);
}

static void a_wrapped_commonjs_module_is_seen_through(void **state)
{
    struct bench *b = *state;

    expect(b, "export default { default: { fetch: () => new Response('inner') } }",
           "an ES module that exports default.default.fetch(request, env, ctx)", "inner");
}

static void scripts_have_fetch_handlers_in_three_forms(void **state)
{
    struct bench *b = *state;

    expect(b, "globalThis.fetchHandler = (request, env) => new Response(env.API)",
           "a script that sets fetchHandler(request, env, ctx)", "http://api");
    assert_true(js_contract(b->js)->is_fetch);
}

static void scripts_set_default_fetch(void **state)
{
    struct bench *b = *state;

    expect(b, "globalThis.default = { x: 'X', fetch() { return new Response(this.x) } }",
           "a script that sets default.fetch(request, env, ctx)", "X");
}

static void scripts_listen_to_fetch(void **state)
{
    struct bench *b = *state;

    expect(b,
           "addEventListener('fetch', (event) => {\n"
           "  if (event.request.url.endsWith('?q=1'))\n"
           "    event.respondWith(Promise.resolve(new Response('heard ' + event.type))) })\n"
           "addEventListener('fetch', (event) => event.respondWith(new Response('second')))",
           "a script that listens to \"fetch\"", "heard fetch");
}

static void a_listener_that_does_not_answer_is_an_error(void **state)
{
    struct bench *b = *state;

    assert_int_equal(try_bundle(b, "addEventListener('fetch', () => {})", JS_FORMAT_AUTO), 0);
    render(b);
    assert_int_equal(b->outcome, JS_ERROR);
    assert_string_equal(b->error, "no listener of \"fetch\" has called respondWith()");
}

static void modules_import_files_json_and_each_other(void **state)
{
    struct bench *b = *state;

    expect(b,
           "import {a, b} from './a.js'; import data from './data.json' assert {type: 'json'};\n"
           "import {said} from './cycle.js'; import {root} from './root.js?v=2';\n"
           "export const name = 'main';\n"
           "export const renderPage = () => [a, b, data.n[1], said(), root, roots].join()",
           NULL, "A,1B,2,main,1,1");
}

static void builtin_modules_have_named_exports_and_a_default(void **state)
{
    struct bench *b = *state;

    expect(b,
           "import os, {cpus} from 'node:os'; import {createServer} from 'http';\n"
           "import broken from './data.json' assert {type: 'json'};\n"
           "export const renderPage = async () => [os.cpus === cpus, typeof createServer,\n"
           "  require('os').cpus === cpus, (await import('os')).cpus === cpus,\n"
           "  broken.n.length, process.env.API, process.env.NODE_ENV].join()",
           NULL, "true,function,true,true,2,http://api,production");
}

static void json_that_is_none_rejects(void **state)
{
    expect(*state,
           "export const renderPage = () => import('./bad.json').catch((e) => e.name + '!')", NULL,
           "SyntaxError!");
}

static void import_meta_tells_where_the_file_is(void **state)
{
    struct bench *b = *state;

    expect(b, "export const renderPage = () => [import.meta.url, import.meta.dirname].join()", NULL,
           "file:///srv/app/bundle/main.js,/srv/app/bundle");
}

static void top_level_await_is_waited_for(void **state)
{
    struct bench *b = *state;

    expect(b,
           "const {late} = await import('./late.js'); import './late.js';\n"
           "export const renderPage = () => late",
           NULL, "late");
}

static void a_top_level_await_that_nothing_settles_is_refused(void **state)
{
    refuse(*state, "await new Promise(() => {}); export const renderPage = 1",
           "a top-level await waits for a promise that nothing is left to settle");
}

static void import_in_a_render_loads_files_and_computed_names(void **state)
{
    struct bench *b = *state;

    expect(b,
           "export const renderPage = async () => {\n"
           "  const x = 'computed', {default: c} = await import(`./${x}.js`);\n"
           "  const {a} = await import('./a.js'), again = await import('./a.js');\n"
           "  return [c, a, again.a, (await import('./late.js')).late].join() }",
           NULL, "computed,A,A,late");
}

static void import_works_in_scripts(void **state)
{
    struct bench *b = *state;

    expect(b, "globalThis.renderPage = async () => (await import('./a.js')).b", NULL, "1B");
}

static void an_import_that_fails_rejects_each_time(void **state)
{
    struct bench *b = *state;

    expect(
        b,
        "const tell = (name) => import(name).catch((error) => error.message);\n"
        "export const renderPage = async () => [await tell('./lost.js'), await tell('./lost.js'),\n"
        "  await tell('./bad.js'), await tell('./throws.js'), await tell('node:fs'),\n"
        "  await tell('react')].join('\\n')",
        NULL,
        "can't find \"./nowhere.js\" (bundle/nowhere.js), imported by bundle/lost.js\n"
        "can't find \"./nowhere.js\" (bundle/nowhere.js), imported by bundle/lost.js\n"
        "Unexpected token '='\n"
        "in a file\n"
        "node:fs is not available here, imported by bundle/main.js\n"
        "\"react\" is a package, and only files can be imported, imported by bundle/main.js: let "
        "the build bundle it (Vite: ssr.noExternal: true; esbuild: bundle: true)");
}

static void errors_of_a_graph_name_file_and_importer(void **state)
{
    struct bench *b = *state;

    refuse(b, "import './a.js';\n  import './lost.js'",
           "can't find \"./nowhere.js\" (bundle/nowhere.js), imported by bundle/lost.js");
    assert_string_equal(b->file, "bundle/lost.js");
    assert_int_equal(b->line, 1);
    refuse(b, "import './bad.js'", "SyntaxError: Unexpected token '='");
    assert_string_equal(b->file, "bundle/bad.js");
    refuse(b, "import './throws.js'", "Error: in a file");
    assert_string_equal(b->file, "bundle/throws.js");
    assert_int_equal(b->line, 2);
    refuse(b, "import {nope} from './a.js'", "does not provide an export named 'nope'");
}

static void modules_that_fit_none_say_what_they_have(void **state)
{
    struct bench *b = *state;

    refuse(b, "export const setup = () => 1",
           "an ES module that exports only `setup`; export renderPage or a default fetch handler");
    refuse(b, "import './a.js'", "an ES module that exports nothing; export renderPage");
    refuse(b, "export default {a: 1}; export const n = 1",
           "an ES module that exports only `default` (an object), `n` (a number); export");
}

static void a_module_may_set_globals_instead(void **state)
{
    expect(*state, "import './a.js'; globalThis.renderPage = () => 'global'",
           "an ES module that sets renderPage(url, data, request)", "global");
}

static void the_format_can_be_told(void **state)
{
    struct bench *b = *state;

    assert_int_equal(try_bundle(b, "export const renderPage = () => 1", JS_FORMAT_SCRIPT), -EINVAL);
    assert_string_equal(b->error, "SyntaxError: Unexpected token 'export'");
    assert_non_null(strstr(b->hint, "bundle.format"));
    assert_int_equal(try_bundle(b, "globalThis.renderPage = () => String(this)", JS_FORMAT_MODULE),
                     0);
    render(b);
    assert_string_equal(b->body, "undefined");
}

static void hooks_run_before_each_render(void **state)
{
    expect(*state,
           "let seen = ''; ssr.onRequest((request) => { seen += request.method });\n"
           "ssr.onRequest(async () => { await null; seen += '+' });\n"
           "export const renderPage = () => seen",
           NULL, "GET+");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        JS_TEST(a_top_level_may_sleep_so_long_in_all),
        JS_TEST(modules_export_a_page_function),
        JS_TEST(a_function_with_three_parameters_takes_a_request),
        JS_TEST(modules_export_render_as_vite_does),
        JS_TEST(modules_export_a_default_function),
        JS_TEST(modules_export_a_fetch_handler_that_gets_env_and_ctx),
        JS_TEST(a_wrapped_commonjs_module_is_seen_through),
        JS_TEST(scripts_have_fetch_handlers_in_three_forms),
        JS_TEST(scripts_set_default_fetch),
        JS_TEST(scripts_listen_to_fetch),
        JS_TEST(a_listener_that_does_not_answer_is_an_error),
        JS_TEST(modules_import_files_json_and_each_other),
        JS_TEST(builtin_modules_have_named_exports_and_a_default),
        JS_TEST(json_that_is_none_rejects),
        JS_TEST(import_meta_tells_where_the_file_is),
        JS_TEST(top_level_await_is_waited_for),
        JS_TEST(a_top_level_await_that_nothing_settles_is_refused),
        JS_TEST(import_in_a_render_loads_files_and_computed_names),
        JS_TEST(import_works_in_scripts),
        JS_TEST(an_import_that_fails_rejects_each_time),
        JS_TEST(errors_of_a_graph_name_file_and_importer),
        JS_TEST(modules_that_fit_none_say_what_they_have),
        JS_TEST(a_module_may_set_globals_instead),
        JS_TEST(the_format_can_be_told),
        JS_TEST(hooks_run_before_each_render),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
