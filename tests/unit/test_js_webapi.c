/* SPDX-License-Identifier: MIT */
/*
 * test_js_webapi.c - web standards beside Fetch: URL, encodings, crypto, compression, structuredClone, performance,
 * URLPattern, WebAssembly. What web-platform-tests cover is looked at in one case a feature; vectors of
 * crypto are those of the RFCs named.
 */
#include "worker/js.h"

#include "tests/unit/js_fixture.h"

#define HEX                                                                                        \
    "const hex = (b) => [...new Uint8Array(b)].map((x) => x.toString(16).padStart(2, "             \
    "'0')).join('');"
#define UTF8 "const utf8 = (s) => new TextEncoder().encode(s);"

static void urls_and_their_parameters_follow_each_other(void **state)
{
    struct bench *b = *state;

    expect_page(
        b,
        "const u = new URL('../x?a=1&b=%20+#h', 'https://u:p@Ex\\u00e4mple.org:8443/a/b/c');"
        "const params = u.searchParams; params.append('c', '\\u20ac &'); params.delete('a');"
        "const first = u.href; u.search = '?z=1'; const z = params.get('z');"
        "u.port = ''; u.hash = ''; u.pathname = '/p q';"
        "return [first, z, u.href, u.origin, u.host, u.username, u.password, URL.canParse('x'),"
        "  URL.parse('x'), new URL('blob:https://h/x').origin, new URL('data:,x').origin].join(' "
        "')",
        "https://u:p@xn--exmple-cua.org:8443/a/x?b=++&c=%E2%82%AC+%26#h 1 "
        "https://u:p@xn--exmple-cua.org/p%20q?z=1 https://xn--exmple-cua.org xn--exmple-cua.org u "
        "p false "
        " https://h null");
    expect_page(b,
                "let seen; try { new URL('/x') } catch (error) { seen = error.name + error.code + "
                "error.input }"
                "const p = new URLSearchParams({b: 1, a: '2'}); p.sort();"
                "return [seen, p, p.size, new URLSearchParams([['x', 'y']]), [...new "
                "URLSearchParams('?q=a%2').values()],"
                "  'https://h/' + new URL('HTTP://H')].join(' ')",
                "TypeErrorERR_INVALID_URL/x a=2&b=1 2 x=y a%2 https://h/http://h/");
}

/* A run of blanks within a text that a visitor has sent is looked at once: were its square the time
 * that this takes, it would not end. */
static void blanks_at_the_ends_are_taken_away_in_one_go(void **state)
{
    expect_page(*state,
                "const run = ' '.repeat(1 << 20), text = '\\t a' + run + '\\tb \\r\\n'; let seen;"
                "try { new TextDecoder(text) } catch (error) { seen = error.name }"
                "return [new Headers({a: text}).get('a').length - run.length, seen,"
                "  (await (await fetch('data:' + run + 'a' + run + '/b,c')).text()),"
                "  (await new Response('', {headers: {'content-type': 'a/b;c=d' + run + 'e;f= g '"
                "}}).blob()).type.length - run.length].join()",
                "3,RangeError,c,17");
}

static void a_path_to_redirect_to_keeps_what_is_escaped(void **state)
{
    expect_page(*state,
                "return ['/login?next=%2Fa%3Fb%3D1', '/\\u00e4 b?x=%E4', '?q=100%'].map((to) => "
                "Response.redirect(to).headers.get('location')).join(' ')",
                "/login?next=%2Fa%3Fb%3D1 /%C3%A4%20b?x=%E4 ?q=100%");
}

static void other_encodings_are_decoded(void **state)
{
    struct bench *b = *state;

    expect_page(
        b,
        "const of = (label, ...bytes) => new TextDecoder(label).decode(new Uint8Array(bytes));"
        "const d = new TextDecoder('utf-16le'); let s = '';"
        "for (const byte of [0xff, 0xfe, 0x3d, 0xd8, 0x00, 0xde, 0x41]) s += d.decode(new "
        "Uint8Array([byte]), "
        "{stream: true}); s += d.decode();"
        "return [of('latin1', 0xe9, 0x80), of('utf-16be', 0x20, 0xac), s, of('shift_jis', 0x82, "
        "0xa0),"
        "  of('ISO-8859-16', 0xa4), of(' GBK ', 0xc4, 0xe3), new "
        "TextDecoder('ascii').encoding].join()",
        "\xc3\xa9\xe2\x82\xac,\xe2\x82\xac,\xf0\x9f\x98\x80\xef\xbf\xbd,\xe3\x81\x82,\xe2\x82\xac,"
        "\xe4\xbd\xa0,"
        "windows-1252");
    expect_error(b, "new TextDecoder('utf-16le', {fatal: true}).decode(new Uint8Array([1]))",
                 "not valid for encoding utf-16le");
    expect_page(b,
                "const stream = new Response(new Uint8Array([0xe2, 0x82, 0xac])).body;"
                "let s = ''; for await (const text of stream.pipeThrough(new TextDecoderStream())"
                "  .pipeThrough(new TextEncoderStream()).pipeThrough(new TextDecoderStream())) s "
                "+= text; return s",
                "\xe2\x82\xac");
}

