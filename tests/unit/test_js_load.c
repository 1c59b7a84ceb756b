/* SPDX-License-Identifier: MIT */
/*
 * test_js_load.c - loading a bundle (worker/js.h), and what is told when it, or a render of it,
 * fails: message, position, stack and hint.
 */
#include "worker/js.h"

#include "tests/unit/js_fixture.h"

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

static void expect_refused(struct bench *b, const char *source, const char *want, const char *hint)
{
    assert_int_equal(try_load(b, source, "renderPage"), -EINVAL);
    if (!strstr(b->error, want) || !strstr(b->hint, hint))
        fail_msg("%s\n gave %s (%s)", source, b->error, b->hint);
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
    expect_refused(b, "export const a = 1", "an ES module that exports only `a` (a number)", "");
    expect_refused(b, "import x from 'y'", "\"y\" is a package, and only files can be imported",
                   "bundle");
    expect_refused(b, "import x from './y.js'",
                   "can't find \"./y.js\" (y.js), imported by bundle.js", "");
    assert_string_equal(b->file, "bundle.js");
    assert_int_equal(b->line, 1);
    expect_refused(b, "require('./y.js')",
                   "\"./y.js\" is a file, and require() gives only node:", "");
    expect_refused(b, "require('fs')", "node:fs is not available here", "edge");
    expect_refused(b, "import 'node:fs'", "node:fs is not available here, imported by bundle.js",
                   "edge");
    expect_refused(b, "window.x = 1", "window is not defined", "browser");
    expect_refused(b, "throw new Error('at load')", "Error: at load", "");
}

static void what_a_module_throws_is_told_once(void **state)
{
    struct bench *b = *state;

    expect_refused(b, "export {}; throw new Error('at load')", "Error: at load", "");
    expect_refused(b, "await null; throw new Error('later')", "Error: later", "");
    assert_string_equal(b->console, "");
    expect_refused(b, "Promise.reject(new Error('aside')); throw new Error('at load')",
                   "Error: at load", "");
}

static void other_module_systems_are_named(void **state)
{
    struct bench *b = *state;

    expect_refused(b, "var App = {render() {}}",
                   "whose render would do: set bundle.function to App.render", "");
    expect_refused(b, "define([], () => 1)", "define is not defined",
                   "this is an AMD module: build with format esm or iife");
}

static void syntax_that_this_v8_lacks_is_named(void **state)
{
    struct bench *b = *state;

    expect_refused(b, "/x/v", "Invalid regular expression flags", "flag v: this V8 knows ES2022");
    expect_refused(b, "/(?i:x)/", "Invalid group", "modifiers such as (?i:x)");
    expect_refused(b, "/(?<a>x)|(?<a>y)/", "Duplicate capture group name", "es2022");
    expect_refused(b, "{ using x = null; }", "Unexpected identifier", "`using`");
    expect_refused(b, "import x from './a.json' with {type: 'json'}", "Unexpected token 'with'",
                   "import attributes: this V8 knows ES2022: build for es2022 (chrome102)");
}

