# SPDX-License-Identifier: MIT
"""fetch() from JavaScript, against an upstream whose answers a test scripts; order is shown by who waits for whom."""

import gzip
import json
import os
import socket
import ssl
import threading

import pytest

from harness import BUILD, PATIENCE_S, free_port
from upstream import certificate, metric, serve


def test_methods_headers_and_bodies_go_both_ways(ssrd, upstream):
    def echo(h):
        seen = {"method": h.command, "body": h.body.decode("latin-1"), "headers": {k.lower(): v for k, v in h.headers.items()}}
        h.answer(json.dumps(seen).encode(), 201, content_type="application/json", x_out="caf\xe9")

    up = upstream({"/echo": echo})
    server = serve(ssrd, up, {
        "get": "async (up) => (await fetch(up + '/echo')).json()",
        "post": "async (up) => (await fetch(up + '/echo', {method: 'POST', body: 'h\\u00e9llo', headers: {'X-In': '\\u00e9'}})).json()",
        "bytes": "async (up) => (await fetch(up + '/echo', {method: 'PUT', body: new Uint8Array([0, 1, 255])})).json()",
        "form": "async (up) => (await fetch(up + '/echo', {method: 'POST', body: new URLSearchParams({a: 'b c'})})).json()",
        "none": "async (up) => (await fetch(up + '/echo', {method: 'DELETE'})).json()",
        "stream": """async (up) => { let n = 0; return (await fetch(up + '/echo', {method: 'POST', duplex: 'half', body: new ReadableStream({
            pull(c) { n++ < 3 ? c.enqueue(new TextEncoder().encode('part' + n)) : c.close(); } })})).json(); }""",
        "head": "async (up) => { const r = await fetch(up + '/echo', {method: 'HEAD'}); return [r.status, await r.text()]; }",
        "answer": """async (up) => { const r = await fetch(up + '/echo'); return [r.status, r.statusText, r.ok, r.url, r.redirected, r.type,
            r.headers.get('x-out'), (await r.arrayBuffer()).byteLength > 10, r.bodyUsed]; }""",
        "dropped": """async (up) => (await fetch(up + '/echo', {headers: {Host: 'evil', 'Content-Length': '5', Connection: 'upgrade',
            'Transfer-Encoding': 'chunked', Cookie: 'a=b'}})).json()""",
        "big": "async (up) => (await (await fetch(up + '/echo', {method: 'POST', body: 'x'.repeat(1000000)})).json()).body.length",
    })
    got = json.loads(server.get("/get").text)
    assert got.get("method") == "GET", got
    assert got["body"] == "" and got["headers"]["accept"] == "*/*"
    assert got["headers"]["user-agent"].startswith("ssrd/")
    got = json.loads(server.get("/post").text)
    assert got["body"].encode("latin-1").decode() == "h\xe9llo" and got["headers"]["content-type"] == "text/plain;charset=UTF-8"
    assert got["headers"]["x-in"] == "\xe9" and got["headers"]["content-length"] == "6"
    assert json.loads(server.get("/bytes").text)["body"] == "\0\x01\xff"
    assert "content-type" not in json.loads(server.get("/bytes").text)["headers"]
    assert json.loads(server.get("/form").text)["body"] == "a=b+c"
    assert json.loads(server.get("/none").text)["method"] == "DELETE"
    got = json.loads(server.get("/stream").text)
    assert got["body"] == "part1part2part3" and got["headers"]["transfer-encoding"] == "chunked"
    assert json.loads(server.get("/head").text) == [201, ""]
    assert json.loads(server.get("/answer").text) == [201, "Created", True, up.url + "/echo", False, "default", "caf\xe9", True, True]
    got = json.loads(server.get("/dropped").text)["headers"]
    assert got["host"] == f"127.0.0.1:{up.port}" and got["cookie"] == "a=b"
    assert not {"content-length", "connection", "transfer-encoding"} & set(got)
    assert server.get("/big").text == "1000000"
    assert up.connections == 1  # all over one that was kept open
    assert metric(server, 'ssrd_fetches_total{result="ok"}') == len(up.seen)


