/* SPDX-License-Identifier: MIT */
/*
 * test_js_polyfills.c - what the bundle finds around it (worker/js.h, polyfills/): console, timers
 * and the web standards.
 */
#include "worker/js.h"

#include "tests/unit/js_fixture.h"

static void console_writes_values_as_people_read_them(void **state)
{
    struct bench *b = *state;

    page(b, "console.log('a %s %d', 'x', 4, {b: [1, 'two', null], m: new Map([[1, {c: 2}]])});"
            "console.warn(new Set([1]), undefined, 5n, Symbol('s'), class A {}, () => {}, -0);"
            "const self = {}; self.self = self; console.error(self, [,1], 'text');"
            "console.debug('debug'); console.info(new Uint8Array(2)); return ''");
    assert_string_equal(
        b->console, "1 a x 4 { b: [ 1, 'two', null ], m: Map(1) { 1 => { c: 2 } } }\n"
                    "3 Set(1) { 1 } undefined 5n Symbol(s) [class A] [Function (anonymous)] -0\n"
                    "4 { self: [Circular] } [ <1 empty item>, 1 ] text\n"
                    "0 debug\n"
                    "2 Uint8Array(2) [ 0, 0 ]\n");
    b->console[0] = 0;
    page(b, "console.error(new TypeError('shown')); return ''");
    assert_non_null(strstr(b->console, "4 TypeError: shown\n    at "));
    b->console[0] = 0;
    page(b, "Promise.reject(new Error('lost')); return 'x'");
    assert_string_equal(b->body, "x");
    assert_non_null(strstr(b->console, "4 Unhandled rejection Error: lost"));
}

static void timers_run_in_the_order_of_their_deadlines(void **state)
{
    struct bench *b = *state;

    expect_page(
        b,
        /* A pause between two of these lines must not change the order, however long it is. */
        "const seen = []; let far;"
        "await new Promise((done) => {"
        "  setImmediate(() => seen.push('a'));"
        "  far = setTimeout(() => seen.push('far'), 3600000);"
        "  setTimeout(() => seen.push('b'), 1);"
        "  setTimeout((x) => { seen.push(x); queueMicrotask(() => seen.push('micro')) }, 2, 'c');"
        "  setTimeout(() => seen.push('d'), 2);"
        "  clearTimeout(setTimeout(() => seen.push('never'), 1));"
        "  let n = 0; const id = setInterval(() => { seen.push('i' + ++n);"
        "    if (n === 2) { clearInterval(id); done() } }, 3);"
        "});"
        "clearTimeout(far); return seen.join()",
        "a,b,c,micro,d,i1,i2");
    expect_error(b, "setTimeout('text', 1); return ''", "must be a function");
}

static void timers_end_with_their_render(void **state)
{
    struct bench *b = *state;

    load(b, "globalThis.ran = 0; setTimeout(() => ran++, 0);"
            "globalThis.renderPage = () => { setTimeout(() => ran++, 0); return '' + ran }");
    assert_int_equal(js_next_timer_ms(b->js), UINT64_MAX);
    for (int i = 0; i < 3; i++) {
        render(b);
        assert_string_equal(b->body, "0");
        assert_int_equal(js_next_timer_ms(b->js), UINT64_MAX);
        js_run_timers(b->js, UINT64_MAX - 1);
    }
}

static void a_timer_that_throws_is_told_and_the_render_goes_on(void **state)
{
    struct bench *b = *state;

    expect_page(b,
                "setTimeout(() => { throw new Error('in timer') }, 1);"
                "await new Promise((go) => setTimeout(go, 2)); return 'on'",
                "on");
    assert_non_null(strstr(b->console, "4 Uncaught in a timer: Error: in timer"));
}

static void text_encoding_follows_the_standard(void **state)
{
    struct bench *b = *state;

    expect_page(b, "return String(new TextEncoder().encode('a\\u20ac\\ud800'))",
                "97,226,130,172,239,191,189");
    expect_page(b,
                "const to = new Uint8Array(5); return JSON.stringify(new "
                "TextEncoder().encodeInto('ab\\u20ac\\u20ac', to)) + to",
                "{\"read\":3,\"written\":5}97,98,226,130,172");
    expect_page(b,
                "return new TextDecoder().decode(new Uint8Array([0xef, 0xbb, 0xbf, 0x61, 0xff, "
                "0xe2, 0x82]))",
                "a\xef\xbf\xbd\xef\xbf\xbd");
    expect_page(b,
                "const d = new TextDecoder(); let s = '';"
                "for (const byte of [0xf0, 0x9f, 0x98, 0x80, 0x61]) s += d.decode(new "
                "Uint8Array([byte]), {stream: true});"
                "return s + d.decode()",
                "\xf0\x9f\x98\x80"
                "a");
    expect_error(
        b, "return new TextDecoder('utf-8', {fatal: true}).decode(new Uint8Array([0xc0, 0x80]))",
        "not valid for encoding utf-8");
    expect_error(b, "new TextDecoder('utf-9')", "\"utf-9\" encoding is not supported");
}

