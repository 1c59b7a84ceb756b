/* SPDX-License-Identifier: MIT */
/*
 * test_js_isolation.c - ways to leave something for the next render (worker/js.h, enum js_isolation):
 * which of them shared and reset stop. A row is what one render does, and what the next one looks
 * at: "clean" where nothing is left.
 */
#include "worker/js.h"

#include "tests/unit/js_fixture.h"

enum reach {
    STOPPED, /* by itself: at every level */
    RESET,   /* reset stops it */
    SHAPE,   /* reset stops it, where it sees hidden classes (js_shape.h) */
    CARRIED, /* only a fresh realm would */
};

struct way {
    enum reach reach;
    const char *leave, *probe; /* the probe: true if something is left */
};

#define HAS(name) "'" name "' in globalThis"

static const struct way ways[] = {
    /* globals */
    {RESET, "globalThis.user = 'a'", HAS("user")},
    {RESET, "(0, eval)('var user = 1')", HAS("user")},
    {RESET, "new Function('user = 1')()", HAS("user")},
    {RESET, "(0, eval)('function user() {}')", HAS("user")},
    {RESET, "self.user = 1; globalThis.other = 2", HAS("user") " || " HAS("other")},
    {RESET, "globalThis[5] = 1", "5 in globalThis"},
    {RESET, "globalThis['a b'] = 1", HAS("a b")},
    {RESET, "globalThis[Symbol.for('user')] = 1; globalThis.x = 1",
     "Symbol.for('user') in globalThis"},
    {SHAPE, "globalThis[Symbol.for('user')] = 1", "Symbol.for('user') in globalThis"},
    {SHAPE, "Object.defineProperty(globalThis, 'user', {value: 1, configurable: true})",
     HAS("user")},
    {RESET,
     "globalThis.user = 1; Object.defineProperty(globalThis, 'user', {configurable: false, "
     "writable: true})",
     "globalThis.user !== undefined"},
    {RESET,
     "Object.defineProperty(globalThis, 'user', {get: () => 1, configurable: true, enumerable: "
     "true})",
     HAS("user")},
    {RESET, "delete globalThis.Map", "typeof Map === 'undefined'"},
    {RESET, "delete globalThis.setTimeout", "typeof setTimeout === 'undefined'"},
    {RESET, "delete globalThis.own", "typeof own === 'undefined'"},
    {RESET, "own = 2", "own !== 1"},
    {RESET, "globalThis.own = undefined", "own !== 1"},
    {RESET, "Object.defineProperty(globalThis, 'own', {get: () => 3, configurable: true})",
     "own !== 1"},
    {RESET, "fetchIt = () => 'patched'", "fetchIt() !== 'original'"},
    {RESET, "Map = class extends Map {}",
     "Map.name !== 'Map' || !Function.prototype.toString.call(Map).includes('native')"},
    {RESET, "Promise = class extends Promise {}",
     "!Function.prototype.toString.call(Promise).includes('native')"},
    {RESET, "Date = function () {}", "!(new Date() instanceof Date) || isNaN(new Date())"},
    {RESET, "Symbol = null", "Symbol === null"},
    {RESET, "console = {log() {}}", "console.error === undefined"},
    {RESET, "performance = 1", "performance === 1"},
    {RESET, "crypto = 1", "crypto === 1"},
    {RESET, "navigator = {userAgent: 'x'}", "navigator.userAgent === 'x'"},
    {RESET, "Request = 1", "Request === 1"},
    {RESET, "Response = 1", "Response === 1"},
    {RESET, "Headers = class {}", "Headers.prototype.get === undefined"},
    {RESET, "URL = 1", "URL === 1"},
    {RESET, "ssr = {}", "ssr.serialize === undefined"},
    {RESET, "AsyncLocalStorage = 1", "AsyncLocalStorage === 1"},
    {RESET, "self = {}", "self !== globalThis"},
    {RESET, "queueMicrotask = () => {}", "queueMicrotask.length !== 1"},
    {RESET, "structuredClone = (x) => x", "structuredClone(data) === data"},
    {RESET, "parseInt = () => 7", "parseInt('1') === 7"},
    {RESET, "isNaN = () => 7", "isNaN(1) === 7"},
    {RESET, "eval = 1", "eval === 1"},
    {RESET, "encodeURIComponent = (x) => x", "encodeURIComponent(' ') === ' '"},
    {RESET,
     "globalThis.location = new URL('http://a/secret'); globalThis.window = globalThis; "
     "globalThis.document = {}",
     "['location', 'window', 'document'].some((n) => n in globalThis)"},
    {RESET, "globalThis.process = {env: {SECRET: 1}}", "process.env.SECRET === 1"},
    {RESET, "globalThis.__STATE__ = {user: 'a'}", HAS("__STATE__")},
    /* intrinsics */
    {RESET, "Array.prototype.last = 1", "[].last === 1"},
    {RESET, "Object.prototype.polluted = 1", "({}).polluted === 1"},
    {RESET, "Array.prototype[Symbol.iterator] = function* () { yield 'x' }", "[...[1]][0] === 'x'"},
    {RESET, "String.prototype[Symbol.iterator] = function* () { yield 'x' }",
     "[...'a'][0] === 'x'"},
    {RESET, "globalThis.__proto__.user = 1", HAS("user")},
    {RESET, "process.env.SECRET = 'a'; process.env.NODE_ENV = 'b'",
     "'SECRET' in process.env || process.env.NODE_ENV === 'b'"},
    {RESET, "process.cwd = () => 'x'; delete process.nextTick",
     "process.cwd() === 'x' || !('nextTick' in process)"},
    /* with what restoring them must not look through */
    {RESET,
     "Object.defineProperty(globalThis, 'own', {get() { throw new Error() }, configurable: true})",
     "Object.getOwnPropertyDescriptor(globalThis, 'own').get"},
    {RESET,
     "Object.defineProperty(Math, 'max', {get() { throw new Error() }, configurable: true}); "
     "globalThis.user = 1",
     "Object.getOwnPropertyDescriptor(Math, 'max').get || " HAS("user")},
    {RESET,
     "Object.keys = 1; Object.setPrototypeOf(Function.prototype, new Proxy({}, {get() { throw new "
     "Error() }})); own = 2",
     "own !== 1 || Object.keys === 1"},
    {RESET, "Object.prototype.get = 1; own = 2", "own !== 1"},
    {RESET, "Object.prototype.set = 1; own = 2; JSON.parse = () => 7",
     "own !== 1 || JSON.parse('1') === 7"},
    {RESET,
     "Object.defineProperty(globalThis, 'own', {get: () => 3, configurable: true}); "
     "Object.prototype.value = 1",
     "own !== 1"},
    {SHAPE,
     "Object.defineProperty(Map.prototype, 'size', {get: () => 3, configurable: true}); "
     "Object.prototype.value = 1",
     "new Map().size === 3"},
    {RESET,
     "Object.defineProperty(Object.prototype, 'writable', {get() { throw new Error(); }, "
     "configurable: true}); own = 2",
     "own !== 1"},
    {RESET,
     "Object.defineProperty(Object.prototype, 'key', {set() { throw new Error(); }, configurable: "
     "true}); own = 2",
     "own !== 1"},
    {RESET,
     "Object.defineProperty(Array.prototype, 0, {set() { throw new Error(); }, configurable: "
     "true}); own = 2; globalThis.user = 1",
     "own !== 1 || " HAS("user")},
    {RESET,
     "Object.defineProperty(Object.prototype, 1, {set() {}, get: () => 5, configurable: true}); "
     "own = 2; globalThis.user = 1",
     "own !== 1 || " HAS("user")},
    {RESET, "Array.prototype.map = Array.prototype.forEach = () => { throw new Error(); }; own = 2",
     "own !== 1"},
    {RESET,
     "Array.prototype[Symbol.iterator] = Map.prototype[Symbol.iterator] = () => { throw new "
     "Error(); }; own = 2",
     "own !== 1"},
    {RESET,
     "Map.prototype.forEach = Map.prototype.has = Reflect.apply = Reflect.ownKeys = () => false; "
     "own = 2; globalThis.user = 1",
     "own !== 1 || " HAS("user")},
    {RESET,
     "Function.prototype.call = Function.prototype.apply = () => { throw new Error(); }; own = 2",
     "own !== 1"},
    {RESET, "RegExp.prototype.exec = RegExp.prototype.test = () => null; own = 2", "own !== 1"},
    {RESET,
     "String.prototype.concat = Symbol.prototype.toString = () => { throw new Error(); }; "
     "globalThis[Symbol('s')] = 1; own = 2",
     "own !== 1"},
    {RESET, "data.__proto__.polluted = 1", "({}).polluted === 1"},
    {RESET, "data.constructor.prototype.polluted = 1", "({}).polluted === 1"},
    {RESET, "Function.prototype.x = 1", "(() => 1).x === 1"},
    {RESET, "String.prototype.x = 1", "''.x === 1"},
    {RESET, "Number.prototype.x = 1", "(1).x === 1"},
    {RESET, "Promise.prototype.x = 1", "Promise.resolve().x === 1"},
    {RESET, "RegExp.prototype.x = 1", "/a/.x === 1"},
    {RESET, "Error.prototype.x = 1", "new Error().x === 1"},
    {RESET, "Date.prototype.toISOString = () => 'x'", "new Date(0).toISOString() === 'x'"},
    {RESET, "Date.now = () => 0", "Date.now() === 0"},
    {RESET, "Math.random = () => 4", "Math.random() === 4"},
    {RESET, "Math.max = null; Math.user = 1", "Math.max === null || 'user' in Math"},
    {RESET, "JSON.parse = () => 'x'", "JSON.parse('1') === 'x'"},
    {RESET, "JSON.stringify = () => 'x'", "JSON.stringify(1) === 'x'"},
    {RESET, "Array.prototype.push = function () { return -1 }", "[].push(1) === -1"},
    {RESET, "Array.prototype.map = null", "Array.prototype.map === null"},
    {RESET, "delete Array.prototype.map", "!('map' in Array.prototype)"},
    {RESET, "Array.from = () => 'x'", "Array.from([]) === 'x'"},
    {RESET, "Array.isArray = () => false", "!Array.isArray([])"},
    {RESET, "Object.keys = () => ['x']; globalThis.y = 1",
     "Object.keys({})[0] === 'x' || " HAS("y")},
    {RESET, "Object.assign = null", "Object.assign === null"},
    {RESET, "Object.prototype.toString = () => 'x'", "String({}) === 'x'"},
    {RESET, "Object.prototype.hasOwnProperty = () => true", "({}).hasOwnProperty('q')"},
    {RESET, "Function.prototype.call = null", "Function.prototype.call === null"},
    {RESET, "Function.prototype.bind = () => 1", "(() => 1).bind() === 1"},
    {RESET, "Promise.prototype.then = null", "Promise.prototype.then === null"},
    {RESET, "Promise.all = null", "Promise.all === null"},
    {RESET, "Map.prototype.get = () => 'x'", "new Map().get(1) === 'x'"},
    {RESET, "Map.prototype.has = () => true; globalThis.z = 1", "new Map().has(1) || " HAS("z")},
    {RESET, "Set.prototype.has = () => true", "new Set().has(1)"},
    {RESET, "WeakMap.prototype.get = () => 'x'", "new WeakMap().get({}) === 'x'"},
    {RESET, "String.prototype.trim = () => 'x'", "''.trim() === 'x'"},
    {RESET, "RegExp.prototype.exec = () => null", "/a/.exec('a') === null"},
    {RESET, "RegExp.prototype.test = () => 'x'", "/a/.test('') === 'x'"},
    {RESET, "Error.stackTraceLimit = 0", "Error.stackTraceLimit === 0"},
    {RESET, "TypeError.stackTraceLimit = 1",
     "Object.getOwnPropertyNames(TypeError).includes('stackTraceLimit')"},
    {RESET, "Error.prepareStackTrace = () => 'x'", "Error.prepareStackTrace !== undefined"},
    {RESET, "Reflect.ownKeys = () => []", "Reflect.ownKeys({a: 1}).length === 0"},
    {RESET, "Intl.DateTimeFormat = null", "Intl.DateTimeFormat === null"},
    {RESET, "console.log = () => {}; console.user = 1", "console.user === 1"},
    {RESET, "console.error = null", "console.error === null"},
    {RESET, "crypto.randomUUID = () => 'x'", "crypto.randomUUID() === 'x'"},
    {RESET, "performance.now = () => 'x'", "performance.now() === 'x'"},
    {RESET, "Headers.prototype.get = () => 'x'", "new Headers().get('a') === 'x'"},
    {RESET, "Request.prototype.user = 1", "request.user === 1"},
    {RESET, "URL.prototype.user = 1", "new URL('http://a').user === 1"},
    {RESET, "Event.prototype.user = 1", "new Event('x').user === 1"},
    {RESET, "ssr.user = 1; ssr.serialize = null", "ssr.user === 1 || ssr.serialize === null"},
    {RESET, "Uint8Array.prototype.user = 1", "new Uint8Array().user === 1"},
    {RESET, "Object.getPrototypeOf(Uint8Array.prototype).set = null",
     "new Uint8Array().set === null"},
    {RESET, "Object.getPrototypeOf([][Symbol.iterator]()).next = () => ({done: true})",
     "[...'a', ...[1]].length !== 2"},
    {SHAPE, "Object.defineProperty(Math, 'max', {writable: false})",
     "!Object.getOwnPropertyDescriptor(Math, 'max').writable"},
    {SHAPE, "Object.defineProperty(JSON, 'own', {get: () => 1, configurable: true})",
     "JSON.own === 1"},
    {SHAPE, "Object.defineProperty(Object.prototype, 'hidden', {value: 1, configurable: true})",
     "({}).hidden === 1"},
    {SHAPE, "Array.prototype[Symbol.for('user')] = 1", "[][Symbol.for('user')] === 1"},
    {SHAPE, "Object.defineProperty(Request.prototype, 'url', {value: 'a', configurable: true})",
     "request.url === 'a'"},
    {SHAPE, "Object.defineProperty(ssr, 'nonce', {value: 'a', configurable: true})",
     "ssr.nonce === 'a'"},
    {RESET, "Iterator = class {}", "Iterator.prototype.map === undefined"},
    {RESET, "Object.defineProperty(globalThis, 'lazily', {value: 'a', configurable: true})",
     "lazily === 'a'"},
    {RESET, "Array.prototype.toSorted = () => 'x'", "[].toSorted() === 'x'"},
    {RESET, "Array.prototype.toSorted = () => 'x'; [].toReversed()", "[].toSorted() === 'x'"},
    {RESET, "[].toSorted(); Array.prototype.toSorted = () => 'x'", "[].toSorted() === 'x'"},
    {RESET, "[].toSorted(); delete Array.prototype.toSorted", "!('toSorted' in [])"},
    {CARRIED, "Array.prototype[Symbol.iterator].user = 1", "[][Symbol.iterator].user === 1"},
    {CARRIED, "Float64Array.prototype.user = 1", "new Float64Array().user === 1"},
    {CARRIED, "Object.freeze(Set.prototype)", "Object.isFrozen(Set.prototype)"},
    {SHAPE, "Object.setPrototypeOf(Set.prototype, null)",
     "Object.getPrototypeOf(Set.prototype) === null"},
    /* what the engine keeps */
    {RESET, "/(sec)(ret)/.test('secret')",
     "RegExp.$1 === 'sec' || RegExp.lastMatch === 'secret' || RegExp.input === 'secret'"},
    {RESET, "performance.mark('user', {detail: url})", "performance.getEntries().length > 0"},
    {STOPPED, "setTimeout(() => { globalThis.late = 1 }, 0)", HAS("late")},
    {STOPPED, "setInterval(() => { globalThis.late = 1 }, 0)", HAS("late")},
    {STOPPED, "setImmediate(() => { globalThis.late = 1 })", HAS("late")},
    {STOPPED,
     "const c = new MessageChannel(); c.port1.onmessage = () => globalThis.late = 1; "
     "c.port2.postMessage(1)",
     HAS("late")},
    {STOPPED, "storage.enterWith('a')", "storage.getStore() === 'a'"},
    {STOPPED, "Symbol.for('user')", "Symbol('user') === Symbol.for('user')"},
    {STOPPED, "structuredClone(data).user = 1", "data.user === 1"},
    {STOPPED, "request.signal.user = 1; request.user = 1",
     "request.user === 1 || request.signal.user === 1"},
    /* the bundle's own */
    {CARRIED, "n = 1", "n === 1"},
    {CARRIED, "kept.push(url)", "kept.length > 0"},
    {CARRIED, "cache.set(renderPage, url)", "cache.has(renderPage)"},
    {CARRIED, "counted()", "counted() > 1"},
    {CARRIED, "held.inside = 1", "held.inside === 1"},
    {CARRIED, "Own.count = 1", "Own.count === 1"},
    {CARRIED, "sticky.test('aa')", "sticky.lastIndex > 0"},
    {CARRIED, "renderPage.user = 1", "renderPage.user === 1"},
    {CARRIED, "tag`x`.user = 1; seen.add(tag`x`)", "seen.size > 0"},
};

