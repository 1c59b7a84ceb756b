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
    for path in ("/one", "/two", "/wake"):
        server.wait_log("ends " + path)
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
    server = ssrd(LISTENING, {"workers": 1, "render": {"timeout": "500ms"}, "bundle": {"warmup": []}})
    assert server.get("/late").status == 504
    server.wait_log("aborted /late TimeoutError")


LASTING = """
const sleep = (ms) => new Promise((go) => setTimeout(go, ms));
let wake;
const woken = new Promise((go) => wake = go);
globalThis.fetchHandler = (request, env, ctx) => {
  const url = new URL(request.url).pathname;
  if (url === '/wake') wake();
  if (url === '/next') console.log('begins ' + url);
  if (url === '/one') ctx.waitUntil(Promise.race([woken, sleep(3600000)]).then(() => console.log('after ' + url)));
  if (url === '/bad') ctx.waitUntil(sleep(1).then(() => { throw new Error('too late') }));
  if (url === '/slow') ctx.waitUntil(sleep(500).then(() => console.log('after ' + url)));
  if (url === '/long') ctx.waitUntil(sleep(3600000));
  return new Response('page ' + url, { headers: { 'x-request': 'yes' } });
};
"""


def lasting(ssrd, **render):
    return ssrd(LASTING, {"workers": 1, "render": {"timeout": "1h", **render}, "bundle": {"warmup": ["/"]}})


def test_the_answer_goes_out_before_what_wait_until_was_given(ssrd):
    server = lasting(ssrd)
    assert server.get("/one").text == "page /one"
    assert not any("after /one" in line for line in server.lines)
    server.get("/wake")
    server.wait_log("after /one")
    assert ids(server)["after /one"] != "-"


def test_what_goes_wrong_after_the_answer_is_told_with_its_request(ssrd):
    server = lasting(ssrd)
    assert server.get("/bad").text == "page /bad"
    assert re.search(r"request=[^- ]\S*", server.wait_log("too late"))


def test_wait_until_counts_as_an_open_render(ssrd):
    server = lasting(ssrd, concurrency=1)
    assert server.get("/slow").text == "page /slow"
    assert server.get("/next").text == "page /next"
    server.wait_log("begins /next")
    assert [text for text in ids(server) if "/" in text] == ["after /slow", "begins /next"]


def test_wait_until_ends_with_the_deadline_of_its_render(ssrd):
    server = lasting(ssrd, timeout="300ms")
    assert server.get("/long").text == "page /long"
    server.wait_log("ctx.waitUntil: promises were still open when the render was ended")


def test_a_drain_waits_for_what_wait_until_was_given(ssrd):
    server = lasting(ssrd)
    assert server.get("/slow").text == "page /slow"
    assert server.stop() == 0
    assert any("after /slow" in line for line in server.lines)


def test_a_render_beside_one_that_had_to_be_stopped_has_its_time_all_the_same(ssrd):
    server = ssrd("""
        globalThis.renderPage = async (url) => {
          console.log('begins ' + url);
          if (url === '/loop') for (;;) {}
          if (url === '/open') await new Promise((go) => setTimeout(go, 200));
          return 'page ' + url;
        };
    """, {"workers": 1, "render": {"concurrency": 2, "timeout": "1s"}})
    with server.connect() as open_one, server.connect() as loop:
        open_one.request("/open")
        server.wait_log("begins /open")
        loop.request("/loop")  # until later than the deadline that the other began with
        assert loop.answer().status == 504
        assert open_one.answer().text == "page /open"
