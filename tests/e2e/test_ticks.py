# SPDX-License-Identifier: MIT
"""A render that runs holds up nothing that needs no JavaScript. Shown by order, not by the clock: /spin runs for longer
than any of these tests has patience, so what is answered is answered while it runs."""

import os
import select
import signal

import pytest

import harness

SPIN = """
let n = 0;
const wasm = new Uint8Array([0,97,115,109,1,0,0,0,1,4,1,96,0,0,3,2,1,0,7,5,1,1,102,0,0,10,9,1,7,0,3,64,12,0,11,11]);
const kinds = {
  loop() { for (;;) {} },
  regexp() { return String(/(a+)+b/.test('a'.repeat(80))); },
  replace() { return 'a'.repeat(80).replace(/(a+)+b/, () => 'x'); },
  sort() { return [...Array(1000).keys()].sort(() => { for (;;) {} }); },
  microtasks() { const f = () => Promise.resolve().then(f); return f(); },
  wasm() { new WebAssembly.Instance(new WebAssembly.Module(wasm)).exports.f(); },
  async timer() { await new Promise((go) => setTimeout(go, 1)); for (;;) {} },
  builtin() { return String('a'.repeat(1 << 22).lastIndexOf('a'.repeat(1 << 21) + 'b')); },
  result() { return {get status() { for (;;) {} }}; },
};
globalThis.renderPage = (url) => {
  const kind = url.startsWith('/spin') && url.slice(6);
  if (kind !== false) { console.log('spins at ' + url); return kinds[kind || 'loop'](); }
  return url + ' render ' + ++n;
};
"""
FOR_EVER = {"render": {"timeout": "1h"}, "workers": 1}


def spin(server, path="/spin"):
    """A client whose render runs, until the server ends."""
    since = len(server.lines)
    client = server.connect()
    client.request(path)
    server.wait_log("spins at " + path, since)
    return client


def is_unanswered(client):
    return not select.select([client.socket], [], [], 0)[0]


@pytest.mark.parametrize("kind", ["loop", "regexp", "replace", "sort", "microtasks", "wasm", "timer", "result", "builtin"])
def test_hits_are_answered_while_a_render_runs(ssrd, kind):
    server = ssrd(SPIN, FOR_EVER)
    before = server.get("/hot")
    with server.connect() as early, spin(server, "/spin/" + kind) as waiting:
        for client in (early, server.connect()):  # one that was there, one that comes
            for _ in range(3):
                answer = client.get("/hot")
                assert answer.body == before.body and "detail=hot" in answer.cache, answer
            assert client.get("/hot", headers={"If-None-Match": before["etag"]}).status == 304
            assert client.get("/hot", "HEAD").status == 200
            assert client.get("/hot", "POST", body=b"").status == 405
        assert is_unanswered(waiting)


@pytest.mark.parametrize("start", ["warm", "cold"])
@pytest.mark.parametrize("kind", ["loop", "builtin"])
def test_admin_is_answered_while_a_render_runs(ssrd, start, kind):
    server = ssrd(SPIN, {**FOR_EVER, "start": start})
    with spin(server, "/spin/" + kind) as waiting:
        assert server.admin("/healthz").status == 200
        assert server.admin("/readyz").status == 200
        assert server.status()["workers"][0]["state"] == "serving"
        assert "ssrd_render_ticks_total" in server.admin("/metrics").text
        assert is_unanswered(waiting)


def test_a_purge_while_a_render_runs_reaches_the_hits_beside_it(ssrd):
    server = ssrd(SPIN, FOR_EVER)
    server.get("/kept")
    server.get("/purged")
    with spin(server) as waiting, server.connect() as client:
        server.ctl("purge", "/purged")
        client.request("/purged")  # now a miss: it waits
        assert "detail=hot" in server.get("/kept").cache
        assert is_unanswered(client) and is_unanswered(waiting)


