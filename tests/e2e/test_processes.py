# SPDX-License-Identifier: MIT
"""Master, zygote, workers: who is there, what happens when one dies, how all of it ends."""

import asyncio
import os
import re
import select
import signal
import subprocess

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


def test_a_zygote_that_replaces_a_dead_one_does_not_warm_up_for_long(ssrd):
    bundle = "globalThis.renderPage = () => { const t = Date.now(); while (Date.now() - t < 15); return 'x'; };"
    server = ssrd(bundle, {"log": {"level": "debug"}})
    server.ctl("reload")
    server.wait_log("generation has gone generation=1")
    since = len(server.lines)
    os.kill(zygote_of(server), signal.SIGKILL)
    line = server.wait_log("the zygote is ready", since)
    assert int(re.search(r"renders=(\d+)", line)[1]) <= 2, line  # at a reload there is time for eight


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


def test_zygote_that_does_not_answer_is_replaced(ssrd):
    server = ssrd(config={"render": {"timeout": "100ms"}})
    os.kill(zygote_of(server), signal.SIGSTOP)
    old = server.workers()
    os.kill(old[0], signal.SIGKILL)
    server.await_new_worker(old)
    server.wait_log("zygote has died")


def test_worker_that_gives_no_sign_of_life_is_replaced(ssrd):
    server = ssrd(config={"workers": 2, "render": {"timeout": "100ms", "grace": "100ms"}})
    old = server.workers()
    os.kill(old[0], signal.SIGSTOP)
    assert old[1] in server.await_new_worker(old)
    assert server.status()["restarts"]["hung"] == 1


