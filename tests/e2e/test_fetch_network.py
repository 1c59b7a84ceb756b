# SPDX-License-Identifier: MIT
"""fetch() where more is between than a request and its answer: HTTP/2, proxies, ticks, ctx.waitUntil(). Shown by order."""

import contextlib
import json
import select
import socket
import ssl
import subprocess
import threading
import types

import pytest

from harness import PATIENCE_S
from upstream import certificate, serve

# /one waits for /two, /hang for ever; the rest tell what came.
HTTP2 = """
const { readFileSync } = require('node:fs');
const server = require('node:http2').createSecureServer({key: readFileSync(process.argv[1]), cert: readFileSync(process.argv[2])});
let sessions = 0, resets = 0, two;
const second = new Promise((go) => two = go);
server.on('session', (session) => session.number = ++sessions);
server.on('request', async (request, response) => {
  request.stream.on('aborted', () => resets++);
  request.on('error', () => 0);
  let bytes = 0;
  for await (const chunk of request) bytes += chunk.length;
  if (request.url === '/hang') return;
  if (request.url === '/one') await second;
  if (request.url === '/two') two();
  response.end(JSON.stringify({version: request.httpVersion, session: request.stream.session.number, method: request.method,
    own: request.headers['x-own'] ?? null, bytes, resets}));
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
"""


@contextlib.contextmanager
def http2(folder):
    key, cert = certificate(folder)
    with subprocess.Popen(["node", "-e", HTTP2, key, cert], stdout=subprocess.PIPE, text=True) as process:
        try:
            yield types.SimpleNamespace(url=f"https://localhost:{int(process.stdout.readline())}", cert=cert)
        finally:
            process.kill()


def test_http_2_carries_overlapping_fetches_over_one_connection(ssrd, sockets):
    tell = "(await fetch(up + '%s', %s)).json()"
    with http2(sockets) as up:
        server = serve(ssrd, up, {
            "first": "async (up) => " + tell % ("/", "{headers: {'X-Own': 'yes'}}"),
            "both": "async (up) => Promise.all(['/one', '/two'].map(async (path) => (await fetch(up + path)).json()))",
            "post": "async (up) => " + tell % ("/", "{method: 'POST', body: 'x'.repeat(1000000)}"),
            "stream": "async (up) => { let n = 0; return " + tell % ("/", """{method: 'PUT', duplex: 'half', body: new ReadableStream({
                pull(c) { n++ < 40 ? c.enqueue(new Uint8Array(10000)) : c.close(); } })}""") + " }",
            "abort": """async (up) => { try { await fetch(up + '/hang', {signal: AbortSignal.timeout(20)}); } catch (e) {
                for (;;) { const seen = await """ + tell % ("/", "{}") + """; if (seen.resets === 1) return [e.name, seen]; } } }""",
        }, {"fetch": {"timeout": "1h"}, "render": {"timeout": "1h"}}, env={"SSL_CERT_FILE": up.cert})
        seen = {"version": "2.0", "session": 1, "method": "GET", "own": None, "bytes": 0, "resets": 0}
        assert json.loads(server.get("/first").text) == {**seen, "own": "yes"}
        assert json.loads(server.get("/both").text) == [seen, seen]
        assert json.loads(server.get("/post").text) == {**seen, "method": "POST", "bytes": 1000000}
        assert json.loads(server.get("/stream").text) == {**seen, "method": "PUT", "bytes": 400000}
        assert json.loads(server.get("/abort").text) == ["TimeoutError", {**seen, "resets": 1}]  # the stream ends, not the connection


def tunnel(handler):
    """CONNECT (RFC 9110 section 9.3.6), to wherever the client says."""
    host, _, port = handler.path.rpartition(":")
    with socket.create_connection((host, int(port))) as there:
        handler.send_response(200)
        handler.end_headers()
        ends = {handler.connection: there, there: handler.connection}
        while True:
            for one in select.select(list(ends), [], [])[0]:
                data = one.recv(65536)
                if not data:
                    handler.close_connection = True
                    return
                ends[one].sendall(data)


def test_a_proxy_of_the_environment_is_used_unless_there_is_an_allow_list(ssrd, upstream):
    up = upstream({"/here": lambda h: h.answer(b"here")})
    proxy = upstream({"http://nowhere.invalid/page": lambda h: h.answer(b"by proxy"), up.url + "/here": lambda h: h.answer(b"by proxy")})
    cases = {"name": "async () => (await fetch('http://nowhere.invalid/page')).text()", "here": "async (up) => (await fetch(up + '/here')).text()"}
    server = serve(ssrd, up, cases, env={"http_proxy": proxy.url})
    assert json.loads(server.get("/name").text) == "by proxy"  # which looks the name up
    assert json.loads(server.get("/here").text) == "by proxy"
    server = serve(ssrd, up, cases, env={"http_proxy": proxy.url, "no_proxy": "127.0.0.1"})
    assert json.loads(server.get("/name").text) == "by proxy"
    assert json.loads(server.get("/here").text) == "here"
    asked = len(proxy.seen)
    server = serve(ssrd, up, cases, {"fetch": {"allow": [f"127.0.0.1:{up.port}", "nowhere.invalid"]}}, env={"http_proxy": proxy.url})
    assert json.loads(server.get("/here").text) == "here"
    assert "resolve" in json.loads(server.get("/name").text)["message"]
    assert len(proxy.seen) == asked


