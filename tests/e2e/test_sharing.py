# SPDX-License-Identifier: MIT
"""What workers share of renders: one render a page over all of them, whoever dies, fails or purges meanwhile.

A page takes as long as its URL says (?ms=), in a promise, so that its worker goes on serving. Each render says on
the console when it begins and ends; `who` of a worker is a number it draws for itself."""

import json
import os
import re
import signal
import time

import harness

BUNDLE = """
let who, n = 0;
const field = (url, name, otherwise) => (url.match(new RegExp('[?&]' + name + '=([^&]*)')) || [, otherwise])[1];
globalThis.renderPage = async (url, data, request) => {
  who ??= Math.floor(Math.random() * 1e12);
  if (url.startsWith('/who')) return {body: String(who), cache: {ttl: 0}};
  console.log('begin ' + url);
  const cookie = url.startsWith('/private') ? request.headers.get('cookie') : '';
  await new Promise(done => setTimeout(done, Number(field(url, 'ms', 0))));
  console.log('end ' + url);
  if (Date.now() > Number(field(url, 'until', Infinity))) throw new Error('no longer');
  return {body: 'by ' + who + ' number ' + ++n + ' ' + cookie,
          cache: {ttl: Number(field(url, 'ttl', 300)), swr: Number(field(url, 'swr', 0)), sie: Number(field(url, 'sie', 0))}};
};
"""
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
    assert len(lines(server, "begin", "/page")) == 2 and len(lines(server, "end", "/page")) == 1


def test_a_failure_is_shared_by_both_workers(ssrd):
    server = ssrd(BUNDLE, TWO)
    workers = clients_by_worker(server, 20)
    clients = [client for some in workers.values() for client in some]
    for client in clients:
        client.request("/page?ms=1500&until=0")
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
    until_ms = int(time.time() * 1000) + 800
    url = f"/page?ms=300&ttl=0.2&sie=100&until={until_ms}"
    first = server.get(url)
    assert first.status == 200
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
