# SPDX-License-Identifier: MIT
"""16 renders that never end and 13 that take all memory, as the bodies of functions: for test_bombs.py and perf/bombs."""

CPU = {
    "loop": "for (;;) {}",
    "calls": "const f = (n) => n > 0 ? f(n - 1) : 0; for (;;) f(1000);",
    "regexp": "return String(/(a+)+b/.test('a'.repeat(80)));",
    "sort": "const a = Array.from({length: 1e5}, (_, i) => i * 7919 % 100003); for (;;) a.slice().sort((x, y) => x - y);",
    "stringify": "const o = Array.from({length: 1e5}, (_, i) => ({i, s: 'x' + i})); for (;;) JSON.stringify(o);",
    "parse": "const t = '[' + '[1,{\"a\":2}],'.repeat(3e5) + '1]'; for (;;) JSON.parse(t);",
    "bigint": "let x = 3n; for (;;) x = x * x % (1n << 20000n);",
    "bigint_text": "return (7n ** 3000000n).toString() + (7n ** 3000001n).toString();",
    "join": "const a = Array(1e6).fill('xyz'); for (;;) a.join('');",
    "index_of": "return String('a'.repeat(1 << 22).lastIndexOf('a'.repeat(1 << 21) + 'b'));",
    "fill": "const a = new Uint8Array(1 << 24); for (;;) a.fill(1);",
    "split": "const t = 'ab'.repeat(1e5); for (;;) t.split('');",
    "microtasks": "const f = () => Promise.resolve().then(f); return f();",
    "wasm": "new WebAssembly.Instance(new WebAssembly.Module(new Uint8Array([0,97,115,109,1,0,0,0,1,4,1,96,0,0,3,2,1,0,7,5,1,1,"
            "102,0,0,10,9,1,7,0,3,64,12,0,11,11]))).exports.f();",
    "recursion": "const f = () => f() + 1; for (;;) try { f(); } catch {}",
    "generator": "const g = (function* () { for (;;) yield 1; })(); for (const x of g) {}",
}
MEMORY = {
    "arrays": "const keep = []; for (;;) keep.push(new Array(1000).fill(0.5));",
    "array": "const keep = []; for (let i = 0;; i++) keep[i] = i;",
    "objects": "let keep = null; for (;;) keep = {keep, text: 'x' + Math.random()};",
    "strings": "const keep = []; for (let i = 0;; i++) keep.push(('x' + i).repeat(5000).toUpperCase());",
    "doubling": "const keep = []; let s = 'ab'; for (;;) { keep.push(s.toUpperCase()); if (s.length < 8e6) s += s; }",
    "buffers": "const keep = []; for (;;) keep.push(new ArrayBuffer(1 << 22));",
    "map": "const keep = new Map; for (let i = 0;; i++) keep.set(i, {i});",
    "set": "const keep = new Set; for (let i = 0;; i++) keep.add('x' + i);",
    "table": "const keep = {}; for (let i = 0;; i++) keep['k' + i] = i;",
    "closures": "const keep = []; for (let i = 0;; i++) { const a = [i, i, i, i]; keep.push(() => a); }",
}
# V8's own memory and zlib's, outside of its heap and of what holds ArrayBuffers
OUTSIDE = {
    "memories": "const keep = []; for (;;) { const m = new WebAssembly.Memory({initial: 16}); new Uint8Array(m.buffer).fill(1); keep.push(m); }",
    "growth": "const m = new WebAssembly.Memory({initial: 1}); const keep = []; for (;;) { try { m.grow(16); } catch { keep.push(new WebAssembly.Memory({initial: 16})); } }",
    "compressors": "const keep = []; for (let i = 0; i < 300; i++) keep.push(new CompressionStream('gzip')); for (;;) {}",
}
assert len(CPU) == 16 and len(MEMORY) == 10

BUNDLE = """
const bombs = {%s};
globalThis.renderPage = (url) => {
  const bomb = url.startsWith('/bomb/') && bombs[url.split('/')[2]];
  if (!bomb) return 'page ' + url;
  console.log('bomb at ' + url);
  return bomb();
};
""" % ",".join(f"{name}() {{ {code} }}" for name, code in {**CPU, **MEMORY, **OUTSIDE}.items())