#define BUNDLE                                                                                     \
    "let n = 0; const kept = [], cache = new WeakMap(), sticky = /a/g, seen = new Set();"          \
    "const storage = new AsyncLocalStorage(), tag = (t) => Array.from(t);"                         \
    "const counted = (() => { let k = 0; return () => ++k })(); class Own { static count = 0 }"    \
    "globalThis.own = 1; globalThis.held = {}; globalThis.fetchIt = () => 'original';"             \
    "Object.defineProperty(globalThis, 'lazily', {get: () => 1, configurable: true});"             \
    "globalThis.renderPage = (url, data, request) => { if (data.bad) { %s; return 'left' }"        \
    "  return (%s) ? 'leaked' : 'clean' };"

static const char *next_finds(const struct way *way, enum js_isolation isolation, char *leftovers)
{
    static char found[16];
    struct bench *b;
    void *state = NULL;
    char source[2048];

    fixture_isolation = isolation;
    assert_int_equal(setup(&state), 0);
    b = state;
    (void)snprintf(source, sizeof source, BUNDLE, way->leave, way->probe);
    load(b, source);
    render(b);
    if (strcmp(b->body, "clean") != 0)
        fail_msg("%s: not clean to begin with: %s%s", way->probe, b->body, b->error);
    render_bad(b);
    if (strcmp(b->body, "left") != 0)
        fail_msg("%s: %s", way->leave, b->error);
    (void)snprintf(leftovers, 128, "%s", js_leftovers(b->js));
    render(b);
    (void)snprintf(found, sizeof found, "%s", b->outcome == JS_OK ? b->body : "leaked");
    (void)teardown(&state);
    return found;
}

