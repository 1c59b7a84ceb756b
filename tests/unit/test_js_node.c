/* SPDX-License-Identifier: MIT */
/*
 * test_js_node.c - what bundles take for granted of Node.js (polyfills/node_*.js, buffer.js, process.js) and of
 * ECMAScript after what V8 has (later.js), and the browser's stand-ins.
 */
#include "worker/js.h"

#include "tests/unit/js_fixture.h"

static void buffer_reads_and_writes_every_encoding(void **state)
{
    struct bench *b = *state;

    expect_page(
        b,
        "const { Buffer: Same } = require('node:buffer');"
        "const x = Buffer.from('h\\u00e9\\u{1f600}');"
        "return [Same === Buffer, x.length, x.toString('base64url'), Buffer.from('aMOp8J-YgA', "
        "'base64url').toString(),"
        "  x.toString('hex', 0, 3), Buffer.from([0xe9]).toString('latin1'), "
        "Buffer.byteLength('\\u20ac'),"
        "  Buffer.isEncoding('base64url'), Buffer.concat([Buffer.from('a'), "
        "Buffer.alloc(2)]).length,"
        "  x instanceof Uint8Array, x.toString('utf8', 1, 3)].join()",
        "true,7,aMOp8J-YgA,h\xc3\xa9\xf0\x9f\x98\x80,68c3a9,\xc3\xa9,3,true,3,true,\xc3\xa9");
}

static void buffer_has_what_packages_call_of_nodes(void **state)
{
    struct bench *b = *state;

    expect_page(
        b,
        "const x = Buffer.from('h\\u00e9llo'); const y = Buffer.alloc(4); y.utf8Write('ab', 1);"
        "return [Buffer.name, Buffer.from('ff0g', 'hex').length, x.utf8Slice(0, 3), "
        "x.latin1Slice(3), y.hexSlice(), Buffer.from('abcdefgh').readBigUint64BE(0), "
        "Buffer.copyBytesFrom(new Uint16Array([1, 2]), 1).join('+'), Buffer.of(97).toString(), "
        "Buffer.from('Y Q=\\n=', 'base64').toString(), Buffer.from('_-8', "
        "'base64').toString('base64url'), "
        "Buffer.from('Y*Q', 'base64').toString(), x.toString('base64', 1, 4), "
        "Buffer.from('').toString('base64')].join()",
        "Buffer,1,h\xc3\xa9,llo,00616200,7017280452245743464,2+0,a,a,_-8,a,w6ls,");
}

/* RFC 5869, test case 1, for hkdf */
static void node_modules_have_what_packages_import(void **state)
{
    struct bench *b = *state;

    expect_page(
        b,
        "const c = require('crypto'), util = require('util'), timers = require('timers/promises');"
        "const key = c.hkdfSync('sha256', Buffer.alloc(22, 11), "
        "Buffer.from('000102030405060708090a0b0c', "
        "'hex'), Buffer.from('f0f1f2f3f4f5f6f7f8f9', 'hex'), 42);"
        "const some = c.randomFillSync(new Uint8Array(8), 4);"
        "const filled = await new Promise((go) => c.randomFill(new Uint32Array(2), (e, x) => "
        "go(x)));"
        "const stopped = await timers.setTimeout(1000, 0, {signal: "
        "AbortSignal.abort(5)}).catch((e) => e);"
        "let ticks = 0; for await (const x of timers.setInterval(1, 2)) if ((ticks += x) === 6) "
        "break;"
        "return [Buffer.from(key).toString('hex').slice(-20), some.subarray(0, 4).join(''), "
        "filled.length, stopped.name, stopped.cause, ticks, util.styleText(['bold', 'red'], "
        "'x') === '\\x1b[1m\\x1b[31mx\\x1b[39m\\x1b[22m', util.isString('') && "
        "!util.isPrimitive({}), util.types.isBigInt64Array(new BigInt64Array(1)), "
        "util.types.isNumberObject(new Number(1)), require('path').toNamespacedPath('/a'), "
        "require('events').getMaxListeners(new (require('events'))()), "
        "typeof require('perf_hooks').PerformanceMark].join()",
        "34007208d5b887185865,0000,2,AbortError,5,6,true,true,true,true,/a,10,function");
    expect_error(b, "require('crypto').sign('x')", "node:crypto: sign is not available here");
}

