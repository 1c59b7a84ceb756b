# SPDX-License-Identifier: MIT
"""HTTP/1.1 in bytes: connections, limits, bad input, the admin listener."""

import json
import os
import re
import select

import pytest

import harness

REQUEST = b"GET /p HTTP/1.1\r\nHost: localhost\r\n\r\n"


def test_connection_is_kept_alive(ssrd):
    with ssrd().connect() as client:
        for i in range(5):
            assert client.get(f"/{i}").text == f"<p>hello /{i}</p>"


def test_pipelined_requests_are_answered_in_order(ssrd):
    with ssrd().connect() as client:
        client.send(b"".join(REQUEST.replace(b"/p", b"/%d" % i) for i in range(50)))
        assert [client.answer().text for _ in range(50)] == [f"<p>hello /{i}</p>" for i in range(50)]


def test_pipelined_hits_behind_a_render_keep_their_order(ssrd):
    server = ssrd("globalThis.renderPage = u => u === '/slow' ? new Promise(d => setTimeout(d, 50, 'slow')) : u;")
    server.get("/a")
    with server.connect() as client:
        client.send(b"".join(REQUEST.replace(b"/p", path) for path in (b"/a", b"/slow", b"/a")))
        assert [client.answer().text for _ in range(3)] == ["/a", "slow", "/a"]


def test_request_may_come_byte_by_byte(ssrd):
    with ssrd().connect() as client:
        for byte in REQUEST:
            client.send(bytes([byte]))
        assert client.answer().status == 200


def test_close_is_honoured(ssrd):
    with ssrd().connect() as client:
        answer = client.get(headers={"Connection": "close"})
        assert answer["connection"].lower() == "close"
        assert client.until_closed() == b""


def test_http_1_0_closes_unless_asked_otherwise(ssrd):
    server = ssrd()
    with server.connect() as client:
        assert client.get(version="1.0").status == 200
        assert client.until_closed() == b""
    with server.connect() as client:
        answer = client.get(version="1.0", headers={"Connection": "keep-alive"})
        assert answer["connection"].lower() == "keep-alive"
        assert client.get(version="1.0").status == 200


def test_head_has_the_headers_of_get_and_no_body(ssrd):
    server = ssrd()
    with server.connect() as client:
        get, head = client.get("/p"), client.get("/p", method="HEAD")
        assert head["content-length"] == get["content-length"] == str(len(get.body))
        assert client.get("/p").body == get.body, "no stray byte between"


def test_another_spelling_of_a_path_does_not_step_around_its_route(ssrd):
    server = ssrd("globalThis.renderPage = (url, data, request) => decodeURI(new URL(request.url).pathname);",
                  {"routes": [{"match": "/account/*", "headers": {"x-route": "account"}}]})
    for path in ("/account/me", "/%61ccount/me", "/x/../account/me", "/x/%2e%2E/account/me", "/./account/me",
                 "/x\\..\\account\\me", "/account/../x", "/accounts/me"):
        answer = server.get(path)
        assert answer["x-route"] == ("account" if answer.text.startswith("/account/") else None), (path, answer)
    assert server.get("/%61ccount/me").text == "/account/me"


def test_methods_that_the_bundle_can_not_answer_are_405(ssrd):
    server = ssrd("globalThis.renderPage = (url) => 'x';")
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        answer = server.get(method=method, body=b"a=b")
        assert answer.status == 405, method
        assert "GET" in answer["allow"] and "HEAD" in answer["allow"]
    taking = ssrd("globalThis.renderPage = (url, data, request) => 'x';")
    assert taking.get(method="POST", body=b"a=b").status == 200
    assert "POST" in taking.get(method="TRACE")["allow"]
    for asked, allowed in ((server, "GET, HEAD"), (taking, taking.get(method="TRACE")["allow"])):
        options = asked.get("*", method="OPTIONS")
        assert (options.status, options["allow"], options["content-length"]) == (204, allowed, None)