/* What people bring first, as it comes out of an editor or of a build for something else. */
static void classic_mistakes_are_told_with_what_helps(void **state)
{
    static const struct {
        const char *source, *error, *hint;
    } row[] = {
        {"globalThis.renderPage = () => <div>hi</div>", "Unexpected token '<'",
         "JSX is left in it"},
        {"export default () => {\n  return (\n    <p>hi</p>\n  )\n}", "Unexpected token '<'",
         "jsx"},
        {"<!doctype html>\n<html>", "Unexpected token '<'", "this is an HTML page: bundle.path"},
        {"{\"name\": \"x\", \"main\": \"y\"}", "Unexpected token ':'", "this is JSON"},
        {"globalThis.renderPage = (url: string) => url", "Unexpected token ':'", "TypeScript"},
        {"function f(): number { return 1 }", "Unexpected token ':'", "TypeScript"},
        {"const a: string = 'x'", "Missing initializer", "TypeScript"},
        {"export interface Props { a: string }", "Unexpected token 'export'", "TypeScript"},
        {"import type { A } from './a.js'", "Unexpected token '{'", "TypeScript"},
        {"type A = { b: string }", "Unexpected identifier", "TypeScript"},
        {"enum A { B }", "Unexpected reserved word", "TypeScript"},
        {"class A { private b = 1 }", "Unexpected", "TypeScript"},
        {"const a = (globalThis.b as string)", "Unexpected identifier", "TypeScript"},
        {"const a = 1 satisfies B", "Unexpected identifier", "TypeScript"},
        {"const f = (a) => a!.b", "Unexpected token '!'", "TypeScript"},
        {"globalThis.renderPage = () => { const x = await 1; return x }",
         "Unexpected reserved word", "await in a function that is not async"},
        {"globalThis.renderPage = () => {", "Unexpected end of input", "is the file whole?"},
        {"exports.renderPage = () => 1", "exports is not defined", "CommonJS"},
        {"module.exports = () => 1", "module is not defined", "CommonJS"},
        {"const at = __dirname + '/x'", "__dirname is not defined", "for the edge"},
        {"require('fs')", "node:fs is not available here", "for the edge"},
        {"import fs from 'fs'", "node:fs is not available here", "for the edge"},
        {"import { createRequire } from 'module'", "node:module is not available", "for the edge"},
        {"require('react')", "\"react\" is a package", "let the build bundle it"},
        {"require('./other')", "require() gives only node: modules here", ""},
        {"(x => { throw Error('Dynamic require of \"' + x + '\" is not supported') })('fs')",
         "Dynamic require of", "bundle everything into one file"},
        {"createServer(page => ({}))", "createServer is not defined",
         "gateway: [{protocol: inertia"},
        {"Deno.serve(() => 1)", "Deno is not defined", "built for Deno"},
        {"Bun.serve({})", "Bun is not defined", "built for Bun"},
        {"React.createElement('p')", "React is not defined", "--jsx=automatic"},
        {"if (__VUE_PROD_DEVTOOLS__) ;", "__VUE_PROD_DEVTOOLS__ is not defined", "define it there"},
        {"const mode = import.meta.env.MODE", "(reading 'MODE')", "vite build --ssr"},
        {"$(() => 1)", "$ is not defined", "jQuery"},
        {"window.app = 1", "window is not defined", "there is no browser here"},
        {"document.title", "document is not defined", "there is no browser here"},
        {"localStorage.getItem('a')", "localStorage is not defined", "there is no browser here"},
        {"matchMedia('print')", "matchMedia is not defined", "there is no browser here"},
        {"class A extends HTMLElement {}", "HTMLElement is not defined", "no browser here"},
        {"JSON.parse('<!doctype html>')", "JSON", "what was parsed is no JSON"},
        {"JSON.parse('')", "JSON input", "what was parsed is no JSON"},
    };

    for (size_t i = 0; i < array_len(row); i++)
        expect_refused(*state, row[i].source, row[i].error, row[i].hint);
}

/* A hint that leads astray is worse than none. */
static void other_mistakes_get_no_hint(void **state)
{
    static const char *const sources[] = {
        "const a = {b: 1 c: 2}", "const a = b ? 1 :: 2", "notThere()",   "const enough = notThere",
        "let a = = 1",           "const a = 1; a = 2",   "mydocument.x", "null.type",
        "const a = 'x' 1",       "foo.interface bar",
    };
    struct bench *b = *state;

    for (size_t i = 0; i < array_len(sources); i++) {
        expect_refused(b, sources[i], "Error: ", "");
        if (b->hint[0])
            fail_msg("%s: %s\n hint: %s", sources[i], b->error, b->hint);
    }
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        JS_TEST(an_exception_has_message_position_and_stack),
        JS_TEST(what_is_thrown_need_not_be_an_error),
        JS_TEST(bundles_that_cannot_load_say_why),
        JS_TEST(what_a_module_throws_is_told_once),
        JS_TEST(other_module_systems_are_named),
        JS_TEST(syntax_that_this_v8_lacks_is_named),
        JS_TEST(classic_mistakes_are_told_with_what_helps),
        JS_TEST(other_mistakes_get_no_hint),
        JS_TEST(the_function_may_be_dotted_or_declared),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