static void buffer_takes_any_bytes_where_node_does(void **state)
{
    struct bench *b = *state;

    expect_page(b,
                "const x = Buffer.from('abcabc'), to = new Uint8Array(4); const of = (s) => new "
                "TextEncoder().encode(s);"
                "return [x.indexOf(of('c')), x.indexOf(of('bc'), 2), x.lastIndexOf(of('ab')), "
                "x.includes(of('zz')),"
                "  x.equals(of('abcabc')), x.copy(to, 1), to, Buffer.alloc(3).fill(of('xy')), "
                "x.indexOf('c', 3), "
                "  x.indexOf(99), x.equals(x)].join(' ')",
                "2 4 3 false true 3 0,97,98,99 xyx 5 2 true");
}

static void node_modules_do_their_work(void **state)
{
    struct bench *b = *state;

    expect_page(
        b,
        "const { EventEmitter, once } = require('events'); const e = new EventEmitter();"
        "const got = once(e, 'x'); e.emit('x', 1, 2);"
        "const path = require('node:path'); const { StringDecoder } = require('string_decoder');"
        "const d = new StringDecoder('utf8'); const qs = require('querystring');"
        "return [await got, path.join('/a', '../b', 'c.js'), path.extname('x.tar.gz'),"
        "  d.write(Buffer.from([0xe2, 0x82])) + d.write(Buffer.from([0xac])),"
        "  qs.stringify({a: [1, 2], b: 'x y'}), JSON.stringify(qs.parse('a=1&a=2&b=%20+&c=%zz')),"
        "  require('stream/web').ReadableStream === ReadableStream].join(' ')",
        "1,2 /b/c.js .gz \xe2\x82\xac a=1&a=2&b=x%20y {\"a\":[\"1\",\"2\"],\"b\":\"  "
        "\",\"c\":\"%zz\"} true");
    expect_page(b,
                "const at = require('node:url'); const util = require('node:util');"
                "const p = at.parse('http://u:p@h:8/a?b=c#d', true); const q = at.parse('/x?y');"
                "const slow = util.promisify((x, done) => setTimeout(done, 1, null, x + 1));"
                "return [p.auth, p.host, p.pathname, p.query.b, p.hash, p.href, q.pathname, "
                "q.search, q.host,"
                "  at.resolve('/one/two', 'three'), at.fileURLToPath('file:///a%20b'), "
                "at.pathToFileURL('/a b').href,"
                "  at.domainToASCII('\\u00e9.de'), at.domainToUnicode('xn--9ca.de'),"
                "  util.format('%s %d %j', 'a', 4, {x: 1}, 'more'), await slow(1),"
                "  util.isDeepStrictEqual({a: [1, new Map([[1, {b: 2}]])]}, {a: [1, new Map([[1, "
                "{b: 2}]])]}),"
                "  util.isDeepStrictEqual([1], [2]), util.types.isRegExp(/x/)].join(' ')",
                "u:p h:8 /a c #d http://u:p@h:8/a?b=c#d /x ?y  /one/three /a b file:///a%20b "
                "xn--9ca.de \xc3\xa9.de "
                "a 4 {\"x\":1} more 2 true false true");
    expect_page(b,
                "const c = require('crypto'); const h = "
                "c.createHash('sha256').update('a').update(Buffer.from('bc'));"
                "const copy = h.copy(); let used; const sum = h.digest('hex'); try { h.digest() } "
                "catch (e) { used = e.code }"
                "let none; try { c.createHash('x') } catch (e) { none = e.code }"
                "const n = c.randomInt(3, 5);"
                "return [sum.slice(0, 8), copy.digest('base64').slice(0, 6), used, none,"
                "  c.createHash('md5').update('').digest('hex').slice(0, 8),"
                "  c.createHmac('sha256', 'Jefe').update('what do ya want for "
                "nothing?').digest('hex').slice(0, 8),"
                "  c.randomBytes(8).length, n === 3 || n === 4, "
                "c.timingSafeEqual(Buffer.from('a'), Buffer.from('a')),"
                "  c.randomUUID().length].join()",
                "ba7816bf,ungWv4,ERR_CRYPTO_HASH_FINALIZED,ERR_CRYPTO_INVALID_DIGEST,d41d8cd9,"
                "5bdcc146,8,true,true,36");
}