/* Where ICU's tables are not the standard's; detached buffers hold nothing. */
static void encodings_follow_the_standards_indexes(void **state)
{
    struct bench *b = *state;

    expect_page(
        b,
        "const of = (label, ...bytes) => new TextDecoder(label).decode(new Uint8Array(bytes));"
        "return [of('windows-874', 0xa1, 0xdb, 0xff), of('windows-1253', 0xaa, 0xe1), "
        "of('windows-1255', 0xca, 0x61), of('shift_jis', 0xff, 0x41)].join()",
        "\xe0\xb8\x81\xef\xbf\xbd\xef\xbf\xbd,\xef\xbf\xbd\xce\xb1,\xd6\xba"
        "a,\xef\xbf\xbd"
        "A");
    expect_error(b, "new TextDecoder('windows-1253', {fatal: true}).decode(new Uint8Array([0xaa]))",
                 "not valid for encoding windows-1253");
    expect_page(b,
                "const gone = new Uint8Array([65]), view = new DataView(new ArrayBuffer(2));"
                "structuredClone(0, {transfer: [gone.buffer, view.buffer]});"
                "const d = new TextDecoder();"
                "return [d.decode(gone), d.decode(gone.buffer), d.decode(view)].join('|')",
                "||");
}

/* Web IDL: too few arguments, enumerations, dictionaries and [EnforceRange] are judged before anything is done. */
static void wrong_arguments_are_refused(void **state)
{
    struct bench *b = *state;

    expect_page(
        b,
        "const name = (f) => { try { f(); return 'nothing' } catch (error) { return error.name } };"
        "const later = async (f) => { try { await f(); return 'nothing' } catch (error) { return "
        "error.name } };"
        "const s = crypto.subtle, key = new Uint8Array(16);"
        "return [name(() => atob()), name(() => btoa()), name(() => AbortSignal.timeout(-1)), "
        "name(() => AbortSignal.timeout('x')), name(() => AbortSignal.any([1])), name(() => new "
        "Event('x', 1)), name(() => new Event(Symbol('x'))), name(() => new "
        "EventTarget().addEventListener('x')), name(() => crypto.getRandomValues()), name(() => "
        "new MessageChannel().port1.postMessage()), name(() => process.nextTick()), await "
        "later(() => s.importKey('nope', key, 'AES-GCM', false, ['encrypt'])), name(() => new "
        "Request('http://h', {method: 'POST', body: new ReadableStream()}))].join()",
        "TypeError,TypeError,TypeError,TypeError,TypeError,TypeError,TypeError,TypeError,TypeError,"
        "TypeError,TypeError,TypeError,TypeError");
    expect_page(
        b,
        "const d = Object.getOwnPropertyDescriptor(Event, 'AT_TARGET');"
        "return [d.value, d.writable, d.configurable, Event.prototype.BUBBLING_PHASE, "
        "AbortSignal.length, CryptoKey.length, setTimeout.length, reportError.name, "
        "Object.getPrototypeOf(Object.getPrototypeOf(new ReadableStream().values())) === "
        "Object.getPrototypeOf(Object.getPrototypeOf(async function* () {}).prototype)].join()",
        "2,false,false,3,0,0,1,reportError,true");
}