def test_fetches_of_one_render_overlap(ssrd, upstream):
    second = threading.Event()

    def one(h):
        assert second.wait(PATIENCE_S)
        h.answer(b"one")

    def two(h):
        second.set()
        h.answer(b"two")

    up = upstream({"/one": one, "/two": two})
    server = serve(ssrd, up, {"both": "async (up) => Promise.all(['/one', '/two'].map(async (p) => (await fetch(up + p)).text()))"},
                   {"fetch": {"timeout": "1h"}, "render": {"timeout": "1h"}})
    assert json.loads(server.get("/both").text) == ["one", "two"]


def test_a_hundred_renders_wait_while_hits_are_served(ssrd, upstream):
    go = threading.Event()

    def slow(h):
        assert go.wait(PATIENCE_S)
        h.answer(h.path.encode())

    up = upstream({"/slow": slow})
    server = serve(ssrd, up, {"page": "async (up, r, url) => new Response(await (await fetch(up + '/slow' + url.search)).text())",
                              "hit": "() => new Response('hit', {headers: {'cache-control': 'max-age=600'}})"},
                   {"render": {"concurrency": 200, "timeout": "1h"}, "fetch": {"timeout": "1h"}, "http": {"connections": 1000}})
    server.get("/hit")
    clients = [server.connect() for _ in range(100)]
    for i, client in enumerate(clients):
        client.request(f"/page?{i}")
    up.wait_for(lambda: len(up.seen) >= 64, "all connections that one host gets are used")
    assert "hit" in server.get("/hit").cache
    go.set()
    for i, client in enumerate(clients):
        assert client.answer().text == f"/slow?{i}"
        client.close()


def test_failures_are_type_errors_that_name_host_and_reason(ssrd, upstream):
    def dies(h):
        h.send_response(200)
        h.send_header("content-length", "100")
        h.end_headers()
        h.wfile.write(b"half")
        h.wfile.flush()
        h.connection.shutdown(socket.SHUT_RDWR)
        h.close_connection = True

    def silent(h):
        h.server_closed = h.rfile.read(1)  # until the other side closes

    up = upstream({"/dies": dies, "/silent": silent, "/big": lambda h: h.answer(b"x" * 5000),
                   "/bomb": lambda h: h.answer(gzip.compress(b"x" * 5000), content_encoding="gzip")})
    closed = free_port()
    server = serve(ssrd, up, {
        "refused": f"() => fetch('http://127.0.0.1:{closed}/')",
        "unknown": "() => fetch('http://nowhere.invalid/')",
        "scheme": "() => fetch('file:///etc/passwd')",
        "relative": "() => fetch('/api')",
        "dies": "async (up) => (await fetch(up + '/dies')).text()",
        "big": "async (up) => (await fetch(up + '/big')).text()",
        "bomb": "async (up) => (await fetch(up + '/bomb')).text()",
        "fits": "async (up) => (await fetch(up + '/small')).text()",
    }, {"fetch": {"timeout": "1h", "max_body": "4KiB"}, "render": {"timeout": "1h"}})
    impatient = serve(ssrd, up, {"silent": "(up) => fetch(up + '/silent')"},
                      {"fetch": {"timeout": "300ms"}, "render": {"timeout": "1h"}})
    for name, said in (("refused", "onnect"), ("unknown", "resolve"), ("scheme", "only http"), ("relative", "whole URL"),
                       ("dies", ""), ("silent", "not done within fetch.timeout (300 ms)"), ("big", "fetch.max_body"),
                       ("bomb", "fetch.max_body")):
        got = json.loads((impatient if name == "silent" else server).get("/" + name).text)
        assert got["error"] == "TypeError" and said in got["message"], (name, got)
        if name in ("refused", "unknown", "silent", "big"):
            assert got["host"] and got["host"] in got["cause"], (name, got)
    assert metric(impatient, 'ssrd_fetches_total{result="timeout"}') == 1
    up.wait_for(lambda: up.open == 0, "what timed out is closed")
    assert metric(impatient, "ssrd_fetches") == 0 and metric(server, "ssrd_fetches") == 0


