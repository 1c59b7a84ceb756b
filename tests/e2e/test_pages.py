# SPDX-License-Identifier: MIT
"""What a bundle may return, and what becomes of a render that goes wrong."""

import re

import pytest

import harness


def page(body):
    return "globalThis.renderPage = (url, data, request) => { " + body + " };"


def test_string_is_a_200_of_html(ssrd):
    answer = ssrd(page("return '<p>grüße ' + url + '</p>'")).get("/a/b?c=d")
    assert answer.status == 200
    assert answer["content-type"] == "text/html; charset=utf-8"
    assert answer.body == "<p>grüße /a/b?c=d</p>".encode()
    assert answer["content-length"] == str(len(answer.body))
    assert re.fullmatch(r'"[^"]+"', answer["etag"])
    assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", answer["date"])


def test_object_gives_status_headers_and_body(ssrd):
    answer = ssrd(page("return url === '/' ? 'x' : {status: 404, headers: {'X-Kind': 'none',"
                       " 'content-type': 'text/plain'}, body: 'nothing'}")).get("/gone")
    assert (answer.status, answer["x-kind"], answer["content-type"]) == (404, "none", "text/plain")
    assert answer.body == b"nothing"


def test_bytes_go_out_as_they_are(ssrd):
    server = ssrd(page("return {headers: {'content-type': 'application/octet-stream'},"
                       " body: new Uint8Array([0, 255, 10, 13, 128])}"))
    assert server.get().body == bytes([0, 255, 10, 13, 128])


def test_response_object_is_served(ssrd):
    answer = ssrd(page("return new Response('made', {status: 201, headers: {'x-a': 'b'}})")).get()
    assert (answer.status, answer["x-a"], answer.body) == (201, "b", b"made")


def test_redirect_keeps_its_location(ssrd):
    answer = ssrd(page("return {status: 302, headers: {location: '/there'}, body: ''}"),
                  {"bundle": {"warmup": []}}).get()
    assert (answer.status, answer["location"], answer.body) == (302, "/there", b"")


def test_promise_with_a_timer_is_awaited(ssrd):
    server = ssrd(page("return new Promise(done => setTimeout(() => queueMicrotask(() => done('late')), 5))"))
    assert server.get().body == b"late"


def test_data_is_an_empty_object_and_request_tells_method_and_headers(ssrd):
    server = ssrd(page("return JSON.stringify([data, request.method, request.headers.get('X-Probe'),"
                       " request.url.replace(/^http:..[^/]*/, '')])"))
    assert server.get("/p?q", headers={"X-Probe": "42"}).text == '[{},"GET","42","/p?q"]'


def test_function_may_have_another_name_with_dots(ssrd):
    server = ssrd("globalThis.app = {pages: {draw: () => 'dotted'}};", {"bundle": {"function": "app.pages.draw"}})
    assert server.get().body == b"dotted"


def test_ssr_object_tells_version_and_generation(ssrd):
    server = ssrd(page("return JSON.stringify([typeof ssr.version, ssr.generation])"))
    assert server.get().text == '["string",1]'


def test_lone_surrogates_become_replacement_characters(ssrd):
    assert ssrd(page(r"return 'a\ud800b'")).get().text == "a\N{REPLACEMENT CHARACTER}b"


def test_console_goes_to_the_log_as_one_line(ssrd):
    server = ssrd(page(r"console.warn('two\nlines', {a: 1}, 7); return 'x'"))
    server.get()
    line = server.wait_log(r"two\\nlines")
    assert "7" in line


def test_failing_render_is_a_500_that_tells_nothing_and_a_log_line_that_tells_all(ssrd):
    server = ssrd("globalThis.renderPage = (url) => {\n  if (url === '/bad') inner();\n  return 'fine';\n};\n"
                  "function inner() {\n  throw new Error('the secret cause');\n}\n")
    answer = server.get("/bad")
    assert answer.status == 500
    assert "secret" not in answer.text and "server.js" not in answer.text
    line = server.wait_log("the secret cause")
    assert re.search(r"server\.js", line) and "inner" in line and re.search(r"\b6\b", line)
    assert server.get("/good").body == b"fine"


def test_error_page_and_log_share_a_request_id(ssrd):
    server = ssrd(page("if (url === '/bad') throw new Error('boom'); return 'x'"))
    answer = server.get("/bad")
    line = server.wait_log("boom")
    ids = re.findall(r"(?:id|request)=\"?([\w-]+)", line)
    assert any(i in answer.text for i in ids), (line, answer)


