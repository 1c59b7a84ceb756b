/* SPDX-License-Identifier: MIT */
/*
 * test_js_snapshot.c - a realm out of the startup snapshot is the one that its polyfills make
 * (worker/js_snapshot.cc). All other tests of the edge run with the snapshot where the build has one.
 */
#include "worker/js.h"

#include "tests/unit/js_fixture.h"

/* Every property that can be reached from the global object by names, sorted: V8 adds some later than others. */
static const char everything[] =
    "const lines = [], seen = new Set();"
    "const kind = (v) => v === null ? 'null' : typeof v === 'object' || typeof v === 'function' ? "
    "typeof v :"
    "  typeof v + ' ' + String(v).replace(/[0-9.]+e?[-+0-9]*/, (n) => 'number');"
    "const walk = (name, object, depth) => {"
    "  if (seen.has(object) || depth > 6) return; seen.add(object);"
    "  lines.push(name + ' ' + Object.prototype.toString.call(object) + ' ' + "
    "Object.isExtensible(object));"
    "  for (const key of Reflect.ownKeys(object).sort((a, b) => String(a) < String(b) ? -1 : 1)) {"
    "    if (object === globalThis && ['renderPage', 'performance'].includes(key)) continue;"
    "    const own = Object.getOwnPropertyDescriptor(object, key), whole = name + '.' + "
    "String(key);"
    "    lines.push([whole, own.writable, own.enumerable, own.configurable, 'value' in own ? "
    "kind(own.value) : "
    "      typeof own.get + ' ' + typeof own.set].join(' '));"
    "    for (const value of [own.value, own.get, own.set])"
    "      if (typeof value === 'object' && value !== null || typeof value === 'function') "
    "walk(whole, value, depth + 1);"
    "  }"
    "  const prototype = Object.getPrototypeOf(object); if (prototype !== null) walk(name + "
    "'.__proto__', prototype, depth + 1);"
    "};"
    "walk('globalThis', globalThis, 0); return lines.sort().join('\\n')";

static char *listed(bool without_snapshot)
{
    void *state = NULL;
    char *text;

    fixture_without_snapshot = without_snapshot;
    assert_int_equal(setup(&state), 0);
    page(state, everything);
    fixture_without_snapshot = false;
    text = strdup(((struct bench *)state)->body);
    assert_non_null(text);
    assert_int_equal(teardown(&state), 0);
    return text;
}

static void a_realm_is_the_same_with_the_snapshot_and_without(void **state)
{
    char *with = listed(false), *without = listed(true), *a, *b, *rest_a, *rest_b;

    (void)state;
    assert_true(strlen(with) > 100000);
    a = strtok_r(with, "\n", &rest_a);
    b = strtok_r(without, "\n", &rest_b);
    while (a && b) {
        assert_string_equal(a, b);
        a = strtok_r(NULL, "\n", &rest_a);
        b = strtok_r(NULL, "\n", &rest_b);
    }
    assert_true(!a && !b);
    free(with);
    free(without);
}

static void the_snapshot_is_there_where_the_build_has_made_one(void **state)
{
    (void)state;
    assert_int_equal(js_has_snapshot(), SSRD_HAS_SNAPSHOT);
}

/* What is kept in memory of C is each isolate's own. */
static void isolates_share_no_memory(void **state)
{
    void *other = NULL;
    char first[64];

    assert_int_equal(setup(&other), 0);
    expect_page(other, "globalThis.a = Math.random(); new URL('http://other.example/'); return 'x'",
                "x");
    page(*state, "return [Math.random(), new URL('/b?c', 'http://one.example').href].join()");
    (void)snprintf(first, sizeof first, "%s", ((struct bench *)*state)->body);
    page(other, "return [Math.random(), new URL('/b?c', 'http://one.example').href].join()");
    assert_string_not_equal(first, ((struct bench *)other)->body);
    assert_non_null(strstr(first, ",http://one.example/b?c"));
    assert_int_equal(teardown(&other), 0);
}

static void what_depends_on_options_and_what_loads_late_works(void **state)
{
    expect_page(
        *state,
        "const words = [ssr.version, ssr.generation, new Blob(['x']).size, [3, 1].toSorted()[0], "
        "Object.hasOwn({a: 1}, 'a'),"
        "  typeof WebAssembly.compileStreaming, new TextDecoder().decode(new "
        "TextEncoder().encode('\\u00e9')),"
        "  structuredClone({a: [1]}).a[0], (await new Response(new ReadableStream({ start(c) {"
        "  c.enqueue(new Uint8Array([104, 105])); c.close(); } })).text()), [1, 2].at(-1), typeof "
        "document];"
        "return words.join()",
        "1.2.3,7,1,1,true,function,\u00e9,1,hi,2,undefined");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_snapshot_is_there_where_the_build_has_made_one),
        cmocka_unit_test(a_realm_is_the_same_with_the_snapshot_and_without),
        JS_TEST(isolates_share_no_memory),
        JS_TEST(what_depends_on_options_and_what_loads_late_works),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
