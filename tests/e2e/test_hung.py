# SPDX-License-Identifier: MIT
"""A render that nothing ends takes its worker with it, and nobody else: the worker answers it, hands its other
connections over and is replaced."""

import json
import os
import re
import signal

import pytest

import harness

# What V8 can't interrupt, for hours; and a loop, which it can.
BUNDLE = """
let n = 0;
globalThis.renderPage = (url) => {
  if (url.startsWith('/hang')) {
    console.log('hangs at ' + url);
    return String('a'.repeat(1 << 22).lastIndexOf('a'.repeat(1 << 21) + 'b'));
  }
  if (url === '/late') {  // some seconds, then V8 stops it
    const at = 'a'.repeat(1 << 17).lastIndexOf('a'.repeat(1 << 16) + 'b');
    for (;;) if (at > 0) return 'never';
  }
  if (url.startsWith('/loop')) for (;;) {}
  if (url.startsWith('/fatal')) {  // one allocation beyond what the heap limit leaves room for: V8 gives up
    console.log('hangs at ' + url);
    const a = new Array(32e6).fill(1.5);
    return String(a.fill({}).concat(a).length);
  }
  return url + ' render ' + ++n;
};
"""
LIMITS = {"timeout": "300ms", "grace": "1s"}


def hang(server, path="/hang"):
    since = len(server.lines)
    client = server.connect()
    client.request(path)
    server.wait_log("hangs at " + path, since)
    return client


@pytest.mark.parametrize("start", ["warm", "cold"])
@pytest.mark.parametrize("workers", [1, 2])
def test_a_hung_render_is_answered_and_costs_nobody_else_anything(ssrd, workers, start):
    server = ssrd(BUNDLE, {"workers": workers, "start": start, "render": LIMITS})
    server.get("/hot")
    old = server.workers()
    idle = [server.connect() for _ in range(20)]
    for client in idle:
        assert client.get("/hot").status == 200
    half = server.connect()
    half.send(b"GET /half HTTP/1.1\r\nHo")
    with hang(server) as hung:
        waiting = [server.connect() for _ in range(20)]
        for i, client in enumerate(waiting):
            client.request(f"/wait{i}")
        pipelined = server.connect()
        pipelined.send(b"".join(b"GET /%s HTTP/1.1\r\nHost: a\r\n\r\n" % p for p in (b"hot", b"next", b"hot")))
        assert hung.answer().status == 504
        for i, client in enumerate(waiting):
            assert client.answer().text.startswith(f"/wait{i} render")
        assert [pipelined.answer().text.split()[0] for _ in range(3)] == ["/hot", "/next", "/hot"]
    half.send(b"st: a\r\n\r\n")
    assert half.answer().text.startswith("/half render")
    for client in idle:
        answer = client.get("/hot")
        assert answer.status == 200 and answer["connection"] in (None, "keep-alive")
    harness.until(lambda: server.status()["restarts"] == {"crash": 0, "hung": 1, "recycled": 0}, "the count of hung workers")
    assert len(set(server.await_new_worker(old)) & set(old)) == workers - 1
    assert "url=/hang" in server.wait_log("render hangs")
    server.wait_log("reason=hung")


def test_the_log_tells_where_a_hung_render_stood(ssrd):
    server = ssrd(BUNDLE, {"workers": 2, "render": LIMITS, "routes": [{"match": "/hang/*"}]})

    def stack_of(number):
        with hang(server, f"/hang/{number}") as client:
            assert client.answer().status == 504
        line = server.wait_log(f"render hangs .*url=/hang/{number} ")
        assert "route=/hang/* " in line
        return re.search(r'at=\S*server\.js:6:\d+ stack="    at \S*renderPage \(\S*server\.js:6:\d+\)"', line)

    assert any(stack_of(i) for i in range(20))  # a machine so busy that its copy was not heard in time tells none


def test_who_waits_for_what_does_not_stop_is_answered_at_the_deadline(ssrd):
    server = ssrd(BUNDLE, {"render": {"timeout": "300ms", "grace": "1h"}})
    old = server.workers()
    with hang(server) as first, server.connect() as second:
        second.request("/hang")
        assert [c.answer().status for c in (first, second)] == [504, 504]
        for client in (first, second):  # who comes later does not wait either
            for _ in range(100):
                client.request("/hang")
            assert [client.answer().status for _ in range(100)] == [504] * 100
    assert server.workers() == old
    assert "render hangs" not in server.log
    os.kill(old[0], signal.SIGKILL)


def test_a_page_that_hangs_holds_one_worker_however_often_it_is_asked_for(ssrd):
    server = ssrd(BUNDLE, {"workers": 2, "render": {"timeout": "300ms", "grace": "1h"}})
    old = server.workers()
    with hang(server) as first:
        assert first.answer().status == 504
        others = [server.connect() for _ in range(20)]
        for client in others:
            client.request("/hang")
        with server.connect() as client:
            for i in range(20):
                assert client.get(f"/page{i}").status == 200
    assert len([line for line in server.lines if "hangs at" in line]) == 1
    for pid in old:
        os.kill(pid, signal.SIGKILL)