static void each_level_stops_what_its_row_says(void **state)
{
    char leftovers[128];

    for (size_t i = 0; i < array_len(ways); i++) {
        const struct way *w = &ways[i];
        const char *found = next_finds(w, JS_SHARED, leftovers);

        if (strcmp(found, w->reach == STOPPED ? "clean" : "leaked") != 0)
            fail_msg("shared: %s: %s", w->leave, found);
        assert_string_equal(leftovers, "");
        found = next_finds(w, JS_RESET, leftovers);
        if (strcmp(found, w->reach == CARRIED ? "leaked" : "clean") != 0)
            fail_msg("reset: %s: %s (put back: %s)", w->leave, found, leftovers);
        fixture_blind = true;
        found = next_finds(w, JS_RESET, leftovers);
        fixture_blind = false;
        if (strcmp(found, w->reach >= SHAPE ? "leaked" : "clean") != 0)
            fail_msg("reset, by counting: %s: %s (put back: %s)", w->leave, found, leftovers);
        found = next_finds(w, JS_CONTEXT, leftovers);
        if (strcmp(found, "clean") != 0)
            fail_msg("context: %s: %s", w->leave, found);
    }
}

/* What a render does each time must not cost the intrinsics' check each time, nor be missed. */
static void globals_that_come_again_are_removed_again(void **state)
{
    struct bench *b;

    fixture_isolation = JS_RESET;
    assert_int_equal(setup(state), 0);
    b = *state;
    load(b, "globalThis.renderPage = () => { const was = globalThis.user + globalThis[5];"
            "globalThis.user = 1; globalThis[5] = 1; Array.prototype.last = 1; return '' + was + "
            "[].first }");
    for (int i = 0; i < 300; i++) { /* a number too: its elements stay allocated */
        if (i == 100 || i == 200)
            js_collect(b->js);
        render(b);
        assert_string_equal(b->body, "NaNundefined");
        assert_string_equal(js_leftovers(b->js), "5 user Array.prototype.last ");
    }
    (void)teardown(state);
}

