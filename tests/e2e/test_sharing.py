# SPDX-License-Identifier: MIT
"""What workers share of renders: one render a page over all of them, whoever dies, fails or purges meanwhile.

A page takes as long as its URL says (?ms=), in a promise, so that its worker goes on serving. Each render says on
the console when it begins and ends; `who` of a worker is a number it draws for itself."""

import json
import os
import re
import select
import signal
import socket
import struct

import pytest

import harness

BUNDLE = """
let who, n = 0, broken = false;
const field = (url, name, otherwise) => (url.match(new RegExp('[?&]' + name + '=([^&]*)')) || [, otherwise])[1];
globalThis.renderPage = async (url, data, request) => {
  who ??= Math.floor(Math.random() * 1e12);
  if (url.startsWith('/who')) return {body: String(who), cache: {ttl: 0}};
  if (url === '/break') { broken = true; return {body: 'broken', cache: {ttl: 0}}; }
  console.log('begin ' + url);
  const cookie = url.startsWith('/private') ? request.headers.get('cookie') : '';
  await new Promise(done => setTimeout(done, Number(field(url, 'ms', 0))));
  console.log('end ' + url);
  if (broken || url.includes('fails')) throw new Error('no longer');
  return {body: 'by ' + who + ' number ' + ++n + ' ' + cookie,
          cache: {ttl: Number(field(url, 'ttl', 300)), swr: Number(field(url, 'swr', 0)), sie: Number(field(url, 'sie', 0))}};
};
"""
FOR_EVER_MS = 3600000
TWO = {"workers": 2, "bundle": {"warmup": []}, "render": {"timeout": "20s"}}


def lines(server, what, url):
    return [line for line in server.log.splitlines() if f"{what} {url}" in line]


def clients_by_worker(server, each):
    """{who: [connections, `each` of them]} for the two workers."""
    found = {}
    tried = 0

    def enough():
        nonlocal tried
        tried += 1
        client = server.connect()
        mine = found.setdefault(client.get(f"/who?{tried}").body, [])
        if len(mine) < each:
            mine.append(client)
        else:
            client.close()
        return len(found) == 2 and all(len(clients) == each for clients in found.values())

    harness.until(enough, "connections to both workers")
    return found


def pid_of(server, line):
    """The process that wrote this line."""
    number = int(re.search(r"worker\D*(\d+)", line).group(1))
    return next(w["pid"] for w in server.status()["workers"] if w["worker"] == number and w["state"] == "serving")


def test_a_thousand_connections_cause_one_render(ssrd):
    server = ssrd(BUNDLE, TWO)
    clients = [server.connect() for _ in range(1000)]
    for client in clients:
        client.request("/page?ms=1500")
    answers = [client.answer() for client in clients]
    assert {answer.status for answer in answers} == {200}
    assert len({answer.body for answer in answers}) == 1
    assert len(lines(server, "begin", "/page")) == 1
    assert sum("collapsed" in answer.cache for answer in answers) >= 1
    requests = [w["requests"] for w in server.status()["workers"]]
    assert all(count > 0 for count in requests), requests
    for client in clients:
        client.close()


def test_the_death_of_the_renderer_costs_one_more_render(ssrd):
    server = ssrd(BUNDLE, TWO)
    workers = clients_by_worker(server, 100)
    for clients in workers.values():
        for client in clients:
            client.request("/page?ms=1500")
    os.kill(pid_of(server, server.wait_log("begin /page")), signal.SIGKILL)
    bodies, lost = set(), 0
    for clients in workers.values():
        for client in clients:
            try:
                answer = client.answer()
                assert answer.status == 200
                bodies.add(answer.body)
            except harness.Closed:
                lost += 1
    assert lost == 100 and len(bodies) == 1
    server.wait_log("end /page")
    assert len(lines(server, "begin", "/page")) == 2 and len(lines(server, "end", "/page")) == 1


def test_a_failure_is_shared_by_both_workers(ssrd):
    server = ssrd(BUNDLE, TWO)
    workers = clients_by_worker(server, 20)
    clients = [client for some in workers.values() for client in some]
    for client in clients:
        client.request("/page?ms=1500&fails")
    assert {client.answer().status for client in clients} == {500}
    assert len(lines(server, "begin", "/page")) == 1


def test_who_waited_for_a_private_page_gets_its_own(ssrd):
    server = ssrd(BUNDLE, TWO)
    workers = clients_by_worker(server, 3)
    clients = [client for some in workers.values() for client in some]
    for number, client in enumerate(clients):
        client.request("/private?ms=200", headers={"Cookie": f"name=n{number}"})
    for number, client in enumerate(clients):
        answer = client.answer()
        assert answer.text.endswith(f" name=n{number}") and "detail=read-cookie" in answer.cache


