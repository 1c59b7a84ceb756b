# SPDX-License-Identifier: MIT
"""16 renders that never end and 10 that take all memory: each is answered, and so are those who ask beside it, and the log says on
which route, and where in the JavaScript it stood if V8 came to where it can be stopped. The long form: SSRD_BOMB_ROUNDS=100 (each bomb so often; some 20 minutes)."""

import os
import re

import pytest

import harness
from bombs import BUNDLE, CPU, MEMORY, OUTSIDE

ROUNDS = int(os.environ.get("SSRD_BOMB_ROUNDS", "2"))

ROUTES = [{"match": "/bomb/*"}]


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


@pytest.mark.parametrize("name", OUTSIDE)
def test_what_is_outside_of_the_heap_counts_as_memory(ssrd, name):
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