/* Fetch Standard, section 6, and 2.9 */
static void data_urls_are_fetched_without_a_network(void **state)
{
    struct bench *b = *state;

    expect_page(
        b,
        "const got = async (url) => { const r = await fetch(url); return [r.status, "
        "r.headers.get('content-type'), await r.text()].join('|') };"
        "return [await got('data:,h%C3%A9%zz'), await got('data:;charset=x,a#b'), await "
        "got('data:Text/HTML ;Q=\"a;b\";Base64 ,YWI='), await "
        "got('data:text/plain;base64;base64,YQ%3D%3D'), await got('data:nope,x'), (await new "
        "Response('x', {headers: {'content-type': 'A/B; c=D'}}).blob()).type].join(' ')",
        "200|text/plain;charset=US-ASCII|h\xc3\xa9%zz 200|text/plain;charset=x|a "
        "200|text/html;q=\"a;b\"|ab 200|text/plain|a 200|text/plain;charset=US-ASCII|x a/b;c=d");
    expect_page(
        b,
        "const why = async (url) => { try { await fetch(url) } catch (error) { return error.name "
        "+ ' ' + error.message } };"
        "return [await why('data:text'), await why('data:;base64,*'), await "
        "why('http://127.0.0.1:6000/'), await why('http://127.0.0.1.1/'), await "
        "why('http://a\\x1f/')].join(', ')",
        "TypeError fetch failed: not a data: URL that can be read, TypeError fetch failed: not a "
        "data: URL that can be read, TypeError fetch failed: bad port 6000: the Fetch Standard "
        "forbids it, TypeError fetch failed: the host is no name and no address: 127.0.0.1.1, "
        "TypeError fetch failed: the host is no name and no address: a%1F");
    expect_page(b,
                "const m = await "
                "WebAssembly.compileStreaming(fetch('data:application/wasm;base64,AGFzbQEAAAA='));"
                "return m.constructor.name",
                "Module");
}