def test_a_built_in_that_ends_too_late_costs_nobody_else_anything(ssrd):
    server = ssrd(BUNDLE, {"render": {"timeout": "1s", "grace": "1h"}})
    old = server.workers()
    with server.connect() as client, server.connect() as behind:
        client.request("/late")
        assert client.answer().status == 504
        behind.request("/behind")
        assert behind.answer().text.startswith("/behind render")
    assert "took=" in server.wait_log("render took too long and was stopped .*url=/late ")
    assert server.workers() == old


def test_all_who_wait_for_the_hung_render_are_answered(ssrd):
    server = ssrd(BUNDLE, {"render": LIMITS})
    with hang(server) as first:
        others = [server.connect() for _ in range(3)]
        for client in others:
            client.request("/hang")
        assert [c.answer().status for c in (first, *others)] == [504] * 4
    assert len([line for line in server.lines if "hangs at" in line]) == 1


def test_a_stale_page_comes_in_the_place_of_a_hung_render(ssrd):
    bundle = BUNDLE.replace("url.startsWith('/hang')", "url.startsWith('/hang') && n++ > 0 || url === '/hang?x'")
    server = ssrd(bundle, {"render": LIMITS, "cache": {"ttl": "1ms", "sie": "1h"}, "bundle": {"warmup": []}})
    page = server.get("/hang")
    assert page.status == 200
    answer = harness.until(lambda: (lambda a: a if "stale" in a.cache else None)(server.get("/hang")), "a stale page")
    assert answer.body == page.body


def test_what_a_back_end_waits_for_is_answered_with_a_problem(ssrd):
    server = ssrd(BUNDLE, {"render": LIMITS})
    with hang(server), harness.Client(server.admin_address) as client:
        client.request("/render", "POST", body=json.dumps({"url": "/p"}).encode())
        assert client.answer().status == 503  # its data can't go along


def test_when_v8_has_no_memory_left_only_that_render_fails(ssrd):
    server = ssrd(BUNDLE, {"render": {"heap": "16MiB", "timeout": "20s"}})
    with server.connect() as idle:
        assert idle.get("/hot").status == 200
        with hang(server, "/fatal") as fatal, server.connect() as waiting:
            waiting.request("/wait")
            assert fatal.answer().status == 500
            assert waiting.answer().text.startswith("/wait render")
        assert idle.get("/hot").status == 200
    server.wait_log("V8 has no memory left")


def test_a_loop_is_ended_without_its_worker(ssrd):
    server = ssrd(BUNDLE, {"render": LIMITS})
    old = server.workers()
    assert server.get("/loop").status == 504
    assert server.workers() == old


def test_hung_renders_in_all_workers_one_after_the_other(ssrd):
    server = ssrd(BUNDLE, {"workers": 2, "render": LIMITS})
    for i in range(3):
        clients = [server.connect() for _ in range(2)]
        for k, client in enumerate(clients):
            client.request(f"/hang{i}-{k}")
        other = server.connect()
        other.request(f"/p{i}")
        assert [c.answer().status for c in clients] == [504, 504]
        assert other.answer().text.startswith(f"/p{i} render")


@pytest.mark.parametrize("how", ["hang", "crash"])
def test_a_page_on_which_two_workers_died_is_not_rendered_a_third_time(ssrd, how):
    server = ssrd(BUNDLE, {"workers": 2, "render": LIMITS if how == "hang" else {"timeout": "1h"}})
    for _ in range(2):
        old = server.workers()
        with hang(server, "/hang/poison") as client:
            if how == "hang":
                assert client.answer().status == 504
            else:
                server.wait_log("hangs at")
                busy = harness.until(lambda: rendering(old), "the worker that renders")
                os.kill(busy, signal.SIGABRT)  # a crash that sanitizers leave alone
                with pytest.raises(harness.Closed):
                    client.answer()
        server.await_new_worker(old)
    assert "url=" in server.wait_log("two workers died on one page")
    old = server.workers()
    for _ in range(3):
        answer = server.get("/hang/poison")
        assert answer.status == 503 and answer["retry-after"]
    assert server.get("/other").status == 200
    assert server.workers() == old
    assert "ssrd_renders_poisoned_total 3" in server.admin("/metrics").text


def rendering(pids):
    """The one that has used most CPU since a moment ago: the other sleeps."""
    def ticks(pid):
        with open(f"/proc/{pid}/stat", encoding="latin-1") as file:
            return int(file.read().rsplit(")", 1)[1].split()[11])
    before = {pid: ticks(pid) for pid in pids}
    found = harness.until(lambda: [pid for pid in pids if ticks(pid) >= before[pid] + 10], "CPU time used")
    return found[0]


def test_who_waits_behind_a_hung_render_when_the_server_stops_is_told(ssrd):
    server = ssrd(BUNDLE, {"render": LIMITS})
    with server.connect() as behind:
        assert behind.get("/hot").status == 200
        with hang(server) as hung:
            behind.request("/wait")
            os.kill(server.pid, signal.SIGTERM)
            assert hung.answer().status == 504
            assert behind.answer().status == 503