def test_a_render_that_a_purge_came_across_does_not_bring_the_page_back(ssrd):
    server = ssrd(BUNDLE, TWO)
    (own, waiting), (other, late) = clients_by_worker(server, 2).values()
    own.request("/page?ms=1500")
    server.wait_log("begin /page")
    waiting.request("/page?ms=1500")
    other.request("/page?ms=1500")
    server.ctl("purge", "/page?ms=1500")
    late.request("/page?ms=1500")
    old = own.answer()
    fresh = late.answer()
    assert old.body != fresh.body and len(lines(server, "begin", "/page")) == 2
    assert other.answer().body == fresh.body, "another worker's purged page is not taken"
    waiting.answer()
    for client in (own, waiting, other, late):
        again = client.get("/page?ms=1500")
        assert again.body == fresh.body and "hit" in again.cache
    assert len(lines(server, "begin", "/page")) == 2


def stale(server, url):
    """The page of this URL, stored and past its ttl by now."""
    first = server.get(url)
    return first, harness.until(lambda: (a := server.get(url)) and "stale" in a.cache and a, "a stale page")


def test_a_stale_page_is_renewed_by_one_worker_at_a_time(ssrd):
    server = ssrd(BUNDLE, TWO)
    url = "/page?ms=300&ttl=0.2&swr=100"
    workers = clients_by_worker(server, 1)
    first, _ = stale(server, url)
    clients = [client for some in workers.values() for client in some]

    def renewed():
        answers = [client.get(url) for client in clients]
        assert all(answer.status == 200 and "hit" in answer.cache for answer in answers)
        return len(lines(server, "end", "/page")) > 4

    harness.until(renewed, "a few renders")
    marks = [re.search(r"(begin|end) /page", line).group(1) for line in server.log.splitlines() if " /page" in line]
    assert marks[:8] == ["begin", "end"] * 4, marks
    assert server.get(url).body != first.body


def test_a_stale_page_is_renewed_although_the_renderer_dies(ssrd):
    server = ssrd(BUNDLE, TWO)
    url = "/page?ms=1000&ttl=0.2&swr=100"
    first, _ = stale(server, url)
    since = len(server.lines)
    server.get(url)
    begun = server.wait_log("begin /page", since=0 if len(lines(server, "begin", "/page")) > 1 else since)
    begun = lines(server, "begin", "/page")[-1]
    os.kill(pid_of(server, begun), signal.SIGKILL)

    def renewed():
        try:
            answer = server.get(url)
        except (harness.Closed, OSError):
            return False  # it was in the worker that died
        assert answer.status == 200 and "hit" in answer.cache
        return answer.body != first.body

    harness.until(renewed, "a new page")


def test_a_failed_render_replaces_no_good_page_in_either_worker(ssrd):
    server = ssrd(BUNDLE, TWO)
    workers = clients_by_worker(server, 5)
    clients = [client for some in workers.values() for client in some]
    url = "/page?ms=1000&ttl=0.2&sie=100"
    first = server.get(url)
    assert first.status == 200
    assert {some[0].get("/break").body for some in workers.values()} == {b"broken"}
    failed = harness.until(lambda: (a := server.get(url)) and "stale" in a.cache and a, "a failed render")
    assert failed.status == 200
    good = failed.body
    begun = len(lines(server, "begin", "/page"))
    for client in clients:
        client.request(url)
    answers = [client.answer() for client in clients]
    assert {(answer.status, answer.body) for answer in answers} == {(200, good)}
    assert len(lines(server, "begin", "/page")) == begun + 1


def test_figures_tell_of_shared_renders(ssrd):
    server = ssrd(BUNDLE, TWO)
    workers = clients_by_worker(server, 10)
    clients = [client for some in workers.values() for client in some]
    for client in clients:
        client.request("/page?ms=1000")
    for client in clients:
        client.answer()
    metrics = server.admin("/metrics").text
    assert re.search(r'^ssrd_cache_requests_total\{result="collapsed"\} 19$', metrics, re.M), metrics
    assert json.dumps(server.status())


# ------------------------------------------------------------------ the queue of all workers

# A render that holds its worker: not a promise but a loop, for so many milliseconds.
BUSY = """
let who;
const field = (url, name, otherwise) => (url.match(new RegExp('[?&]' + name + '=([^&]*)')) || [, otherwise])[1];
globalThis.renderPage = (url, data, request) => {
  who ??= Math.floor(Math.random() * 1e12);
  if (url.startsWith('/who')) return {body: String(who), cache: {ttl: 0}};
  console.log('begin ' + url);
  const cookie = url.startsWith('/private') ? request.headers.get('cookie') : '';
  const language = url.startsWith('/varies') ? request.headers.get('accept-language') : '';
  if (url.startsWith('/die')) { const hold = []; for (;;) hold.push(JSON.stringify(hold).length); }
  for (const end = Date.now() + Number(field(url, 'ms', 0)); Date.now() < end;);
  if (url.startsWith('/fails')) throw new Error('as asked');
  return {body: 'by ' + who + ' ' + cookie + language + 'x'.repeat(Number(field(url, 'bytes', 0))),
          cache: {ttl: Number(field(url, 'ttl', 300))}};
};
"""