/* FIPS 180-4 "abc"; RFC 4231, test case 2; RFC 6070 and its like for SHA-256; SP 800-38D, test case 4 shortened. */
static void crypto_gives_the_known_answers(void **state)
{
    struct bench *b = *state;

    expect_page(b,
                HEX UTF8 "const s = crypto.subtle;"
                         "return hex(await s.digest('SHA-1', utf8('abc'))) + ' ' + hex(await "
                         "s.digest({name: 'sha-256'}, utf8('abc')))",
                "a9993e364706816aba3e25717850c26c9cd0d89d "
                "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    expect_page(
        b,
        HEX UTF8
        "const s = crypto.subtle;"
        "const key = await s.importKey('raw', utf8('Jefe'), {name: 'HMAC', hash: 'SHA-256'}, true, "
        "['sign', 'verify']);"
        "const mac = await s.sign('HMAC', key, utf8('what do ya want for nothing?'));"
        "const bad = new Uint8Array(mac.slice(0)); bad[0] ^= 1;"
        "const jwk = await s.exportKey('jwk', key);"
        "return [hex(mac), await s.verify('HMAC', key, mac, utf8('what do ya want for nothing?')),"
        "  await s.verify('HMAC', key, bad, utf8('what do ya want for nothing?')), jwk.k, "
        "jwk.alg].join(' ')",
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843 true false SmVmZQ HS256");
    expect_page(
        b,
        HEX UTF8
        "const s = crypto.subtle;"
        "const key = await s.importKey('raw', utf8('password'), 'PBKDF2', false, ['deriveBits', "
        "'deriveKey']);"
        "const of = (hash, iterations) => ({name: 'PBKDF2', hash, salt: utf8('salt'), iterations});"
        "const aes = await s.deriveKey(of('SHA-1', 2), key, {name: 'AES-GCM', length: 256}, true, "
        "['encrypt']);"
        "return hex(await s.deriveBits(of('SHA-1', 2), key, 160)) + ' ' + hex(await "
        "s.deriveBits(of('SHA-256', 1), "
        "key, 256)) + ' ' + (await s.exportKey('raw', aes)).byteLength",
        "ea6c014dc72d6f8ccd1ed92ace1d41f0d8de8957 "
        "120fb6cffcf8b32c43e7225256c4f837a86548c92ccc35480805987cb70be17b 32");
    expect_page(
        b,
        HEX "const un = (h) => Uint8Array.from(h.match(/../g), (x) => parseInt(x, 16)); const s = "
            "crypto.subtle;"
            "const key = await s.importKey('raw', un('feffe9928665731c6d6a8f9467308308'), "
            "'AES-GCM', false, "
            "['encrypt', 'decrypt']);"
            "const how = {name: 'AES-GCM', iv: un('cafebabefacedbaddecaf888'), additionalData: "
            "un('feedfacedeadbeeffeedfacedeadbeefabaddad2')};"
            "const plain = "
            "un('"
            "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e"
            "2449a6b5"
            "25b16aedf5aa0de657ba637b39');"
            "const sealed = await s.encrypt(how, key, plain); const torn = new "
            "Uint8Array(sealed.slice(0)); torn[3] ^= 1;"
            "return [hex(sealed).slice(-32), hex(await s.decrypt(how, key, sealed)) === hex(plain),"
            "  await s.decrypt(how, key, torn).catch((error) => error.name),"
            "  await s.exportKey('raw', key).catch((error) => error.name),"
            "  await s.sign('HMAC', key, plain).catch((error) => error.name)].join(' ')",
        "5bc94fbc3221a5db94fae95ae7121a47 true OperationError InvalidAccessError "
        "InvalidAccessError");
}

static void compression_goes_both_ways(void **state)
{
    struct bench *b = *state;
    static const char both[] =
        "const text = 'abc'.repeat(50000); const sizes = [];"
        "for (const format of ['gzip', 'deflate', 'deflate-raw']) {"
        "  const small = await new Response(new Response(text).body.pipeThrough(new "
        "CompressionStream(format))).bytes();"
        "  const back = new Response(small).body.pipeThrough(new DecompressionStream(format));"
        "  sizes.push(small.length < 1000, await new Response(back).text() === text);"
        "  for (const bad of [small.slice(0, -1), new Uint8Array([...small, 0]), new "
        "Uint8Array([1, 2, 3])])"
        "    sizes.push(await new Response(new Response(bad).body.pipeThrough(new "
        "DecompressionStream(format))).text()"
        "      .then(() => 'taken', (error) => error.name));"
        "} return sizes.join()";

    expect_page(b, both,
                "true,true,TypeError,TypeError,TypeError,true,true,TypeError,TypeError,TypeError,"
                "true,true,TypeError,TypeError,TypeError");
    expect_error(b, "new CompressionStream('br')", "can't be \"br\"");
}

static void transferred_buffers_move(void **state)
{
    struct bench *b = *state;

    expect_page(
        b,
        "const view = new Uint8Array([1, 2, 3]);"
        "const copy = structuredClone({view}, {transfer: [view.buffer]});"
        "let twice; try { structuredClone(view, {transfer: [copy.view.buffer, copy.view.buffer]}) }"
        "catch (error) { twice = error.name }"
        "let gone; try { structuredClone(1, {transfer: [view.buffer]}) } catch (error) { gone = "
        "error.name }"
        "const {port1, port2} = new MessageChannel();"
        "const got = new Promise((go) => { port2.onmessage = (e) => go(e) });"
        "port1.postMessage(copy, [copy.view.buffer]); const event = await got;"
        "return [view.length, event.data.view.join(''), copy.view.length, twice, gone,"
        "  structuredClone(new Map([[1, new Date(0)]])).get(1).getTime(), "
        "event.ports.length].join()",
        "0,123,0,DataCloneError,DataCloneError,0,0");
}

static void marks_and_measures_are_kept(void **state)
{
    struct bench *b = *state;

    expect_page(b,
                "performance.mark('a', {startTime: 1, detail: {x: 1}}); performance.mark('b', "
                "{startTime: 4});"
                "const m = performance.measure('m', 'a', 'b');"
                "const n = performance.measure('n', {start: 2, duration: 3});"
                "const names = performance.getEntries().map((e) => e.name + e.entryType);"
                "performance.clearMarks(); let no; try { performance.measure('x', 'a') } catch "
                "(error) { no = error.name }"
                "return [m.startTime, m.duration, n.duration, names, no, "
                "performance.getEntriesByType('measure').length,"
                "  performance instanceof EventTarget].join()",
                "1,3,3,amark,mmeasure,nmeasure,bmark,SyntaxError,2,true");
}

static void patterns_match_urls(void **state)
{
    struct bench *b = *state;

    expect_page(
        b,
        "const p = new URLPattern({pathname: '/blog/:slug'});"
        "return [p.test('https://h/blog/x'), p.exec('https://h/blog/y').pathname.groups.slug,"
        "  p.test('https://h/')].join()",
        "true,y,false");
}

static void webassembly_compiles_a_response(void **state)
{
    struct bench *b = *state;

    expect_page(b,
                "const code = new Uint8Array([0,97,115,109,1,0,0,0, 1,5,1,96,0,1,127, 3,2,1,0, "
                "7,5,1,1,102,0,0,"
                "  10,6,1,4,0,65,42,11]);"
                "const make = (type) => new Response(code, {headers: {'content-type': type}});"
                "const { instance } = await "
                "WebAssembly.instantiateStreaming(Promise.resolve(make('application/wasm')));"
                "const module = await WebAssembly.compileStreaming(make('application/wasm'));"
                "return [instance.exports.f(), module instanceof WebAssembly.Module,"
                "  await WebAssembly.compileStreaming(make('text/plain')).catch((error) => "
                "error.name)].join()",
                "42,true,TypeError");
}

static void caches_are_there_and_keep_nothing(void **state)
{
    struct bench *b = *state;

    expect_page(
        b,
        "const cache = await caches.open('x'); const page = new Response('y');"
        "await cache.put('https://h/', page.clone()); let no; try { new Cache() } catch (error) { "
        "no = error.name }"
        "return [await cache.match('https://h/'), await caches.match('https://h/'), await "
        "caches.default.delete('x'),"
        "  (await caches.keys()).length, cache instanceof Cache, await page.text(), no].join()",
        ",,false,0,true,y,TypeError");
}

/* Angular's server sets Event and all of DOM's names to its own. */
static void bundles_may_replace_what_the_standards_use(void **state)
{
    struct bench *b = *state;

    expect_page(
        b,
        "const { AbortController, Response, Request, EventTarget, atob, process, crypto, "
        "performance } = "
        "globalThis;"
        "for (const name of ['Event', 'EventTarget', 'CustomEvent', 'DOMException', 'URL', "
        "'URLSearchParams', 'Headers', 'Request', 'Response', 'TextEncoder', 'TextDecoder', "
        "'AbortSignal', 'AbortController', 'Blob', 'File', 'FormData', 'ReadableStream', "
        "'TransformStream', 'Buffer', 'queueMicrotask', 'setTimeout', 'setImmediate', 'atob', "
        "'btoa', 'process', 'crypto', 'performance'])"
        "  globalThis[name] = function () { throw new Error('not ours: ' + name) };"
        "const failure = async (f) => { try { await f(); return 'none' } catch (e) { return e.name "
        "} };"
        "const controller = new AbortController(); let heard = 0;"
        "controller.signal.addEventListener('abort', () => heard++); controller.abort();"
        "const form = await new Response('a=1&b=2', {headers: {'content-type': "
        "'application/x-www-form-urlencoded'}}).formData();"
        "form.append('file', await new Response('xyz').blob());"
        "const parts = await new Response(form).formData();"
        "const packed = new Response('packed').body.pipeThrough(new CompressionStream('gzip'));"
        "const target = new EventTarget();"
        "return [heard, controller.signal.reason.name, form.get('b'), parts.get('file').size,"
        "  await new Response(packed.pipeThrough(new DecompressionStream('gzip'))).text(),"
        "  new Request('https://h/', {signal: controller.signal, headers: {a: "
        "'b'}}).headers.get('a'),"
        "  Response.redirect('https://h/').headers.get('location'), "
        "require('url').parse('http://h/a').host,"
        "  await new Promise((go) => process.nextTick(go, 'next')),"
        "  await new Promise((go) => require('crypto').hkdf('sha1', '', '', '', 2, (e, x) => "
        "go(x.byteLength))),"
        "  await require('util').promisify((done) => done(null, 'done'))(),"
        "  await new Promise((go) => require('util').callbackify(async () => 'back')((e, x) => "
        "go(x))),"
        "  await require('timers/promises').setTimeout(1, 'late'),"
        "  await (await fetch('data:,here')).text(),"
        "  await failure(() => atob('*')), await failure(() => structuredClone(() => 1)),"
        "  await failure(() => structuredClone(1, {transfer: [{}]})),"
        "  await failure(() => crypto.getRandomValues(new Float32Array(1))),"
        "  await failure(() => performance.measure('x', 'none')), await failure(() => "
        "crypto.subtle.digest('x', packed))].join()",
        "1,AbortError,2,3,packed,b,https://h/"
        ",h,next,2,done,back,late,here,InvalidCharacterError,DataCloneError,"
        "DataCloneError,TypeMismatchError,SyntaxError,NotSupportedError");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        JS_TEST(urls_and_their_parameters_follow_each_other),
        JS_TEST(blanks_at_the_ends_are_taken_away_in_one_go),
        JS_TEST(a_path_to_redirect_to_keeps_what_is_escaped),
        JS_TEST(other_encodings_are_decoded),
        JS_TEST(encodings_follow_the_standards_indexes),
        JS_TEST(wrong_arguments_are_refused),
        JS_TEST(data_urls_are_fetched_without_a_network),
        JS_TEST(crypto_gives_the_known_answers),
        JS_TEST(compression_goes_both_ways),
        JS_TEST(transferred_buffers_move),
        JS_TEST(marks_and_measures_are_kept),
        JS_TEST(patterns_match_urls),
        JS_TEST(webassembly_compiles_a_response),
        JS_TEST(caches_are_there_and_keep_nothing),
        JS_TEST(bundles_may_replace_what_the_standards_use),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
