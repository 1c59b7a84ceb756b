# SPDX-License-Identifier: MIT
"""What a worker does when it has nothing to do: collecting garbage, renewing pages before they run out."""

import re
import subprocess
import time

import pytest

import harness

GARBAGE = """
const registry = new FinalizationRegistry((url) => console.log('collected what ' + url + ' left'));
globalThis.renderPage = (url) => { registry.register({big: new Array(1000).fill(url)}, url); return 'x'; };
"""


def unpack_br(body):
    command = ["node", "-e", "process.stdin.pipe(require('zlib').createBrotliDecompress()).pipe(process.stdout)"]
    return subprocess.run(command, input=body, capture_output=True, check=True, timeout=harness.PATIENCE_S).stdout


def test_garbage_is_collected_when_nobody_asks_any_more(ssrd):
    server = ssrd(GARBAGE, {"bundle": {"warmup": []}})
    server.get("/this")
    server.wait_log("collected what /this left")


def test_a_page_that_is_asked_for_is_renewed_before_it_runs_out(ssrd):
    server = ssrd(harness.COUNTING, {"cache": {"ttl": "2s", "refresh_ahead": 0.5}})
    first = server.get("/p")
    assert "fwd=uri-miss" in first.cache

    def renewed():
        answer = server.get("/p")
        assert "ssrd; hit" in answer.cache, answer  # nobody ever waits for a render
        return answer.text != first.text

    harness.until(renewed, "another page")
    assert not re.search("stale", server.get("/p").cache)


def test_without_the_option_it_is_not(ssrd):
    server = ssrd(harness.COUNTING, {"cache": {"ttl": "2s"}})
    first = server.get("/p")
    harness.until(lambda: "fwd=uri-miss" in (answer := server.get("/p")).cache or answer.text != first.text, "its end")
    assert "ssrd_renders_total" in server.admin("/metrics").text
    assert 'ssrd_cache_requests_total{result="miss"} 2' in server.admin("/metrics").text


@pytest.mark.parametrize("workers", [1, 2])
def test_a_page_that_is_asked_for_again_gets_smaller_when_there_is_time(ssrd, workers):
    words = "".join(f"<li>{word} of many</li>" for word in ("one", "two", "three", "four", "five"))
    server = ssrd("let n = 0; const words = '" + words + "'; globalThis.renderPage = (url) => { let s = '' + ++n; for (let i = 0; i < 900;"
                  " i++) s += words.slice(i * i % 97) + i; return s; };", {"workers": workers, "bundle": {"warmup": []}})

    client = server.connect()  # one connection: another worker gets the smaller one in its own time

    def ask(**headers):
        return client.get("/p", headers={"Accept-Encoding": "br, gzip", **headers})

    first = ask()
    assert first["content-encoding"] == "br"

    def smaller():
        time.sleep(0.05)  # a client that asks without a pause leaves no spare time on a quick machine
        answer = ask()
        return answer if len(answer.body) < len(first.body) else None

    answer = harness.until(smaller, "a smaller page")
    assert "ssrd; hit" in answer.cache
    assert answer["content-encoding"] == "br" and int(answer["content-length"]) == len(answer.body)
    assert unpack_br(answer.body) == unpack_br(first.body) == server.get("/p").body
    assert answer["etag"] != first["etag"] and answer["vary"] == first["vary"]
    assert ask(**{"If-None-Match": answer["etag"]}).status == 304
    assert ask(**{"If-None-Match": first["etag"]}).status == 200  # other bytes
    assert re.search(r"^ssrd_pages_polished_total(\{[^}]*\})? [1-9]", server.admin("/metrics").text, re.M)
    client.close()


def test_all_workers_together_renew_a_page_once(ssrd):
    server = ssrd("let n = 0; globalThis.renderPage = (url) => { console.log(`renders ${url} at ${Date.now()}`); return String(++n); };",
                  {"workers": 2, "cache": {"ttl": "2s", "refresh_ahead": 0.5}, "bundle": {"warmup": []}})
    server.get("/p")
    clients = [server.connect() for _ in range(8)]

    def rendered_ms():
        return [int(line.rpartition(" at ")[2].rstrip('"')) for line in server.lines if "renders /p" in line]

    def asked():
        for client in clients:
            assert "ssrd; hit" in client.get("/p").cache
        return len(rendered_ms()) >= 2

    harness.until(asked, "a renewal")
    for _ in range(50):
        for client in clients:
            client.get("/p")
    moments = rendered_ms()  # a page is a second old before it may be renewed, however long all this took
    assert all(after - before >= 990 for before, after in zip(moments, moments[1:])), moments
