# SPDX-License-Identifier: MIT
"""Pages in encodings: who gets which, once packed, and what is never packed."""

import os
import re
import signal

import pytest

import harness

TEXT = "<!doctype html><ul>" + "<li>one of many</li>" * 300 + "</ul>"
BUNDLE = ("let n = 0; globalThis.renderPage = (url) => ({body: '" + TEXT + "' + ++n, "
          "headers: url.startsWith('/t/') ? {'content-type': decodeURIComponent(url.slice(3))} : {}});")


def ask(server, encoding, path="/", **options):
    headers = {} if encoding is None else {"Accept-Encoding": encoding}
    return server.get(path, headers={**headers, **options.pop("headers", {})}, **options)


def packed(server):
    """How often pages were packed, over all workers."""
    text = server.admin("/metrics").text
    return sum(int(n) for n in re.findall(r'^ssrd_pages_packed_total(?:\{[^}]*\})? (\d+)', text, re.M))


def test_each_client_gets_what_it_takes_best_of_one_render(ssrd):
    server = ssrd(BUNDLE, {"bundle": {"warmup": []}})
    answers = [ask(server, e) for e in ("gzip, deflate, br", "gzip", None, "identity", "br;q=0.1, gzip;q=0.5", "zstd")]
    assert [a["content-encoding"] for a in answers] == ["br", "gzip", None, None, "gzip", None]
    assert {harness.unpack(a) for a in answers} == {(TEXT + "1").encode()}
    assert len({a["etag"] for a in answers}) == 3, "a tag for each encoding"
    assert {a["vary"] for a in answers} == {"Accept-Encoding"}
    assert all(int(a["content-length"]) == len(a.body) for a in answers)
    assert len(answers[0].body) < len(TEXT) / 10
    assert "hit" in answers[1].cache and "uri-miss" in answers[0].cache


def test_a_page_is_packed_once_not_once_a_request(ssrd):
    server = ssrd(BUNDLE)
    for _ in range(5):
        ask(server, "br")
        ask(server, "gzip")
    assert harness.until(lambda: packed(server) == 2, "two packings")


def test_encodings_outlive_the_worker_that_made_them(ssrd):
    server = ssrd(BUNDLE, {"bundle": {"warmup": []}})
    first = ask(server, None)
    assert ask(server, "br")["content-encoding"] == "br"
    old = server.workers()
    os.kill(old[0], signal.SIGKILL)
    server.await_new_worker(old)
    before = packed(server)
    again = ask(server, "br")
    assert "detail=cold" in again.cache and again["content-encoding"] == "br" and harness.unpack(again) == first.body
    assert packed(server) == before


def test_conditions_and_heads_are_of_the_encoding(ssrd):
    server = ssrd(BUNDLE)
    br, plain = ask(server, "br"), ask(server, None)
    same = ask(server, "br", headers={"If-None-Match": br["etag"]})
    assert same.status == 304 and same["etag"] == br["etag"] and same["vary"] == "Accept-Encoding"
    assert ask(server, "br", headers={"If-None-Match": plain["etag"]}).status == 200
    head = ask(server, "br", method="HEAD")
    assert head["content-encoding"] == "br" and head["content-length"] == br["content-length"]


@pytest.mark.parametrize("result", [
    "{body: big, headers: {'content-type': 'image/png'}}",
    "{body: big, headers: {'content-encoding': 'identity-of-mine'}}",
    "{body: big, headers: {'cache-control': 'max-age=60, no-transform'}}",
    "{body: big, headers: {'cache-control': 'No-Transform'}}",
    "{body: big, headers: {'content-type': 'text/event-stream'}}",
    "'short'",
    "{body: new Uint8Array(5000).map((_, i) => (Math.imul(i, 2654435761) ^ Math.imul(i * i, 40503)) >>> 7), headers: {'content-type': 'text/plain'}}",
])
def test_what_does_not_pay_is_left_as_it_is(ssrd, result):
    server = ssrd("const big = 'x'.repeat(5000); globalThis.renderPage = () => (" + result + ");")
    plain, answer = ask(server, None), ask(server, "br, gzip")
    own = "identity-of-mine" in result
    assert answer["content-encoding"] == ("identity-of-mine" if own else None)
    assert answer.body == plain.body and answer["etag"] == plain["etag"]


def test_pages_for_one_reader_are_packed_too(ssrd):
    server = ssrd("globalThis.renderPage = () => ({body: 'x'.repeat(5000), headers: {'cache-control': 'private'}});")
    for _ in range(2):
        answer = ask(server, "br")
        assert answer["content-encoding"] == "br" and harness.unpack(answer) == b"x" * 5000


def test_the_config_chooses_encodings_and_their_order(ssrd):
    server = ssrd(BUNDLE, {"compression": {"encodings": ["zstd", "gzip"], "min": "20KiB"}})
    assert ask(server, "br, gzip")["content-encoding"] is None, "too short"
    server = ssrd(BUNDLE, {"compression": {"encodings": ["zstd", "gzip"]}})
    assert ask(server, "br, gzip, zstd")["content-encoding"] == "zstd"
    assert ask(server, "br, gzip")["content-encoding"] == "gzip"
    server = ssrd(BUNDLE, {"compression": {"encodings": []}})
    answer = ask(server, "br, gzip")
    assert answer["content-encoding"] is None and answer["vary"] is None


def test_an_own_etag_differs_by_encoding(ssrd):
    server = ssrd("globalThis.renderPage = () => ({body: 'x'.repeat(5000), headers: {etag: '\"mine\"'}});")
    assert ask(server, None)["etag"] == '"mine"'
    assert ask(server, "br")["etag"] == '"mine-br"'
    assert ask(server, "br", headers={"If-None-Match": '"mine-br"'}).status == 304