static void what_was_put_back_is_named(void **state)
{
    const struct way way = {RESET, "globalThis.user = 1; delete globalThis.Map; Math.max = null",
                            "false"};
    char leftovers[128];

    (void)next_finds(&way, JS_RESET, leftovers);
    assert_string_equal(leftovers, "user Map Math.max ");
}

/* core-js' `detached` is an accessor, as ours is that loads it: put back, ours called itself for ever. */
static void what_has_loaded_late_stays_loaded(void **state)
{
    struct bench *b;

    fixture_isolation = JS_RESET;
    assert_int_equal(setup(state), 0);
    b = *state;
    load(b, "globalThis.renderPage = (url, data) => {"
            "  if (data.bad) { ArrayBuffer.prototype.x = 1; return [2, 1].toSorted().join(); }"
            "  return String(new ArrayBuffer(1).detached) + ArrayBuffer.prototype.x }");
    render_bad(b);
    assert_string_equal(b->body, "1,2");
    for (int i = 0; i < 2; i++) {
        render(b);
        assert_string_equal(b->body, "falseundefined");
    }
    (void)teardown(state);
}

/* Groups that a render has opened would indent the log for good, and its counts go on in the next one's. */
static void the_console_begins_anew(void **state)
{
    struct bench *b;

    fixture_isolation = JS_RESET;
    assert_int_equal(setup(state), 0);
    b = *state;
    load(b, "globalThis.renderPage = () => { console.count('n'); console.group('g'); return '' }");
    render(b);
    render(b);
    assert_string_equal(b->console, "2 n: 1\n1 g\n2 n: 1\n1 g\n");
    (void)teardown(state);
}