static void base64_and_crypto_follow_their_standards(void **state)
{
    struct bench *b = *state;

    expect_page(b,
                "return btoa('a') + btoa('ab\\xff') + btoa('') + atob(' YW J\\n') + atob('YQ==')",
                "YQ==YWL/aba");
    expect_error(b, "btoa('\\u20ac')", "InvalidCharacterError");
    expect_error(b, "atob('a')", "InvalidCharacterError");
    expect_error(b, "atob('a=b')", "InvalidCharacterError");
    expect_page(b,
                "const a = crypto.getRandomValues(new Uint32Array(8));"
                "return (new Set(a).size > 6) + ' ' + "
                "/^[\\da-f]{8}-[\\da-f]{4}-4[\\da-f]{3}-[89ab][\\da-f]{3}-[\\da-f]{12}$/"
                ".test(crypto.randomUUID())",
                "true true");
    expect_error(b, "crypto.getRandomValues(new Uint8Array(65537))", "QuotaExceededError");
    expect_error(b, "crypto.getRandomValues(new Float64Array(1))", "TypeMismatchError");
}

static void random_numbers_are_even_and_in_range(void **state)
{
    expect_page(*state,
                "let sum = 0, all = new Set(), bad = 0;"
                "for (let i = 0; i < 1e4; i++) { const x = Math.random(); sum += x; all.add(x); if "
                "(!(x >= 0 && x < 1)) bad++ }"
                "return [Math.abs(sum / 1e4 - 0.5) < 0.05, all.size, bad, Math.random.name].join()",
                "true,10000,0,random");
}

static void events_and_aborts_follow_the_dom_standard(void **state)
{
    struct bench *b = *state;

    expect_page(
        b,
        "const t = new EventTarget(), seen = [];"
        "t.addEventListener('x', (e) => seen.push(e.type + e.isTrusted + (e.target === t)), {once: "
        "true});"
        "t.addEventListener('x', {handleEvent() { seen.push('object') }});"
        "t.dispatchEvent(new Event('x')); t.dispatchEvent(new CustomEvent('x', {detail: 1}));"
        "return seen.join()",
        "xfalsetrue,object,object");
    expect_page(b,
                "const c = new AbortController(); let n = 0; c.signal.onabort = () => n++;"
                "c.signal.addEventListener('abort', () => n++); c.abort(); c.abort();"
                "try { c.signal.throwIfAborted() } catch (e) { return n + e.name }",
                "2AbortError");
    expect_page(b,
                "const s = AbortSignal.timeout(5); await new Promise((go) => s.onabort = go); "
                "return s.reason.name",
                "TimeoutError");
}

/* Of DOM's section 3.2.1, "signal abort": all reasons first, then the events. */
static void a_signal_aborts_those_that_depend_on_it_after_itself(void **state)
{
    expect_page(
        *state,
        "const c = new AbortController(), seen = []; const a = AbortSignal.any([c.signal]);"
        "const b = AbortSignal.any([a, new AbortController().signal, c.signal]);"
        "a.onabort = () => seen.push('a'); b.onabort = () => seen.push('b' + b.reason);"
        "c.signal.onabort = () => seen.push('c' + a.aborted + b.aborted); c.abort(5); c.abort(6);"
        "return seen.concat(AbortSignal.any([new AbortController().signal, b]).reason, "
        "AbortSignal.any([]).aborted).join()",
        "ctruetrue,a,b5,5,false");
}

/* The bundle's own signal, of its end for one, may be given to any() by each render. */
static void a_signal_that_lives_long_gathers_none_that_nobody_hears(void **state)
{
    struct bench *b = *state;
    unsigned gone = 0, heard = 0;

    load(b, "const c = new AbortController(), target = new EventTarget(); let gone = 0, heard = 0;"
            "const registry = new FinalizationRegistry(() => gone++);"
            "globalThis.renderPage = (url, data) => { if (data.bad) c.abort(); else {"
            "  const quiet = AbortSignal.any([c.signal]), loud = AbortSignal.any([c.signal]);"
            "  const listener = () => { };"
            "  target.addEventListener('x', listener, {signal: c.signal});"
            "  target.removeEventListener('x', listener);"
            "  loud.onabort = () => heard++; registry.register(quiet); registry.register(listener);"
            "} return gone + ' ' + heard }");
    for (int i = 0; i < 100; i++)
        render(b);
    for (int i = 0; i < 3; i++)
        js_collect(b->js);
    render_bad(b);
    assert_int_equal(sscanf(b->body, "%u %u", &gone, &heard), 2);
    assert_true(gone >= 190);
    assert_int_equal(heard, 100);
}