BAD = [
    ("no host", b"GET / HTTP/1.1\r\n\r\n", {400}),
    ("two hosts", b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", {400}),
    ("bad host", b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", {400}),
    ("space before colon", b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", {400}),
    ("bare cr in value", b"GET / HTTP/1.1\r\nHost: a\r\nX: b\rc\r\n\r\n", {400}),
    ("nul in value", b"GET / HTTP/1.1\r\nHost: a\r\nX: b\0c\r\n\r\n", {400}),
    ("no colon", b"GET / HTTP/1.1\r\nHost: a\r\nnonsense\r\n\r\n", {400}),
    ("empty name", b"GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n", {400}),
    ("length and chunked", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", {400}),
    ("two lengths", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", {400}),
    ("negative length", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", {400}),
    ("plus in length", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\na", {400}),
    ("length of words", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ten\r\n\r\n", {400}),
    ("unknown coding", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: rot13\r\n\r\n", {400, 501}),
    ("bad chunk size", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", {400, 405}),
    ("no path", b"GET HTTP/1.1\r\nHost: a\r\n\r\n", {400}),
    ("path without slash", b"GET p HTTP/1.1\r\nHost: a\r\n\r\n", {400}),
    ("space in path", b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", {400}),
    ("control in path", b"GET /a\x01 HTTP/1.1\r\nHost: a\r\n\r\n", {400}),
    ("unknown version", b"GET / HTTP/9.9\r\nHost: a\r\n\r\n", {400, 505}),
    ("http/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {400, 405, 505}),
    ("unknown method", b"BREW / HTTP/1.1\r\nHost: a\r\n\r\n", {400, 405, 501}),
    ("method in lower case", b"get / HTTP/1.1\r\nHost: a\r\n\r\n", {400, 405, 501}),
    ("tls hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", {400}),
    ("header too large", b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 20000 + b"\r\n\r\n", {431}),
    ("too many headers", b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 5000 + b"\r\n", {431}),
    ("uri too long", b"GET /" + b"u" * 20000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", {414}),
]


@pytest.fixture(scope="module")
def bad_cases():
    assert len({name for name, *_ in BAD}) == len(BAD)
    return BAD


def test_bad_requests_get_their_4xx_and_the_connection_ends(ssrd, bad_cases):
    server = ssrd()
    wrong = []
    for name, data, wanted in bad_cases:
        with server.connect() as client:
            try:
                client.send(data)
                answer = client.answer()
                if answer.status not in wanted or (answer["connection"] or "").lower() != "close":
                    wrong.append((name, answer))
                client.until_closed()
            except (harness.Closed, OSError) as error:
                wrong.append((name, error))
    assert wrong == []
    assert server.get().status == 200
    assert len(server.workers()) == 1


def test_body_too_large_is_413(ssrd):
    server = ssrd("globalThis.renderPage = (url, data, request) => 'x';", {"http": {"max_body": "1KiB"}})
    with server.connect() as client:
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\n\r\n")
        assert client.answer().status == 413


def test_nothing_behind_a_bad_request_is_taken_for_a_request(ssrd):
    with ssrd().connect() as client:
        client.send(b"GET / HTTP/1.1\r\nHost : a\r\n\r\n" + REQUEST)
        assert client.answer().status == 400
        assert client.until_closed() == b""


def test_slow_header_is_408(ssrd):
    with ssrd(config={"http": {"header_timeout": "100ms"}}).connect() as client:
        client.send(b"GET / HTTP/1.1\r\nHost:")
        answer = client.answer()
        assert answer.status == 408
        assert client.until_closed() == b""


def test_slow_body_is_408(ssrd):
    server = ssrd("globalThis.renderPage = (url, data, request) => 'x';", {"http": {"body_timeout": "100ms"}})
    with server.connect() as client:
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab")
        assert client.answer().status in (408, 405)


def test_a_body_that_drips_for_ever_is_408(ssrd):
    server = ssrd("globalThis.renderPage = (url, data, request) => 'x';", {"http": {"body_timeout": "1s", "min_rate": "1KiB"}})
    with server.connect() as client:
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n")

        def refused():
            try:
                client.send(b"x")
            except OSError:
                return True  # it has closed by now: what it said is here already
            return select.select([client.socket], [], [], 0.05)[0]
        harness.until(refused, "an answer to a body of twenty bytes a second")
        assert client.answer().status == 408


def test_idle_connection_ends_without_a_word(ssrd):
    with ssrd(config={"http": {"keepalive": "100ms"}}).connect() as client:
        assert client.get().status == 200
        assert client.until_closed() == b""


def test_client_that_reads_nothing_is_dropped(ssrd):
    server = ssrd("globalThis.renderPage = () => 'x'.repeat(3 << 20);", {"http": {"send_timeout": "200ms"}})
    with server.connect() as client:
        client.send(REQUEST * 20)  # at once: it may be dropped before a second call
        harness.until(lambda: server.status()["connections"] <= 1, "the connection to be dropped")
    assert server.get(method="HEAD").status == 200  # of the whole page this client might be too slow a reader itself


def test_client_that_leaves_during_its_render_harms_nobody(ssrd):
    server = ssrd("globalThis.renderPage = u => new Promise(d => setTimeout(d, 30, u));")
    for i in range(20):
        client = server.connect()
        client.request(f"/{i}")
        client.close()
    assert server.get("/after").text == "/after"


def test_absolute_form_names_the_host(ssrd):
    with ssrd("globalThis.renderPage = (u) => u;").connect() as client:
        client.send(b"GET http://shop.example/p?q HTTP/1.1\r\nHost: other\r\n\r\n")
        assert client.answer().text == "/p?q"


def test_leading_empty_lines_are_passed_over(ssrd):
    with ssrd().connect() as client:
        client.send(b"\r\n" + REQUEST)
        assert client.answer().status == 200


ODD = """globalThis.fetchHandler = (request) => ({
  '/205': () => ({status: 205, body: 'x'}),
  '/304': () => new Response(null, {status: 304, headers: {etag: '"abc"', 'last-modified': 'Sun, 06 Nov 1994 08:49:37 GMT'}}),
  '/103': () => ({status: 103, body: 'x'}),
  '/head': () => new Response('x', {headers: {'x-large': 'y'.repeat(20000)}}),
  '/next': () => new Response('next')})[new URL(request.url).pathname]();"""


def test_a_status_without_content_has_none_and_keeps_its_fields(ssrd):
    with ssrd(ODD, {"bundle": {"warmup": []}}).connect() as client:
        reset = client.get("/205")
        assert (reset.status, reset["content-length"], reset.body) == (205, "0", b"")
        same = client.get("/304")
        assert (same.status, same["etag"], same["last-modified"]) == (304, '"abc"', "Sun, 06 Nov 1994 08:49:37 GMT")
        assert same["content-length"] is None
        assert client.get("/next").body == b"next"  # nothing was left on the connection


@pytest.mark.parametrize("path, why", [("/103", "a page's status is 200 or more"), ("/head", "larger than 16 KiB")])
def test_what_is_no_page_is_500_and_the_log_says_why(ssrd, path, why):
    server = ssrd(ODD, {"bundle": {"warmup": []}})
    answer = server.get(path)
    assert answer.status == 500 and why not in answer.text
    server.wait_log(why)
    assert answer["x-request-id"] in next(line for line in server.lines if why in line)


def test_unix_socket_serves(ssrd, sockets):
    ssrd(config={"listen": [f"unix:{sockets}/http"]})
    with harness.Client(f"{sockets}/http") as client:
        assert client.get("/u").text == "<p>hello /u</p>"


def test_idle_connections_give_way_to_newcomers_at_the_limit(ssrd):
    server = ssrd(config={"http": {"connections": 8}})
    idle = [server.connect() for _ in range(8)]
    for client in idle:
        assert client.get("/p").status == 200
    for _ in range(20):
        with server.connect() as newcomer:
            assert newcomer.get("/p").status == 200
    server.wait_log("http.connections is reached")
    for client in idle:
        client.close()


def test_big_page_arrives_whole(ssrd):
    server = ssrd("globalThis.renderPage = (u) => u + 'é'.repeat(1500000);")
    for _ in range(3):
        assert server.get("/big").body == ("/big" + "é" * 1500000).encode()


# ---------------------------------------------------------------- admin

def test_health_and_readiness(ssrd):
    server = ssrd()
    assert server.admin("/healthz").status == 200
    assert server.admin("/readyz").status == 200
    assert server.admin("/nothing").status == 404


def test_metrics_are_prometheus_text(ssrd):
    server = ssrd()
    server.get("/a")
    answer = server.admin("/metrics")
    assert answer["content-type"].startswith("text/plain; version=0.0.4")
    names = {line.split("{")[0].split()[0] for line in answer.text.splitlines() if line and line[0] != "#"}
    assert {"ssrd_requests_total", "ssrd_renders_total", "ssrd_cache_requests_total", "ssrd_cache_bytes",
            "ssrd_connections", "ssrd_worker_restarts_total", "ssrd_reloads_total", "ssrd_bundle_generation",
            "ssrd_build_info"} <= names
    with open(os.path.join(harness.ROOT, "README.md"), encoding="utf-8") as file:
        section = file.read().split("## The admin listener")[1].split("\n## ")[0]
    told = set(re.findall(r"ssrd_[a-z_]+", section))
    assert told and {name if name in names else name + "_count" for name in told} <= names
    for method, path in re.findall(r"^\| `(GET|POST) (/\w+)`", section, re.M):
        assert server.admin(path, method=method, body=b"{}" if method == "POST" else None).status not in (404, 405), path
    assert 'ssrd_requests_total{code="200",method="GET"} ' in answer.text


def test_render_endpoint_takes_data_and_passes_the_cache(ssrd):
    server = ssrd("let n = 0; globalThis.renderPage = (u, data) => u + JSON.stringify(data) + ++n;")
    body = json.dumps({"url": "/x?y=1", "data": {"a": [1, "<é>"]}}).encode()
    texts = [server.admin("/render", method="POST", body=body).text for _ in range(2)]
    assert all(t.startswith('/x?y=1{"a":[1,"<é>"]}') for t in texts) and texts[0] != texts[1]


def test_render_endpoint_answers_json_when_asked(ssrd):
    server = ssrd("globalThis.renderPage = () => ({status: 404, headers: {'x-a': 'b'}, body: 'no'});",
                  {"bundle": {"warmup": []}})
    answer = server.admin("/render", method="POST", body=b'{"url":"/x"}', headers={"Accept": "application/json"})
    page = json.loads(answer.body)
    assert (page["status"], page["html"], page["headers"]["x-a"]) == (404, "no", "b")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"url":7}', b'{"data":{}}'])
def test_render_endpoint_names_what_is_wrong(ssrd, body):
    answer = ssrd().admin("/render", method="POST", body=body)
    assert answer.status == 400
    assert answer["content-type"].startswith("application/problem+json")
    assert json.loads(answer.body)["status"] == 400


def test_purge_and_reload_endpoints(ssrd):
    server = ssrd(harness.COUNTING)
    first = server.get("/p").body
    assert server.get("/p").body == first
    assert server.admin("/purge", method="POST", body=b'{"urls":["/p"]}').status == 200
    assert server.get("/p").body != first
    assert server.admin("/reload", method="POST", body=b"").status == 202
    assert harness.until(lambda: server.status()["generation"] == 2, "the second generation")