def limit_processes(server, count):
    """How many its user may have, of which the server takes note at a fork; -1: as many as before."""
    program = ("import resource, sys; pid, count = map(int, sys.argv[1:]); limits = resource.prlimit(pid, resource.RLIMIT_NPROC);"
               " resource.prlimit(pid, resource.RLIMIT_NPROC, (limits[1] if count < 0 else count, limits[1]))")
    subprocess.run(["/usr/bin/python3", "-c", program, str(server.pid), str(count)], user="nobody", cwd="/", check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another user")
def test_no_process_to_be_had_is_got_over(ssrd, for_all, sockets):
    os.chmod(sockets, 0o777)
    server = ssrd(folder=for_all, user="nobody")
    limit_processes(server, 0)
    done = server.ctl("reload", check=False)
    assert done.returncode == 1 and "zygote can't be started" in done.stdout + done.stderr
    zygote = zygote_of(server)
    os.kill(zygote, signal.SIGKILL)
    server.wait_log("a zygote can't be started; it is tried again")
    limit_processes(server, -1)
    old = server.workers()
    os.kill(old[0], signal.SIGKILL)
    server.await_new_worker(old)
    server.ctl("reload")
    assert server.get().status == 200
    assert server.stop() == 0


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


NEVER = "globalThis.renderPage = u => u === '/never' ? new Promise(() => { setInterval(() => {}, 50); }) : 'x';"


def in_flight(server, client, path="/never"):
    client.request(path)
    harness.until(lambda: server.status()["connections"] >= 1, "the request to be there")


def test_asked_again_to_stop_gracefully_it_is_still_graceful(ssrd):
    server = ssrd("globalThis.renderPage = u => u === '/slow' ? new Promise(d => setTimeout(d, 600, 'done')) : 'x';")
    with server.connect() as client:
        in_flight(server, client, "/slow")
        server.signal(signal.SIGTERM)
        assert server.wait_notify("STOPPING=1")
        server.signal(signal.SIGTERM)
        assert client.answer().text == "done"
    assert server.wait() == 0


def test_second_interrupt_stops_at_once(ssrd):
    server = ssrd(NEVER, {"shutdown_timeout": "60s", "render": {"timeout": "60s"}})
    with server.connect() as client:
        in_flight(server, client)
        server.signal(signal.SIGINT)
        assert server.wait_notify("STOPPING=1")
        server.signal(signal.SIGINT)
        assert server.wait() == 0
    assert server.leftovers() == []


def test_reload_asked_for_while_stopping_is_refused_at_once(ssrd):
    server = ssrd(NEVER, {"render": {"timeout": "60s"}})
    with server.connect() as client:
        in_flight(server, client)
        server.signal(signal.SIGTERM)
        assert server.wait_notify("STOPPING=1")
        done = server.ctl("reload", check=False)
        assert done.returncode == 1 and "stopping" in done.stdout + done.stderr
        assert server.process.poll() is None, "told before the end"
        server.signal(signal.SIGQUIT)
        assert server.wait() == 0


def test_control_commands_are_answered_when_only_an_old_generation_is_left(ssrd):
    server = ssrd(NEVER, {"shutdown_timeout": "20s", "render": {"timeout": "60s"}})
    with server.connect() as client:
        in_flight(server, client)
        old = server.workers()
        server.ctl("reload")
        server.signal(signal.SIGTERM)
        harness.until(lambda: children(server.pid) == old, "the new generation's end")
        for command in (["purge", "/p"], ["cache", "get", "/p"]):
            done = server.ctl(*command, check=False)
            assert done.returncode == 1 and "stopping" in done.stdout + done.stderr
        server.ctl("status")
        server.signal(signal.SIGQUIT)
        assert server.wait() == 0


def test_cold_workers_use_what_the_prover_has_compiled(ssrd):
    bundle = "const late = () => 'page %s'; globalThis.renderPage = () => late();"
    server = ssrd(bundle % "one", {"start": "cold", "workers": 1, "log": {"level": "debug"}})
    server.wait_log(r"compiled code of the bundle.* files=1\b")
    since = len(server.lines)
    [pid] = server.workers()
    os.kill(pid, signal.SIGKILL)
    server.await_new_worker([pid])
    server.wait_log(r"compiled code of the bundle.* files=1\b", since)
    assert server.get("/a").text == "page one"
    since = len(server.lines)
    server.bundle.write_text(bundle % "two")  # of the same length, which is what V8 compares
    server.ctl("reload")
    server.wait_log(r"compiled code of the bundle.* files=1\b", since)
    assert server.get("/a").text == "page two"
    assert "is not used" not in server.log


def test_stop_while_a_cold_start_proves_its_bundle_leaves_nothing(ssrd):
    server = ssrd("for (;;);", {"start": "cold"}, ready=False)
    harness.until(lambda: [p for c in children(server.pid) for p in children(c)], "the process that loads it")
    server.signal(signal.SIGTERM)
    assert server.wait() == 0
    assert server.leftovers() == []


def test_worker_forked_while_it_stops_does_not_outlive_the_master(ssrd):
    server = ssrd("const t = Date.now(); while (Date.now() - t < 700); globalThis.renderPage = () => 'x';", {"start": "cold"})
    zygote = zygote_of(server)
    old = server.workers()
    os.kill(zygote, signal.SIGSTOP)
    os.kill(old[0], signal.SIGKILL)
    server.wait_log("is replaced")
    server.signal(signal.SIGTERM)
    assert server.wait_notify("STOPPING=1")
    os.kill(zygote, signal.SIGCONT)
    assert server.wait() == 0
    assert server.leftovers() == []


def test_stop_does_not_wait_for_the_zygotes_warming_up(ssrd):
    server = ssrd("const t = Date.now(); globalThis.renderPage = () => { const s = Date.now();"
                  " while (Date.now() - s < (s - t > 300 ? 8000 : 2)); return 'x'; };",
                  {"shutdown_timeout": "100ms", "render": {"timeout": "60s"}})
    zygote = next(p for p in children(server.pid) if open(f"/proc/{p}/comm", encoding="ascii").read() == "ssrd-zygote\n")

    def busy():
        with open(f"/proc/{zygote}/stat", encoding="ascii") as file:
            return int(file.read().rsplit(")", 1)[1].split()[11]) * 1000 / os.sysconf("SC_CLK_TCK") > 800
    harness.until(busy, "a slow render in the zygote")
    assert server.stop() == 0
    assert "not gone in time" not in server.log


def test_workers_go_on_for_a_while_when_the_master_is_killed(ssrd):
    server = ssrd()
    server.get("/p")
    server.signal(signal.SIGKILL)
    server.process.wait()
    assert server.get("/p").status == 200 and server.get("/new").status == 200


def test_workers_of_a_killed_master_leave_even_with_an_idle_client(ssrd):
    server = ssrd(config={"shutdown_timeout": "60s"})
    worker = server.workers()[0]
    with server.connect() as idle:
        assert idle.get("/p").status == 200
        server.signal(signal.SIGKILL)
        server.process.wait()
        assert idle.get("/p").status == 200
        assert ended(worker) and idle.until_closed() == b""
    assert server.leftovers() == []


def test_new_server_takes_the_unix_sockets_of_one_that_was_killed(ssrd, sockets):
    address = os.path.join(sockets, "pages")
    config = {"listen": [f"unix:{address}"], "admin": {"listen": "off", "socket": os.path.join(sockets, "c")}}
    first = ssrd(config=config)
    first.address = address
    with first.connect() as old:
        assert old.get("/p").status == 200
        first.signal(signal.SIGKILL)
        first.process.wait()
        second = ssrd(config=config)
        second.address, second.control = address, config["admin"]["socket"]
        assert old.get("/p").status == second.get("/p").status == 200
        assert second.stop() == 0 and not os.path.exists(address)


def test_address_is_free_again_after_a_stop(ssrd):
    first = ssrd()
    assert first.stop() == 0
    second = ssrd(config={"listen": first.config["listen"]}, ready=False)
    second.wait_ready()


def test_while_it_finishes_what_is_in_flight_newcomers_are_refused(ssrd):
    server = ssrd("globalThis.renderPage = u => u === '/slow' ? new Promise(d => setTimeout(d, 1500, 'done')) : 'x';")
    with server.connect() as client:
        in_flight(server, client, "/slow")
        server.signal(signal.SIGTERM)

        def refused():
            try:
                server.connect().close()
            except ConnectionRefusedError:
                return True
            except ConnectionError:  # it met the very moment of closing
                return False
            return False

        harness.until(refused, "a refused connection")
        assert server.process.poll() is None, "refused before the end"
        assert client.answer().text == "done"
    assert server.wait() == 0