def busy_pair(ssrd, concurrency=1):
    """A server of two workers; a connection to the one that is then kept busy, more to it; and its name."""
    server = ssrd(BUSY, {**TWO, "render": {"timeout": "1h", "concurrency": concurrency}})
    (name, (holder, *mine)), (other_name, _) = clients_by_worker(server, 5).items()
    return server, holder, mine, name.decode(), other_name.decode()


def hold(server, holder):
    """Its worker renders until the server ends: what is answered is answered by the other."""
    holder.request(f"/hold?ms={FOR_EVER_MS}")
    server.wait_log("begin /hold")


def helped(server):
    return int(re.search(r"^ssrd_renders_helped_total (\d+)", server.admin("/metrics").text, re.M).group(1))


@pytest.mark.parametrize("concurrency", [1, 8])  # 8: the busy one has room, but no time
def test_what_a_busy_worker_would_leave_waiting_is_rendered_by_an_idle_one(ssrd, concurrency):
    server, holder, mine, _, other = busy_pair(ssrd, concurrency)
    hold(server, holder)
    for number, client in enumerate(mine):
        client.request(f"/page/{number}")
    for client in mine:
        answer = client.answer()
        assert answer.text.startswith(f"by {other} ") and "fwd=uri-miss; stored" in answer.cache, answer
    assert not select.select([holder.socket], [], [], 0)[0], "it still runs"
    assert helped(server) >= 4
    for number, client in enumerate(mine):
        again = client.get(f"/page/{number}")
        assert "hit" in again.cache and again.text.startswith(f"by {other} ")
    assert len(lines(server, "begin", "/page")) == 4


def rendering_for_ever(server, clients):
    """These begin a render each that never ends; the processes, in order. Mostly that of their connections; the other when
    one comes just while JavaScript runs."""
    pids = []
    for number, client in enumerate(clients):
        client.request(f"/page/{number}?ms={FOR_EVER_MS}")
        pids.append(pid_of(server, server.wait_log(f"begin /page/{number}")))
    return pids


def test_renders_beyond_concurrency_are_the_other_workers(ssrd):
    server = ssrd(BUNDLE, {**TWO, "render": {"timeout": "1h", "concurrency": 2}})
    clients = next(iter(clients_by_worker(server, 4).values()))
    pids = rendering_for_ever(server, clients[:3])
    full = max(pids, key=pids.count)
    assert sorted(pids.count(pid) for pid in set(pids)) == [1, 2]
    for number in range(3):
        assert "fwd=uri-miss; stored" in clients[3].get(f"/late/{number}").cache
        assert pid_of(server, lines(server, "begin", f"/late/{number}")[0]) != full


def test_a_worker_helps_as_long_as_it_has_room(ssrd):
    server = ssrd(BUNDLE, {**TWO, "render": {"timeout": "1h", "concurrency": 2}})
    clients = next(iter(clients_by_worker(server, 5).values()))
    pids = rendering_for_ever(server, clients[:4])
    assert [pids.count(pid) for pid in set(pids)] == [2, 2]
    clients[4].request("/late")
    # what the other renders waits, in the eyes of the one that has its connection
    harness.until(lambda: server.status()["queue"] == 3, "one that nobody has begun")
    assert lines(server, "begin", "/late") == []


def test_pages_that_are_not_for_sharing_come_from_the_other_worker_too(ssrd):
    server, holder, mine, _, other = busy_pair(ssrd)
    hold(server, holder)
    for number, client in enumerate(mine):
        client.request("/private", headers={"Cookie": f"n{number}"})
    for number, client in enumerate(mine):
        answer = client.answer()
        assert answer.text == f"by {other} n{number}" and "detail=read-cookie" in answer.cache, answer


def test_variants_come_from_the_other_worker_each_to_its_own(ssrd):
    server, holder, mine, _, other = busy_pair(ssrd)
    hold(server, holder)
    for number, client in enumerate(mine):
        client.request("/varies", headers={"Accept-Language": f"l{number % 2}"})
    for number, client in enumerate(mine):
        assert client.answer().text == f"by {other} l{number % 2}"


