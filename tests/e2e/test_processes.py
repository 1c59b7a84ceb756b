# SPDX-License-Identifier: MIT
"""Master, zygote, workers: who is there, what happens when one dies, how all of it ends."""

import asyncio
import os
import select
import signal

import pytest

import harness
from loss import Load


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(word) for word in file.read().split()]


def ended(pid):
    """Wait until the process is gone."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([fd], [], [], harness.PATIENCE_S)[0])
    finally:
        os.close(fd)


def zygote_of(server):
    """The child of the master that is no worker."""
    serving = {w["pid"] for w in server.status()["workers"]}
    return harness.until(lambda: [p for p in children(server.pid) if p not in serving], "a zygote")[0]


def test_as_many_workers_as_asked_for_all_children_of_the_master(ssrd):
    server = ssrd(config={"workers": 3})
    pids = server.workers()
    assert len(set(pids)) == 3 and set(pids) <= set(children(server.pid))


def test_auto_is_one_worker_for_each_usable_cpu(ssrd):
    server = ssrd(config={"workers": "auto"})
    assert 1 <= len(server.workers()) <= len(os.sched_getaffinity(0))


def test_auto_follows_the_affinity_mask(ssrd):
    first = min(os.sched_getaffinity(0))
    server = ssrd(config={"workers": "auto"}, preexec=lambda: os.sched_setaffinity(0, {first}))
    assert len(server.workers()) == 1


@pytest.mark.parametrize("pin", [True, False])
def test_workers_are_pinned_each_to_its_cpu(ssrd, pin):
    cpus = os.sched_getaffinity(0)
    server = ssrd(config={"workers": "auto", "pin": pin})
    masks = [os.sched_getaffinity(pid) for pid in server.workers()]
    if pin:
        assert all(len(mask) == 1 for mask in masks) and len(set(map(frozenset, masks))) == len(masks)
    else:
        assert all(mask == cpus for mask in masks)


def test_master_never_maps_v8s_heap(ssrd):
    server = ssrd()
    with open(f"/proc/{server.pid}/status", encoding="ascii") as file:
        fields = dict(line.split(":", 1) for line in file)
    assert fields["Threads"].strip() == "1"


@pytest.mark.parametrize("start", ["warm", "cold"])
def test_killed_worker_is_replaced_and_its_queue_is_served(ssrd, start):
    server = ssrd(harness.COUNTING, {"start": start})
    old = server.workers()
    os.kill(old[0], signal.SIGSTOP)  # from here on, connections wait in the queue of the listening socket
    clients = [server.connect() for _ in range(50)]
    for i, client in enumerate(clients):
        client.request(f"/p{i}")
    os.kill(old[0], signal.SIGKILL)
    for i, client in enumerate(clients):
        assert client.answer().text.startswith(f"/p{i} render")
    assert server.workers() != old
    assert server.status()["restarts"]["crash"] == 1
    server.wait_log(str(old[0]))


def test_kills_under_load_lose_only_what_was_in_flight(ssrd):
    server = ssrd(config={"workers": 2})
    load = Load(*server.address, connections=16, path="/p", accept=lambda body: body == b"<p>hello /p</p>")
    kills = 5

    async def act():
        for _ in range(kills):
            await load.answered(200)
            old = await asyncio.to_thread(server.workers)
            os.kill(old[0], signal.SIGKILL)
            await asyncio.to_thread(server.await_new_worker, old)
        await load.answered(200)

    asyncio.run(load.during(act()))
    assert load.counts["refused"] == load.counts["wrong"] == load.counts["silent"] == 0, load.counts
    assert load.lost + load.counts["stale"] <= kills * load.connections, load.counts


def test_worker_that_dies_again_and_again_is_restarted_with_back_off(ssrd):
    server = ssrd()

    def die():
        for pid in server.workers():
            os.kill(pid, signal.SIGABRT)
        return any("pause_ms=" in line and "pause_ms=0" not in line for line in server.lines)

    harness.until(die, "a line about the pause before the next start")
    line = server.wait_log(r"pause_ms=[1-9]")
    assert "worker" in line
    harness.until(lambda: server.get().status == 200, "service after the pause")


def test_service_goes_on_when_the_zygote_dies_and_workers_are_still_replaced(ssrd):
    server = ssrd()
    for _ in range(2):
        zygote = zygote_of(server)
        os.kill(zygote, signal.SIGKILL)
        assert ended(zygote)
        assert server.get("/during").status == 200
        old = server.workers()
        os.kill(old[0], signal.SIGKILL)
        server.await_new_worker(old)
        assert server.get("/after").status == 200
    server.wait_log("zygote has died")


def test_zygote_and_worker_killed_together(ssrd):
    server = ssrd()
    old = server.workers()
    for pid in (zygote_of(server), old[0]):
        os.kill(pid, signal.SIGKILL)
    assert server.get("/p").status == 200
    assert server.workers() != old


@pytest.mark.parametrize("start", ["warm", "cold"])
def test_random_differs_between_workers(ssrd, start):
    server = ssrd("globalThis.renderPage = () => [Math.random(), crypto.randomUUID(),"
                  " crypto.getRandomValues(new Uint32Array(2)).join('-')].join(' ');",
                  {"start": start, "cache": {"ttl": 0}})
    seen = []
    for _ in range(4):
        seen.append(server.get("/p").text.split())
        old = server.workers()
        os.kill(old[0], signal.SIGKILL)
        server.await_new_worker(old)
    for column in zip(*seen):
        assert len(set(column)) == 4, column


def test_render_that_nothing_stops_costs_its_worker_and_no_more(ssrd):
    # A built-in that neither interrupt nor termination reaches, for far longer than timeout and grace.
    server = ssrd("globalThis.renderPage = (url) => { if (url !== '/stuck') return 'fine';"
                  " const a = 'a'.repeat(1 << 22) ; return String((a + 'b').lastIndexOf('b' + a.slice(1 << 21)) +"
                  " a.split('').join('b').indexOf('ba'.repeat(1 << 20) + 'c')); };",
                  {"render": {"timeout": "100ms", "grace": "200ms"}})
    with server.connect() as client:
        client.request("/stuck")
        try:
            assert client.answer().status in (200, 503, 504)
        except harness.Closed:
            pass  # killed with its worker
    harness.until(lambda: server.get("/good").text == "fine", "service")


# ---------------------------------------------------------------- the end

@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_graceful_stop_finishes_what_is_in_flight(ssrd, number):
    server = ssrd("globalThis.renderPage = u => u === '/slow' ? new Promise(d => setTimeout(d, 300, 'done')) : 'x';")
    with server.connect() as client:
        client.request("/slow")
        harness.until(lambda: server.status()["connections"] >= 1, "the request to be there")
        server.signal(number)
        assert client.answer().text == "done"
    assert server.wait() == 0
    assert server.leftovers() == [] and not os.path.exists(server.control)


def test_graceful_stop_is_over_at_shutdown_timeout(ssrd):
    server = ssrd("globalThis.renderPage = u => u === '/never' ? new Promise(() => {}) : 'x';",
                  {"shutdown_timeout": "200ms", "render": {"timeout": "60s"}})
    with server.connect() as client:
        client.request("/never")
        assert server.stop() == 0
    assert server.leftovers() == []


def test_quit_stops_at_once(ssrd):
    server = ssrd("globalThis.renderPage = u => u === '/never' ? new Promise(() => {}) : 'x';",
                  {"render": {"timeout": "60s"}})
    with server.connect() as client:
        client.request("/never")
        server.signal(signal.SIGQUIT)
        assert server.wait() == 0
    assert server.leftovers() == [] and not os.path.exists(server.control)


def test_signals_in_quick_succession_end_it_once(ssrd):
    server = ssrd()
    for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
        server.signal(number)
    assert server.wait() == 0
    assert server.leftovers() == []


def test_workers_go_on_for_a_while_when_the_master_is_killed(ssrd):
    server = ssrd()
    server.get("/p")
    server.signal(signal.SIGKILL)
    server.process.wait()
    assert server.get("/p").status == 200 and server.get("/new").status == 200


def test_address_is_free_again_after_a_stop(ssrd):
    first = ssrd()
    assert first.stop() == 0
    second = ssrd(config={"listen": first.config["listen"]}, ready=False)
    second.wait_ready()
