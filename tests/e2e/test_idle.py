# SPDX-License-Identifier: MIT
"""What a worker does when it has nothing to do: collecting garbage, renewing pages before they run out."""

import re

import harness

GARBAGE = """
const registry = new FinalizationRegistry((url) => console.log('collected what ' + url + ' left'));
globalThis.renderPage = (url) => { registry.register({big: new Array(1000).fill(url)}, url); return 'x'; };
"""


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


def test_all_workers_together_renew_a_page_once(ssrd):
    server = ssrd("let n = 0; globalThis.renderPage = (url) => { console.log('renders ' + url); return String(++n); };",
                  {"workers": 2, "cache": {"ttl": "2s", "refresh_ahead": 0.5}, "bundle": {"warmup": []}})
    server.get("/p")
    clients = [server.connect() for _ in range(8)]
    rounds = 0

    def renders():
        return len([line for line in server.lines if "renders /p" in line])

    def asked():
        nonlocal rounds
        for client in clients:
            assert "ssrd; hit" in client.get("/p").cache
        rounds += 1
        return renders() >= 2

    harness.until(asked, "a renewal")
    for _ in range(50):
        for client in clients:
            client.get("/p")
    assert renders() == 2