def test_a_bypass_and_a_failure_are_told_as_if_they_were_at_home(ssrd):
    server, holder, mine, _, other = busy_pair(ssrd)
    hold(server, holder)
    mine[0].request("/page", headers={"Authorization": "x"})
    mine[1].request("/fails")
    bypass, failure = mine[0].answer(), mine[1].answer()
    assert bypass.text.startswith(f"by {other} ") and "fwd=bypass" in bypass.cache
    assert failure.status == 500
    server.wait_log(f"render failed .*request={failure['x-request-id']}")


def test_a_page_too_large_to_go_through_is_rendered_at_home(ssrd):
    server, holder, mine, name, _ = busy_pair(ssrd)
    holder.request("/hold?ms=500")
    server.wait_log("begin /hold")
    mine[0].request("/private?bytes=200000", headers={"Cookie": "me"})
    answer = mine[0].answer()
    assert answer.text.startswith(f"by {name} me") and len(answer.body) > 200000
    holder.answer()


def test_the_death_of_who_helps_gives_the_render_back(ssrd):
    server, holder, mine, name, other = busy_pair(ssrd)
    holder.request("/hold?ms=3000")
    server.wait_log("begin /hold")
    mine[0].request("/page?ms=1000")
    os.kill(pid_of(server, server.wait_log("begin /page")), signal.SIGKILL)
    answer = mine[0].answer()
    assert answer.status == 200 and not answer.text.startswith(f"by {other} ")
    assert len(lines(server, "begin", "/page")) == 2
    assert holder.answer().text.startswith(f"by {name} ")


def test_the_death_of_who_asked_leaves_nothing_undone(ssrd):
    server, holder, mine, _, _ = busy_pair(ssrd)
    holder.request("/hold?ms=5000")
    victim = pid_of(server, server.wait_log("begin /hold"))
    for number, client in enumerate(mine):
        client.request(f"/page/{number}?ms=300")
    server.wait_log("begin /page")
    old = server.workers()
    os.kill(victim, signal.SIGKILL)
    server.await_new_worker(old)
    for number in range(20):
        assert server.get(f"/other/{number}").status == 200
    assert server.status()["queue"] == 0


def test_nothing_is_rendered_for_clients_that_left(ssrd):
    server = ssrd(BUSY, TWO)
    workers = list(clients_by_worker(server, 5).values())
    for number, (holder, *_) in enumerate(workers):
        holder.request(f"/hold/{number}?ms=1500")
        server.wait_log(f"begin /hold/{number}")
    for number, clients in enumerate(workers):
        for client in clients[1:]:
            client.request(f"/page/{number}/{id(client)}")
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset
            client.close()
    for holder, *_ in workers:
        holder.answer()
    assert harness.until(lambda: server.status()["queue"] == 0, "an empty queue")
    assert lines(server, "begin", "/page") == []


def test_the_bound_is_that_of_all_workers(ssrd):
    server = ssrd(BUSY, {**TWO, "render": {"queue": 6, "timeout": "20s"}})
    workers = clients_by_worker(server, 1)
    for number, (client,) in enumerate(workers.values()):
        client.request(f"/hold/{number}?ms=1500")
    for number in range(2):
        server.wait_log(f"begin /hold/{number}")
    clients = [server.connect() for _ in range(20)]
    for number, client in enumerate(clients):
        client.request(f"/page/{number}")
    answers = [client.answer() for client in clients]
    assert sorted(answer.status for answer in answers) == [200] * 6 + [503] * 14
    assert all(answer["retry-after"] for answer in answers if answer.status == 503)
    assert 'ssrd_renders_total{result="shed"} 14' in server.admin("/metrics").text


def test_what_cannot_end_in_time_is_not_begun(ssrd):
    server = ssrd(BUSY, {"workers": 1, "bundle": {"warmup": []}, "render": {"timeout": "1s"}})
    clients = [server.connect() for _ in range(8)]
    for number, client in enumerate(clients):
        client.request(f"/page/{number}?ms=600")
    answers = [client.answer() for client in clients]
    shed = [answer for answer in answers if answer.status == 503]
    assert shed and len(lines(server, "begin", "/page")) + len(shed) == 8
    assert all(answer["retry-after"] for answer in shed)


def test_a_route_has_a_queue_of_its_own(ssrd):
    server = ssrd(BUSY, {**TWO, "routes": [{"match": "/few/*", "render": {"queue": 2}}]})
    for number, (client, *_) in enumerate(clients_by_worker(server, 1).values()):
        client.request(f"/hold/{number}?ms=1500")
        server.wait_log(f"begin /hold/{number}")
    few = [server.connect() for _ in range(6)]
    many = [server.connect() for _ in range(6)]
    for number, (client, other) in enumerate(zip(few, many)):
        client.request(f"/few/{number}")
        other.request(f"/many/{number}")
    assert sorted(client.answer().status for client in few) == [200] * 2 + [503] * 4
    assert {client.answer().status for client in many} == {200}