def test_tls_goes_through_a_proxy_by_connect_and_is_checked(ssrd, upstream, sockets):
    key, cert = certificate(sockets)
    up = upstream({"/": lambda h: h.answer(b"safe")})
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    up.server.socket = context.wrap_socket(up.server.socket, server_side=True, do_handshake_on_connect=False)
    proxy = upstream({f"localhost:{up.port}": tunnel})
    cases = {"get": f"async () => (await fetch('https://localhost:{up.port}/')).text()"}
    server = serve(ssrd, up, cases, env={"https_proxy": proxy.url, "SSL_CERT_FILE": cert})
    assert json.loads(server.get("/get").text) == "safe"
    assert proxy.seen == [f"localhost:{up.port}"]
    server = serve(ssrd, up, cases, env={"https_proxy": proxy.url})
    assert "certificate" in json.loads(server.get("/get").text)["message"]


@pytest.mark.parametrize("spin", ["for (;;) {}", "return String('a'.repeat(1 << 22).lastIndexOf('a'.repeat(1 << 21) + 'b'))"])
def test_an_answer_comes_in_while_other_javascript_runs(ssrd, upstream, spin):
    total = 32 << 20  # more than sockets hold
    head, go, sent = threading.Event(), threading.Event(), threading.Event()

    def large(h):
        h.send_response(200)
        h.send_header("content-length", str(total))
        h.end_headers()
        h.wfile.write(b"x")
        h.wfile.flush()
        head.set()
        assert go.wait(PATIENCE_S)
        for _ in range(total // 65536):
            h.wfile.write(b"x" * 65536)
        sent.set()

    up = upstream({"/large": large})
    server = serve(ssrd, up, {
        "large": "async (up) => { const r = await fetch(up + '/large'); console.log('has its head'); return (await r.text()).length; }",
        "spin": "() => { console.log('spins'); " + spin + " }",
    }, {"render": {"timeout": "1h"}, "fetch": {"timeout": "1h", "max_body": "1GiB"}})
    with server.connect() as one, server.connect() as two:
        one.request("/large")
        server.wait_log("has its head")
        two.request("/spin")
        server.wait_log("spins")
        go.set()
        assert sent.wait(PATIENCE_S)
        assert not select.select([two.socket], [], [], 0)[0]  # all of it has come while that ran


def lasting(ssrd, up, after, **render):
    return serve(ssrd, up, {"page": "(up, request, url, ctx) => { ctx.waitUntil((" + after + ")(up).then((x) => console.log('after ' + x), "
                            "(e) => console.log('failed ' + e.message))); return 'page'; }", "other": "() => 'other'"},
                 {"render": {"timeout": "1h", **render}, "fetch": {"timeout": "1h"}})


def test_a_fetch_goes_on_under_wait_until(ssrd, upstream):
    go = threading.Event()

    def slow(h):
        assert go.wait(PATIENCE_S)
        h.answer(h.body)

    up = upstream({"/slow": slow})
    server = lasting(ssrd, up, "async (up) => (await fetch(up + '/slow', {method: 'POST', body: 'told'})).text()")
    assert json.loads(server.get("/page").text) == "page"
    assert json.loads(server.get("/other").text) == "other"
    go.set()
    server.wait_log("after told")


def test_a_drain_waits_for_a_fetch_under_wait_until(ssrd, upstream):
    go = threading.Event()

    def slow(h):
        assert go.wait(PATIENCE_S)
        h.answer(b"told")

    up = upstream({"/slow": slow})
    server = lasting(ssrd, up, "async (up) => (await fetch(up + '/slow')).text()")
    server.get("/page")
    up.wait_for(lambda: up.seen, "the fetch has begun")
    server.signal(15)
    server.wait_notify("STOPPING=1")
    go.set()
    assert server.wait() == 0
    assert "after told" in server.log


def test_a_fetch_under_wait_until_ends_with_the_deadline_of_its_render(ssrd, upstream):
    up = upstream({"/silent": lambda h: h.rfile.read(1)})
    server = lasting(ssrd, up, "(up) => fetch(up + '/silent')", timeout="300ms")
    assert json.loads(server.get("/page").text) == "page"
    server.wait_log("ctx.waitUntil: promises were still open")
    up.wait_for(lambda: up.seen and up.open == 0, "its connection is closed")
    assert json.loads(server.get("/other").text) == "other"