static void what_util_writes_is_what_node_writes(void **state)
{
    struct bench *b = *state;

    expect_page(
        b,
        "const { format, inspect, promisify, isDeepStrictEqual: same } = require('util');"
        "const bytes = (n) => new Uint8Array([n]).buffer; const self = {}; self.self = self;"
        "const styled = {[inspect.custom]: () => 'own'};"
        "return [format('%s%% %% %x', 'a'), format('%d %s %s %i', 5n, 5n, -0, 'x'), format('%s'),"
        "  format('%s', {toString: () => 'told'}), format('%j', self), format(1, 'a', styled),"
        "  inspect('a\\'b'), inspect('\\x1b'), inspect([1, , , 2]), inspect(Object.create(null)),"
        "  await promisify(setTimeout)(1, 'late'), await promisify(setImmediate)('soon'),"
        "  same(bytes(1), bytes(1)), same(bytes(1), bytes(2)), same(Object(1n), Object(2n)),"
        "  same(new DataView(bytes(1)), new DataView(bytes(2)))].join('|')",
        "a% % %x|5n 5n -0 NaN|%s|told|[Circular]|1 a own|\"a'b\"|'\\x1B'|[ 1, <2 empty items>, 2 ]|"
        "[Object: null prototype] {}|late|soon|true|false|false|false");
    expect_page(b,
                "const { resolve, format } = require('url');"
                "return [resolve('a/b', '../c'), resolve('', 'a'), resolve('/a', ''), "
                "resolve('a', '/b?c'), format({hostname: 'h', port: 8})].join(' ')",
                "c a /a /b?c h:8");
}

static void node_streams_flow_and_become_web_streams(void **state)
{
    struct bench *b = *state;

    expect_page(
        b,
        "import('node:stream').then(() => 0);"
        "const { PassThrough, Readable, Transform, Writable, Duplex, pipeline } = "
        "require('node:stream');"
        "const { text, json } = require('stream/consumers'); const p = require('stream/promises');"
        "const upper = () => new Transform({transform(x, _, done) { done(null, "
        "`${x}`.toUpperCase()) }});"
        "const got = []; const sink = new Writable({write(x, _, done) { got.push(`${x}`); "
        "setTimeout(done) }});"
        "await p.pipeline(Readable.from(['a', 'b']), upper(), sink);"
        "let seen; const through = new PassThrough(); const web = Readable.toWeb(through);"
        "through.write('h\u00e9'); through.end('llo');"
        "const back = Readable.fromWeb(new Response('{\"x\": [1]}').body);"
        "const large = Readable.toWeb(Readable.from((function* () { for (let i = 0; i < 200; i++) "
        "yield "
        "Buffer.alloc(1000, 97) })(), {objectMode: false}));"
        "const into = []; const file = Writable.toWeb(new Writable({write(x, _, done) { "
        "into.push(x.length); "
        "done() }}));"
        "await new Response('x'.repeat(9)).body.pipeTo(file);"
        "const pair = Duplex.toWeb(upper()); const writer = pair.writable.getWriter(); "
        "writer.write('pair');"
        "writer.close();"
        "const out = []; const node = Writable.fromWeb(new WritableStream({write(x) { "
        "out.push(`${x}`) }}));"
        "await p.pipeline(Readable.from(['to', 'web']), node);"
        "const failing = new Readable({read() { this.destroy(new Error('gone')) }});"
        "const failed = await new Response(Readable.toWeb(failing)).text().catch((e) => e.message);"
        "const cut = new Readable({read() { this.push('x'.repeat(9999)) }}); const reader = "
        "Readable.toWeb(cut).getReader();"
        "await reader.read(); await reader.cancel(new Error('enough'));"
        "return [got.join(''), await new Response(web).text(), JSON.stringify(await json(back)),"
        "  (await new Response(large).text()).length, into.join(), await new "
        "Response(pair.readable).text(), out.join(''), failed, cut.destroyed,"
        "  await text(Readable.from(['q', Buffer.from('r')])), new PassThrough() instanceof "
        "require('events')].join(' ')",
        "AB h\xc3\xa9llo {\"x\":[1]} 200000 9 PAIR toweb gone true qr true");
}