def test_allow_list_holds_for_redirects_and_addresses(ssrd, upstream):
    other = upstream({"/secret": lambda h: h.answer(b"secret")})
    up = upstream({"/ok": lambda h: h.answer(b"fine"),
                   "/away": lambda h: h.answer(b"", 302, location=other.url + "/secret"),
                   "/name": lambda h: h.answer(b"", 302, location=f"http://localhost:{other.port}/secret")})
    allow = [f"127.0.0.1:{up.port}", "127.0.0.2"]
    server = serve(ssrd, up, {
        "ok": "async (up) => (await fetch(up + '/ok')).text()",
        "other": f"async () => (await fetch('{other.url}/secret')).text()",
        "number": f"async () => (await fetch('http://2130706433:{other.port}/secret')).text()",
        "mapped": f"async () => (await fetch('http://[::ffff:7f00:1]:{other.port}/secret')).text()",
        "away": "async (up) => (await fetch(up + '/away')).text()",
        "name": "async (up) => (await fetch(up + '/name')).text()",
    }, {"fetch": {"allow": allow}})
    assert json.loads(server.get("/ok").text) == "fine"
    for name in ("other", "number", "mapped", "away", "name"):
        got = json.loads(server.get("/" + name).text)
        assert got["error"] == "TypeError" and "fetch.allow does not list" in got["message"], (name, got)
    assert not other.seen and other.connections == 0
    assert metric(server, 'ssrd_fetches_total{result="refused"}') == 5


def test_abort_ends_the_transfer(ssrd, upstream):
    def silent(h):
        h.rfile.read(1)

    def half(h):
        h.send_response(200)
        h.send_header("content-length", "100")
        h.end_headers()
        h.wfile.write(b"half")
        h.wfile.flush()
        h.rfile.read(1)

    up = upstream({"/silent": silent, "/half": half})
    server = serve(ssrd, up, {
        "before": "(up) => fetch(up + '/silent', {signal: AbortSignal.abort(new Error('early'))})",
        "while": "(up) => { const c = new AbortController(); setTimeout(() => c.abort(new Error('mine')), 1); return fetch(up + '/silent', {signal: c.signal}); }",
        "body": "async (up) => { const c = new AbortController(); const r = await fetch(up + '/half', {signal: c.signal}); c.abort(); return r.text(); }",
        "time": "(up) => fetch(up + '/silent', {signal: AbortSignal.timeout(20)})",
    }, {"fetch": {"timeout": "1h"}, "render": {"timeout": "1h"}})
    assert json.loads(server.get("/before").text)["message"] == "early" and not up.seen
    assert json.loads(server.get("/while").text)["message"] == "mine"
    assert json.loads(server.get("/body").text)["error"] == "AbortError"
    assert json.loads(server.get("/time").text)["error"] == "TimeoutError"
    up.wait_for(lambda: up.open == 0, "aborted ones are closed")
    assert metric(server, "ssrd_fetches") == 0


def test_a_fetch_ends_with_its_render(ssrd, upstream):
    def silent(h):
        h.rfile.read(1)

    up = upstream({"/silent": silent, "/now": lambda h: h.answer(b"now")})
    server = serve(ssrd, up, {
        "late": "(up) => fetch(up + '/silent')",
        "left": "async (up) => { fetch(up + '/silent').catch(() => 0); return (await fetch(up + '/now')).text(); }",
    }, {"fetch": {"timeout": "1h"}, "render": {"timeout": "200ms"}})
    assert server.get("/late").status == 504
    assert json.loads(server.get("/left").text) == "now"
    up.wait_for(lambda: up.open <= 1, "only the connection that is kept is open")
    assert metric(server, "ssrd_fetches") == 0


def test_warming_up_reaches_nobody(ssrd, upstream):
    up = upstream({"/api": lambda h: h.answer(b"data")})
    bundle = f"globalThis.renderPage = async () => 'page ' + await (await fetch('{up.url}/api')).text();"
    server = ssrd(bundle, {"workers": 1, "bundle": {"warmup": ["/"]}})
    assert server.get("/").text == "page data"
    assert len(up.seen) == 1