def test_misses_wait_and_are_rendered_in_their_order(ssrd):
    server = ssrd(SPIN, {"render": {"timeout": "1s"}})
    with spin(server) as first:
        clients = [server.connect() for _ in range(3)]
        for i, client in enumerate(clients):
            client.request(f"/p{i}")
        assert first.answer().status == 504
        numbers = []
        for i, client in enumerate(clients):
            url, _, number = client.answer().text.split()
            assert url == f"/p{i}"
            numbers.append(int(number))
        assert numbers == list(range(numbers[0], numbers[0] + 3))


def test_who_asks_for_what_is_being_rendered_joins(ssrd):
    server = ssrd(SPIN, {"render": {"timeout": "1s"}})
    with spin(server) as first, server.connect() as second:
        second.request("/spin")
        server.admin("/healthz")  # by now the worker has read it, most likely
        assert first.answer().status == second.answer().status == 504
    assert len([line for line in server.lines if "spins at" in line]) == 1


def test_the_client_of_a_running_render_may_vanish(ssrd):
    server = ssrd(SPIN, {"render": {"timeout": "1s"}})
    with spin(server) as first, server.connect() as second:
        second.request("/spin")
        first.close()
        assert second.answer().status == 504
    assert server.get("/p").text.startswith("/p render")
    assert server.status()["restarts"] == {"crash": 0, "hung": 0, "recycled": 0}


def test_slow_and_broken_requests_have_their_answers_while_a_render_runs(ssrd):
    server = ssrd(SPIN, {**FOR_EVER, "http": {"header_timeout": "100ms", "connections": 4}})
    with spin(server) as waiting:
        slow = server.connect()
        slow.send(b"GET / HT")
        assert slow.answer().status == 408
        broken = server.connect()
        broken.send(b"GET / HTTP/9.9\r\n\r\n")
        assert broken.answer().status == 400
        for _ in range(20):  # beyond http.connections: the idle ones make room
            server.connect().send(b"G")
        assert is_unanswered(waiting)


@pytest.mark.parametrize("kind", ["loop", "builtin"])
def test_a_reload_while_a_render_runs(ssrd, kind):
    server = ssrd(SPIN, {**FOR_EVER, "shutdown_timeout": "1s"})
    server.get("/hot")
    with spin(server, "/spin/" + kind) as waiting, server.connect() as client:
        assert client.get("/hot")["connection"] in (None, "keep-alive")
        server.ctl("reload")
        assert server.status()["generation"] == 2
        assert "miss" in server.get("/hot").cache  # the new one's
        answer = client.get("/hot")
        assert answer.status == 200 and answer["connection"] == "close"
        with pytest.raises(harness.Closed):  # shutdown_timeout
            waiting.answer()
    harness.until(lambda: len(server.status()["workers"]) == 1, "the end of the old generation")


@pytest.mark.parametrize("kind", ["loop", "builtin"])
def test_a_stop_waits_for_the_running_render_and_no_longer_than_shutdown_timeout(ssrd, kind):
    server = ssrd(SPIN, {**FOR_EVER, "shutdown_timeout": "1s"})
    with spin(server, "/spin/" + kind):
        assert server.stop() == 0
    assert server.leftovers() == []


def test_a_stop_lets_the_running_render_answer(ssrd):
    server = ssrd(SPIN, {"render": {"timeout": "1s"}, "shutdown_timeout": "20s"})
    with spin(server) as waiting:
        server.signal(signal.SIGTERM)
        assert waiting.answer().status == 504
        assert server.wait() == 0


@pytest.mark.parametrize("kind", ["loop", "builtin"])
def test_quit_does_not_wait_for_a_render(ssrd, kind):
    server = ssrd(SPIN, FOR_EVER)
    with spin(server, "/spin/" + kind):
        server.signal(signal.SIGQUIT)
        assert server.wait() == 0
    harness.until(lambda: server.leftovers() == [], "the end of all processes")


def test_hits_are_answered_when_the_master_has_died_and_a_render_runs(ssrd):
    server = ssrd(SPIN, FOR_EVER)
    server.get("/hot")
    with spin(server):
        os.kill(server.pid, signal.SIGKILL)
        server.wait_log("the master has died")
        assert "detail=hot" in server.get("/hot").cache