static void process_is_there_without_being_node(void **state)
{
    struct bench *b = *state;

    expect_page(b,
                "const seen = []; await new Promise((go) => { process.nextTick((x) => { "
                "seen.push(x); go() }, 7) });"
                "return [seen, process.env.NODE_ENV, process.versions.node, global === globalThis, "
                "process.cwd(),"
                "  process === require('process')].join()",
                "7,production,,true,/,true");
}

static void later_library_functions_are_there(void **state)
{
    struct bench *b = *state;

    expect_page(
        b,
        "const before = Object.getOwnPropertyDescriptor(Function.prototype, 'toString').value;"
        "const { promise, resolve } = Promise.withResolvers(); resolve('p');"
        "const from = await Array.fromAsync((async function* () { yield 1; yield 2 })());"
        "return [[3, 1].toSorted(), [1, 2].toReversed(), [1, 2].with(0, 9), [1, 2, 3].toSpliced(1, "
        "1),"
        "  Object.groupBy([1, 2, 3], (x) => x % 2 ? 'odd' : 'even').odd, await promise, from,"
        "  [1, 2, 3].values().map((x) => x * 2).filter((x) => x > 2).toArray(), "
        "'\\ud800'.isWellFormed(),"
        "  RegExp.escape('a.b'), typeof Symbol.dispose, new ArrayBuffer(4).transfer(8).byteLength,"
        "  await Promise.try(() => 't'), new Uint8Array([1]).toHex(), Iterator.from([1]).toArray(),"
        "  before === Function.prototype.toString].join(' ')",
        "1,3 2,1 9,2 1,3 1,3 p 1,2 4,6 false \\x61\\.b symbol 8 t 01 1 true");
    expect_page(b,
                "Array.prototype.toSorted = function () { return 'mine' }; return [2, "
                "1].toSorted() + ('map' in [].values())",
                "minetrue");
}

static void a_library_function_that_nobody_asks_for_costs_no_load(void **state)
{
    struct bench *b = *state;

    expect_page(b,
                "const own = Object.getOwnPropertyDescriptor(Array.prototype, 'toSorted');"
                "return [typeof own.get, own.enumerable, Set.prototype.union, "
                "Map.prototype.getOrInsert].join()",
                "function,false,,");
}

static size_t heap_bytes_after(const char *body)
{
    void *state = NULL;
    struct js_heap heap;
    struct bench *b;

    assert_int_equal(setup(&state), 0);
    b = state;
    page(b, body);
    assert_string_equal(b->body, "done");
    js_collect(b->js);
    js_heap(b->js, &heap);
    (void)teardown(&state);
    return heap.used_bytes;
}

/* A worker's, whatever its bundle uses: two megabytes for all standards, modules and library functions. */
static void all_that_loads_late_is_small(void **state)
{
    size_t none = heap_bytes_after("return 'done'");
    size_t all = heap_bytes_after(
        "for (const name of Object.getOwnPropertyNames(globalThis)) void globalThis[name];"
        "for (const name of ['buffer', 'crypto', 'events', 'path', 'querystring', 'stream', "
        "'stream/consumers', 'stream/web', 'string_decoder', 'url', 'util']) require('node:' + "
        "name);"
        "void [].toSorted(); void crypto.subtle; void new TextDecoder('shift_jis');"
        "return 'done'");
    size_t loaded_bytes = all - none;

    (void)state;
    assert_in_range(loaded_bytes, 500 * KIB, 2 * MIB); /* it did load */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        JS_TEST(buffer_reads_and_writes_every_encoding),
        JS_TEST(node_modules_have_what_packages_import),
        JS_TEST(buffer_has_what_packages_call_of_nodes),
        JS_TEST(buffer_takes_any_bytes_where_node_does),
        JS_TEST(node_modules_do_their_work),
        JS_TEST(what_util_writes_is_what_node_writes),
        JS_TEST(node_streams_flow_and_become_web_streams),
        JS_TEST(process_is_there_without_being_node),
        JS_TEST(later_library_functions_are_there),
        cmocka_unit_test(all_that_loads_late_is_small),
        JS_TEST(a_library_function_that_nobody_asks_for_costs_no_load),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