def test_where_a_redirect_leads_may_be_utf_8_as_it_is(ssrd, upstream):
    up = upstream({"/utf8": lambda h: h.answer(b"", 302, location="/to?\u00e4".encode().decode("latin-1")),
                   "/latin1": lambda h: h.answer(b"", 302, location="/to?\u00e4"),
                   "/to": lambda h: h.answer(h.path.encode())})
    server = serve(ssrd, up, {
        "utf8": "async (up) => (await fetch(up + '/utf8')).text()",
        "latin1": "async (up) => (await fetch(up + '/latin1')).text()",
    })
    assert json.loads(server.get("/utf8").text) == "/to?%C3%A4" == json.loads(server.get("/latin1").text)


def test_redirects_as_the_standard_has_them(ssrd, upstream):
    def echo(h):
        h.answer(json.dumps([h.command, h.body.decode(), h.path, sorted(k.lower() for k in h.headers)]).encode())

    def to(status, location):
        return lambda h: h.answer(b"moved", status, location=location)

    other = upstream({"/echo": echo})
    up = upstream({"/echo": echo, "/301": to(301, "/echo"), "/302": to(302, "echo?q"), "/303": to(303, "/echo"), "/307": to(307, "/echo"),
                   "/308": to(308, "/echo"), "/loop": to(302, "/loop"), "/file": to(302, "file:///etc/passwd"),
                   "/other": to(307, other.url + "/echo"), "/plain": lambda h: h.answer(b"no location", 302)})
    post = "async (up) => { const r = await fetch(up + '%s', {method: '%s', body: 'body', headers: {Authorization: 'me', Cookie: 'a=b', 'X-Own': '1'}}); return [r.redirected, r.url.slice(up.length), ...await r.json()]; }"
    server = serve(ssrd, up, {
        **{f"post{n}": post % (f"/{n}", "POST") for n in (301, 302, 303, 307, 308)},
        "put302": post % ("/302", "PUT"),
        "other": post % ("/other", "POST"),
        "loop": "(up) => fetch(up + '/loop')",
        "file": "(up) => fetch(up + '/file')",
        "manual": "async (up) => { const r = await fetch(up + '/301', {redirect: 'manual'}); return [r.status, r.headers.get('location'), await r.text()]; }",
        "error": "(up) => fetch(up + '/301', {redirect: 'error'})",
        "plain": "async (up) => { const r = await fetch(up + '/plain'); return [r.status, await r.text()]; }",
        "stream": "(up) => fetch(up + '/307', {method: 'POST', duplex: 'half', body: new Blob(['x']).stream()})",
    })
    for n in (301, 302, 303):
        redirected, url, method, body, path, headers = json.loads(server.get(f"/post{n}").text)
        assert redirected and method == "GET" and body == "" and path == url == ("/echo?q" if n == 302 else "/echo")
        assert "content-type" not in headers and {"authorization", "cookie", "x-own"} <= set(headers)
    for name in ("post307", "post308", "put302"):
        _, _, method, body, _, headers = json.loads(server.get("/" + name).text)
        assert method == ("PUT" if name == "put302" else "POST") and body == "body" and "content-type" in headers
    assert up.connections == 1  # answers of redirects are read, so that their connection is used again
    *_, body, path, headers = json.loads(server.get("/other").text)
    assert body == "body" and "x-own" in headers and not {"authorization", "cookie"} & set(headers)
    assert "more than 20" in json.loads(server.get("/loop").text)["message"]
    assert up.seen.count("/loop") == 21
    assert "no URL of http" in json.loads(server.get("/file").text)["message"]
    assert json.loads(server.get("/manual").text) == [301, "/echo", "moved"]
    assert json.loads(server.get("/error").text)["error"] == "TypeError"
    assert json.loads(server.get("/plain").text) == [302, "no location"]
    assert "stream" in json.loads(server.get("/stream").text)["message"]


def test_a_public_name_does_not_lead_inside(ssrd, upstream):
    up = upstream({"/secret": lambda h: h.answer(b"secret")})
    preload = {"LD_PRELOAD": os.path.join(BUILD, "tests", "e2e", "libfake_resolver.so"), "ASAN_OPTIONS": "verify_asan_link_order=0"}
    cases = {"get": f"async () => (await fetch('http://a.rebind.example:{up.port}/secret')).text()"}
    server = serve(ssrd, up, cases, {"fetch": {"allow": ["*.rebind.example"]}}, env=preload)
    got = json.loads(server.get("/get").text)
    assert got["error"] == "TypeError" and "inside" in got["message"]
    assert up.connections == 0
    server = serve(ssrd, up, cases, {"fetch": {"allow": ["*.rebind.example", "127.0.0.0/8"]}}, env=preload)
    assert json.loads(server.get("/get").text) == "secret"