static void with_several_open_it_waits_for_the_last(void **state)
{
    struct bench *b;

    fixture_isolation = JS_RESET;
    assert_int_equal(setup(state), 0);
    b = *state;
    load(b, "globalThis.renderPage = async (url, data) => { globalThis.n = (globalThis.n || 0) + 1;"
            "await new Promise((go) => setTimeout(go, 5)); return '' + globalThis.n }");
    (void)start(b, "");
    (void)start(b, "");
    while (js_pending(b->js) > 0)
        js_run_timers(b->js, js_next_timer_ms(b->js));
    assert_string_equal(b->body, "2");
    assert_string_equal(js_leftovers(b->js), "n ");
    render(b);
    assert_string_equal(b->body, "1");
    (void)teardown(state);
}

static void a_realm_that_fights_back_is_told_of(void **state)
{
    struct bench *b;

    fixture_isolation = JS_RESET;
    assert_int_equal(setup(state), 0);
    b = *state;
    load(b, "globalThis.renderPage = () => { Object.defineProperty(Math, 'max', {value: 1, "
            "configurable: false, writable: false});"
            "return 'page' }");
    render(b);
    assert_string_equal(b->body, "page");
    render(b);
    assert_string_equal(b->console,
                        "3 isolation: a render has fixed \"max\" for good: the next ones see it\n");
    (void)teardown(state);
}

static void library_functions_that_a_render_asked_for_stay(void **state)
{
    struct bench *b;

    fixture_isolation = JS_RESET;
    assert_int_equal(setup(state), 0);
    b = *state;
    load(b, "globalThis.renderPage = () => { globalThis.user = 1;"
            "return [new ArrayBuffer(1).detached, [2, 1].toSorted(), typeof Iterator].join(' ') }");
    for (int i = 0; i < 3; i++) {
        render(b);
        assert_string_equal(b->body, "false 1,2 function");
        assert_string_equal(js_leftovers(b->js), "user ");
    }
    (void)teardown(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_level_stops_what_its_row_says),
        cmocka_unit_test(globals_that_come_again_are_removed_again),
        cmocka_unit_test(what_was_put_back_is_named),
        cmocka_unit_test(what_has_loaded_late_stays_loaded),
        cmocka_unit_test(the_console_begins_anew),
        cmocka_unit_test(with_several_open_it_waits_for_the_last),
        cmocka_unit_test(a_realm_that_fights_back_is_told_of),
        cmocka_unit_test(library_functions_that_a_render_asked_for_stay),
    };

    assert_true(array_len(ways) >= 100);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
