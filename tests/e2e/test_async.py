# SPDX-License-Identifier: MIT
"""Several renders open in one worker (render.concurrency): shown by who waits for whom."""

import re
import socket
import struct

SHARED = """
const sleep = (ms) => new Promise((go) => setTimeout(go, ms));
let wake;
const woken = new Promise((go) => wake = go);
globalThis.renderPage = async (url, data, request) => {
  console.log('begins ' + url);
  if (url === '/wake') wake('woken');
  const text = url === '/now' ? 'now' : await Promise.race([woken, sleep(3600000)]);
  await sleep(1);
  console.log('ends ' + url);
  return url + ' ' + text;
};
"""
LISTENING = """
const sleep = (ms) => new Promise((go) => setTimeout(go, ms));
globalThis.renderPage = async (url, data, request) => {
  request.signal.addEventListener('abort', () => console.log('aborted ' + url + ' ' + request.signal.reason.name));
  console.log('listens ' + url);
  await sleep(3600000);
};
"""


def ids(server):
    """What was written, with the request that wrote it."""
    return {text: id for id, text in re.findall(r'request=(\S+) text="([^"]*)"', "\n".join(server.lines))}


def test_a_render_may_wait_for_another(ssrd):
    server = ssrd(SHARED, {"workers": 1, "render": {"concurrency": 3, "timeout": "1h"}, "bundle": {"warmup": ["/now"]}})
    with server.connect() as one, server.connect() as two:
        for client, path in ((one, "/one"), (two, "/two")):
            client.request(path)
            server.wait_log("begins " + path)
        assert server.get("/wake").text == "/wake woken"
        assert one.answer().text == "/one woken"
        assert two.answer().text == "/two woken"
    said = ids(server)
    assert len({said["begins " + path] for path in ("/one", "/two", "/wake")}) == 3
    for path in ("/one", "/two", "/wake"):
        assert said["begins " + path] == said["ends " + path]


def test_one_at_a_time_unless_said_otherwise(ssrd):
    server = ssrd(SHARED, {"workers": 1, "render": {"timeout": "300ms"}, "bundle": {"warmup": ["/now"]}})
    with server.connect() as one, server.connect() as two:
        one.request("/one")
        server.wait_log("begins /one")
        two.request("/wake")
        assert one.answer().status == 504  # nobody could wake it
        assert two.answer().text == "/wake woken"


def test_a_client_that_leaves_aborts_what_no_cache_keeps(ssrd):
    server = ssrd(LISTENING, {"workers": 1, "render": {"timeout": "1h"}, "bundle": {"warmup": []}})
    client = server.connect()
    client.request("/private", headers={"Authorization": "Basic x"})
    server.wait_log("listens /private")
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset
    client.close()
    server.wait_log("aborted /private AbortError")
    with server.connect() as next:  # its place is free
        next.request("/next")
        server.wait_log("listens /next")


def test_the_deadline_aborts_after_the_answer(ssrd):
    server = ssrd(LISTENING, {"workers": 1, "render": {"timeout": "50ms"}, "bundle": {"warmup": []}})
    assert server.get("/late").status == 504
    server.wait_log("aborted /late TimeoutError")