def test_answers_stream_as_they_come_and_no_faster_than_they_are_read(ssrd, upstream):
    seen_one = threading.Event()
    total = 64 << 20
    sent = [0]
    done = threading.Event()

    def pieces(h):
        h.send_response(200)
        h.send_header("transfer-encoding", "chunked")
        h.end_headers()
        h.wfile.write(b"3\r\none\r\n")
        h.wfile.flush()
        assert seen_one.wait(PATIENCE_S)
        h.wfile.write(b"3\r\ntwo\r\n0\r\n\r\n")

    def endless(h):
        h.send_response(200)
        h.send_header("content-length", str(total))
        h.end_headers()
        try:
            while sent[0] < total:
                h.wfile.write(b"x" * 65536)
                sent[0] += 65536
        finally:
            done.set()

    def told(h):
        seen_one.set()
        h.answer(b"")

    up = upstream({"/pieces": pieces, "/told": told, "/endless": endless})
    server = serve(ssrd, up, {
        "pieces": """async (up) => { const list = []; for (let r = (await fetch(up + '/pieces')).body.getReader(), c; !(c = await r.read()).done;) {
            list.push(new TextDecoder().decode(c.value)); if (list.length === 1) await fetch(up + '/told'); } return list; }""",
        "first": """async (up) => { const r = (await fetch(up + '/endless')).body.getReader(); const n = (await r.read()).value.byteLength;
            await new Promise((go) => setTimeout(go, 300)); await r.cancel(); return n; }""",
        "pass": "(up) => fetch(up + '/pieces')",
    }, {"fetch": {"max_body": "1GiB"}})
    assert json.loads(server.get("/pieces").text) == ["one", "two"]
    passed = server.get("/pass")
    assert passed.text == "onetwo"
    assert 0 < json.loads(server.get("/first").text) <= 1 << 20
    assert done.wait(PATIENCE_S) and sent[0] < total  # the sender was stopped: what sockets hold, not all


def test_packed_answers_are_unpacked(ssrd, upstream):
    def packed(h):
        assert "gzip" in h.headers["accept-encoding"]
        h.answer(gzip.compress(b"text " * 1000), content_encoding="gzip", content_type="text/plain")

    up = upstream({"/packed": packed})
    server = serve(ssrd, up, {"pass": "(up) => fetch(up + '/packed')"})
    answer = server.get("/pass")
    assert answer.body == b"text " * 1000 and answer["content-encoding"] is None


ITSELF = """
const tell = async (answer) => answer.status + ' ' + (answer.headers.get('cache-status') ?? '') + ' ' + await answer.text();
globalThis.renderPage = async (url, data, request) => {
  const {pathname, searchParams} = new URL(request.url);
  const from = (path) => fetch(new URL(path, 'http://' + (searchParams.get('at') ?? new URL(request.url).host)));
  if (pathname === '/in') return 'in';
  if (pathname === '/post') return 'posted ' + await request.text();
  if (pathname === '/loop') return await tell(await from('/loop'));
  if (pathname === '/wide') return 'wide ' + (await Promise.all([1, 2, 3].map(async (n) => (await from('/in?' + n)).text())));
  if (pathname === '/send') return (await fetch(new URL('/post', request.url), {method: 'POST', body: 'body'})).text();
  if (pathname === '/file') return (await from('/asset.txt')).text();
  return await tell(await from('/in'));
};
"""


def itself(ssrd, **more):
    config = {"workers": 1, "bundle": {"warmup": []}, "render": {"timeout": "1h", "concurrency": 1}, "fetch": {"timeout": "1h"}, **more}
    return ssrd(ITSELF, config)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.7.7.7", "[::1]"])
def test_its_own_address_is_answered_inside(ssrd, host):
    server = itself(ssrd)
    assert server.get(f"/out?at={host}:{server.address[1]}").text.endswith(" in")
    again = server.get(f"/out?at={host}:{server.address[1]}&again").text
    assert again.startswith("200 ") and "hit" in again  # what it rendered is kept