static void messages_arrive_as_tasks(void **state)
{
    expect_page(
        *state,
        "const {port1, port2} = new MessageChannel(), seen = [];"
        "await new Promise((go) => { port1.onmessage = (e) => { seen.push(e.data.x); go() };"
        "  port2.postMessage({x: 'task'}); Promise.resolve().then(() => seen.push('micro')); "
        "seen.push('now') });"
        "return seen.join()",
        "now,micro,task");
}

static void clones_are_deep_and_functions_refused(void **state)
{
    struct bench *b = *state;

    expect_page(b,
                "const a = {d: new Date(0), m: new Map([[1, new Set([2])]]), u: new Uint8Array([1, "
                "2])}; a.self = a;"
                "const c = structuredClone(a);"
                "return [c !== a, c.self === c, c.d.toISOString(), [...c.m.get(1)], c.u].join()",
                "true,true,1970-01-01T00:00:00.000Z,2,1,2");
    expect_error(b, "structuredClone({f() {}})", "DataCloneError");
}

static void headers_and_requests_follow_fetch(void **state)
{
    struct bench *b = *state;

    expect_page(
        b,
        "const h = new Headers([['B', '2'], ['a', '1'], ['b', ' 3 ']]); h.append('Set-Cookie', "
        "'x=1'); h.append('set-cookie', 'y=2');"
        "return JSON.stringify([...h]) + h.getSetCookie().length",
        "[[\"a\",\"1\"],[\"b\",\"2, 3\"],[\"set-cookie\",\"x=1\"],[\"set-cookie\",\"y=2\"]]2");
    expect_error(b, "new Headers({'a b': ''})", "Invalid header name");
    expect_error(b, "new Headers({a: 'x\\ny'})", "Invalid header value");
    expect_page(
        b,
        "class Own extends Request { get extra() { return this.method + this.url } }"
        "const r = new Own('http://h/', {method: 'post', body: '{\"a\":1}', headers: {x: 'y'}});"
        "return r.extra + (await r.clone().json()).a + r.headers.get('content-type') + r.bodyUsed",
        "POSThttp://h/1text/plain;charset=UTF-8false");
    expect_page(
        b, "return await Response.json({a: 1}).text() + new Response(null, {status: 204}).status",
        "{\"a\":1}204");
    expect_error(b, "new Response('x', {status: 204})", "no body");
}

static void state_serialized_for_a_script_cannot_end_it(void **state)
{
    expect_page(*state,
                "return ssr.serialize({a: '</script><!--&\\u2028'}) + ssr.version + ssr.generation",
                "{\"a\":\"\\u003c/script\\u003e\\u003c!--\\u0026\\u2028\"}1.2.37");
}

static void globals_are_writable_and_the_browsers_absent(void **state)
{
    expect_page(
        *state,
        "const names = ['self', 'navigator', 'console', 'setTimeout', 'Request', 'crypto', "
        "'performance', 'ssr'];"
        "const fixed = names.filter((n) => { const d = Object.getOwnPropertyDescriptor(globalThis, "
        "n);"
        "  return !d || !d.writable || !d.configurable });"
        "const absent = ['window', 'document', 'location', "
        "'history'].filter((n) => n in globalThis);"
        "return [fixed, absent, self === globalThis, performance.now() >= 0, "
        "performance.timeOrigin > 1e12,"
        "  new Function('return 5')(), new Intl.NumberFormat('de').format(1234.5)].join('|')",
        "||true|true|true|5|1.234,5");
}

static void webassembly_compiles_while_the_render_waits(void **state)
{
    expect_page(*state,
                "const bytes = new "
                "Uint8Array([0,97,115,109,1,0,0,0,1,7,1,96,2,127,127,1,127,3,2,1,0,7,7,1,3,97,100,"
                "100,0,0,10,9,1,7,0,32,0,32,1,106,11]);"
                "const {instance} = await WebAssembly.instantiate(bytes); return "
                "String(instance.exports.add(40, 2))",
                "42");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        JS_TEST(console_writes_values_as_people_read_them),
        JS_TEST(timers_run_in_the_order_of_their_deadlines),
        JS_TEST(timers_end_with_their_render),
        JS_TEST(a_timer_that_throws_is_told_and_the_render_goes_on),
        JS_TEST(text_encoding_follows_the_standard),
        JS_TEST(base64_and_crypto_follow_their_standards),
        JS_TEST(random_numbers_are_even_and_in_range),
        JS_TEST(events_and_aborts_follow_the_dom_standard),
        JS_TEST(a_signal_aborts_those_that_depend_on_it_after_itself),
        JS_TEST(a_signal_that_lives_long_gathers_none_that_nobody_hears),
        JS_TEST(messages_arrive_as_tasks),
        JS_TEST(clones_are_deep_and_functions_refused),
        JS_TEST(headers_and_requests_follow_fetch),
        JS_TEST(state_serialized_for_a_script_cannot_end_it),
        JS_TEST(globals_are_writable_and_the_browsers_absent),
        JS_TEST(webassembly_compiles_while_the_render_waits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