@pytest.mark.parametrize("body, word", [
    ("throw {not: 'an error'}", ""), ("return 42", "renderPage"), ("return null", "renderPage"),
    ("return {status: 99999, body: 'x'}", "status"), ("return Promise.reject(new TypeError('no'))", "no"),
    ("return undefined.x", "undefined"), ("return recurse(); function recurse() { return recurse() + 1 }", "stack"),
])
def test_what_is_no_page_is_a_500_and_the_next_page_is_fine(ssrd, body, word):
    server = ssrd(page(f"if (url !== '/bad') return 'fine'; {body}"))
    pid = server.workers()
    assert server.get("/bad").status == 500
    server.wait_log(f"(?i)error.*{word}")
    assert server.get("/good").body == b"fine"
    assert server.workers() == pid


@pytest.mark.parametrize("name, value", [
    ("x-a", r"b\r\nSet-Cookie: c=d"), ("x-a", r"b\nc"), ("x-a", r"b\0c"), (r"x-a: b\r\nx-c", "d"), ("x a", "b"),
])
def test_header_that_would_split_the_answer_is_refused(ssrd, name, value):
    server = ssrd(page(f"if (url === '/') return 'x'; return {{headers: {{'{name}': '{value}'}}, body: 'x'}}"))
    answer = server.get("/bad")
    assert answer.status == 500
    assert b"d" != answer.fields.get("x-c") and "set-cookie" not in answer.fields


@pytest.mark.parametrize("body", [
    "for (;;);", "return new Promise(() => {})", "return /^(a+)+$/.test('a'.repeat(40) + '!') ? '' : 'x'",
    "const f = () => Promise.resolve().then(f); f(); return new Promise(() => {})",
    "try { for (;;); } catch { return 'swallowed' } finally { for (;;); }",
])
def test_render_is_stopped_at_its_deadline(ssrd, body):
    server = ssrd(page(f"if (url !== '/bad') return 'fine'; {body}"), {"render": {"timeout": "100ms"}})
    pid = server.workers()
    assert server.get("/bad").status == 504
    assert server.get("/good").body == b"fine"
    assert server.workers() == pid, "the worker survives"
    assert server.status()["renders"]["timeout"] == 1


def test_route_has_its_own_timeout(ssrd):
    server = ssrd(page("if (url === '/slow') for (;;); return 'fine'"),
                  {"routes": [{"match": "/slow", "render": {"timeout": "50ms"}}]})
    assert server.get("/slow").status == 504


@pytest.mark.parametrize("bomb", [
    "const keep = []; for (;;) keep.push(new Array(1000).fill({}))",
    "let s = 'x'; const keep = []; for (;;) { s += s.slice(0, 1000); keep.push([...s]) }",
])
def test_heap_limit_ends_the_render_not_the_worker_and_is_restored(ssrd, bomb):
    server = ssrd(page(f"if (url.startsWith('/bad')) {{ {bomb} }} return 'fine'"),
                  {"render": {"heap": "64MiB", "timeout": "20s"}})
    pid = server.workers()
    for i in range(3):
        assert server.get(f"/bad{i}").status == 500
        assert server.get(f"/good{i}").body == b"fine"
    assert server.workers() == pid, "the worker survives"
    assert server.status()["renders"]["oom"] == 3


def test_full_queue_sheds_with_retry_after(ssrd):
    server = ssrd(page("if (url.startsWith('/slow')) return new Promise(d => setTimeout(d, 300, 'late'));"
                       " return 'cached'"), {"render": {"queue": 2}})
    assert server.get("/cached").status == 200
    clients = [server.connect() for _ in range(6)]
    for i, client in enumerate(clients):
        client.request(f"/slow{i}")
    assert server.get("/cached").status == 200, "cached pages are still served"
    answers = [client.answer() for client in clients]
    assert {a.status for a in answers} == {200, 503}
    for answer in answers:
        assert (answer.status == 503) == (answer["retry-after"] is not None)


@pytest.mark.parametrize("start", ["warm", "cold"])
def test_both_ways_to_start_a_worker_serve(ssrd, start):
    server = ssrd(harness.COUNTING, {"start": start})
    assert server.get("/a").text.startswith("/a render ")


def test_timers_of_a_render_end_with_it(ssrd):
    server = ssrd("let ticks = 0; globalThis.renderPage = (url) => { if (url === '/leave')"
                  " setInterval(() => ticks++, 1); return url + ' ' + ticks; };", {"cache": {"ttl": 0}})
    server.get("/leave")
    assert {server.get(f"/look{i}").text.split()[1] for i in range(20)} == {"0"}
