# SPDX-License-Identifier: MIT
"""16 renders that never end and 10 that take all memory: each is answered, and so are those who ask beside it, and the log says on
which route, and where in the JavaScript it stood if V8 came to where it can be stopped. The long form: SSRD_BOMB_ROUNDS=100 (each bomb so often; some 20 minutes)."""

import os
import re

import pytest

import harness

ROUNDS = int(os.environ.get("SSRD_BOMB_ROUNDS", "2"))

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
# V8's own memory, outside of its heap and of what holds ArrayBuffers
WASM_MEMORY = {
    "memories": "const keep = []; for (;;) { const m = new WebAssembly.Memory({initial: 16}); new Uint8Array(m.buffer).fill(1); keep.push(m); }",
    "growth": "const m = new WebAssembly.Memory({initial: 1}); const keep = []; for (;;) { try { m.grow(16); } catch { keep.push(new WebAssembly.Memory({initial: 16})); } }",
}
assert len(CPU) == 16 and len(MEMORY) == 10

ROUTES = [{"match": "/bomb/*"}]
BUNDLE = """
const bombs = {%s};
globalThis.renderPage = (url) => {
  const bomb = url.startsWith('/bomb/') && bombs[url.split('/')[2]];
  if (!bomb) return 'page ' + url;
  console.log('bomb at ' + url);
  return bomb();
};
""" % ",".join(f"{name}() {{ {code} }}" for name, code in {**CPU, **MEMORY, **WASM_MEMORY}.items())


def explode(server, name, round_number, wanted):
    """Beside it: a hit on a connection that was there, and a page that must be rendered."""
    since = len(server.lines)
    with server.connect() as early, server.connect() as bomb, server.connect() as miss:
        assert early.get("/hot").status == 200
        bomb.request(f"/bomb/{name}/{round_number}")
        server.wait_log(f"/bomb/{name}/{round_number}\\b", since)  # its own line, or that of its end, on a machine so busy
        miss.request(f"/miss/{name}/{round_number}")
        assert early.get("/hot").text == "page /hot"
        answer = bomb.answer()
        assert answer.status in wanted, (name, answer, server.log)
        assert b"bomb" not in answer.body
        assert miss.answer().text == f"page /miss/{name}/{round_number}", name
        assert early.get("/hot").text == "page /hot"
    line = server.wait_log(f"error .*url=/bomb/{name}/{round_number} ", since)
    assert "route=/bomb/* " in line, line
    assert "can't be stopped" in line or re.search(r'stack="[^"]*server\.js:\d+', line), line


@pytest.mark.parametrize("name", CPU)
def test_a_render_that_never_ends(ssrd, name):
    server = ssrd(BUNDLE, {"render": {"timeout": "200ms", "grace": "1s"}, "routes": ROUTES})
    for i in range(ROUNDS):
        explode(server, name, i, (504,))
    assert server.status()["restarts"]["crash"] == 0


@pytest.mark.parametrize("name", MEMORY)
def test_a_render_that_takes_all_memory(ssrd, name):
    server = ssrd(BUNDLE, {"render": {"timeout": "60s", "heap": "64MiB"}, "routes": ROUTES})
    for i in range(ROUNDS):
        explode(server, name, i, (500,))
    assert server.status()["restarts"]["crash"] == 0


@pytest.mark.parametrize("name", WASM_MEMORY)
def test_memories_of_webassembly_count_as_memory(ssrd, name):
    server = ssrd(BUNDLE, {"render": {"timeout": "60s", "heap": "32MiB"}, "routes": ROUTES})
    for i in range(2):
        explode(server, name, i, (500,))
    assert server.status()["restarts"]["crash"] == 0


def test_garbage_of_webassembly_is_collected_first(ssrd):
    code = "for (let i = 0; i < 100; i++) new Uint8Array(new WebAssembly.Memory({initial: 16}).buffer).fill(1); return 'enough';"
    server = ssrd(BUNDLE.replace("for (;;) {}", code, 1), {"render": {"timeout": "60s", "heap": "32MiB"}})
    assert server.get("/bomb/loop/0").text == "enough"


def test_no_memory_of_webassembly_grows_beyond_the_heap(ssrd):
    server = ssrd(BUNDLE.replace("for (;;) {}", "return String(new WebAssembly.Memory({initial: 1}).grow(16384));", 1),
                  {"render": {"timeout": "60s", "heap": "32MiB"}})
    assert server.get("/bomb/loop/0").status == 500
    assert "RangeError" in server.wait_log("render failed")