def test_a_request_to_itself_is_one_like_any_other(ssrd, sockets):
    with open(os.path.join(sockets, "asset.txt"), "w", encoding="ascii") as f:
        f.write("a file")
    server = itself(ssrd, static=[{"prefix": "/", "root": sockets}], cache={"ttl": 0})
    host = {"Host": "127.0.0.1:%d" % server.address[1]}
    assert server.get("/send", headers=host).text == "posted body"
    assert server.get("/file", headers=host).text == "a file"
    assert server.get("/wide", headers=host).text == "wide in,in,in"


def test_a_page_that_fetches_itself_ends(ssrd):
    server = itself(ssrd)
    said = server.get("/loop", headers={"Host": "localhost:%d" % server.address[1]}).text
    assert said.count("200 ") == 8 and "508 Loop Detected" in said


def test_workers_that_all_wait_for_themselves_do_not_wait_for_ever(ssrd):
    server = itself(ssrd, workers=2, cache={"ttl": 0})
    clients = [server.connect() for _ in range(16)]
    for i, client in enumerate(clients):
        client.request(f"/wide?{i}", headers={"Host": "localhost:%d" % server.address[1]})
    for client in clients:
        assert client.answer().text == "wide in,in,in"
        client.close()


def test_its_own_address_under_another_name_is_refused(ssrd):
    preload = {"LD_PRELOAD": os.path.join(BUILD, "tests", "e2e", "libfake_resolver.so"), "ASAN_OPTIONS": "verify_asan_link_order=0"}
    server = ssrd("globalThis.renderPage = async (url) => { try { return await (await fetch(url.slice(1))).text(); } catch (e) { return e.message; } };",
                  {"workers": 1, "bundle": {"warmup": []}}, env=preload)
    assert "this server itself" in server.get(f"/http://a.rebind.example:{server.address[1]}/").text


def test_a_thousand_fetches_leave_nothing_behind(ssrd, upstream):
    up = upstream({"/data": lambda h: h.answer(b"x" * 3000)})
    server = serve(ssrd, up, {
        "some": "async (up) => { for (let i = 0; i < 10; i++) await Promise.all(Array.from({length: 10}, async () => (await fetch(up + '/data')).text())); return 1; }",
    }, {"render": {"timeout": "1h"}})
    pid = server.workers()[0]

    def figures():
        with open(f"/proc/{pid}/statm", encoding="ascii") as f:
            return len(os.listdir(f"/proc/{pid}/fd")), int(f.read().split()[1]) * 4096

    assert server.get("/some").text == "1"
    assert server.get("/some").text == "1"
    fds, rss = figures()
    for _ in range(10):
        assert server.get("/some").text == "1"
    now_fds, now_rss = figures()
    assert now_fds <= fds + 10  # connections that are kept: at most as many as were open at once
    assert now_rss < rss + (8 << 20)
    assert metric(server, "ssrd_fetches") == 0
    assert up.connections <= 20


def test_tls_is_checked(ssrd, upstream, sockets):
    key, cert = certificate(sockets)
    up = upstream({"/": lambda h: h.answer(b"safe")})
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    up.server.socket = context.wrap_socket(up.server.socket, server_side=True, do_handshake_on_connect=False)
    cases = {"get": f"async () => (await fetch('https://localhost:{up.port}/')).text()",
             "name": f"async () => (await fetch('https://127.0.0.1:{up.port}/')).text()"}
    server = serve(ssrd, up, cases)
    assert "certificate" in json.loads(server.get("/get").text)["message"]
    server = serve(ssrd, up, cases, env={"SSL_CERT_FILE": cert})
    assert json.loads(server.get("/get").text) == "safe"
    assert "certificate" in json.loads(server.get("/name").text)["message"]


def test_a_malformed_head_fails_the_fetch(ssrd, upstream):
    def bad(h):
        h.wfile.write(b"HTTP/1.1 200 OK\r\na b: c\r\ncontent-length: 0\r\n\r\n")

    up = upstream({"/bad": bad})
    server = serve(ssrd, up, {"bad": "(up) => fetch(up + '/bad')"})
    assert "malformed" in json.loads(server.get("/bad").text)["message"]
    assert metric(server, "ssrd_fetches") == 0
