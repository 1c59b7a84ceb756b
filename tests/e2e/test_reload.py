# SPDX-License-Identifier: MIT
"""Reload: nothing is lost, nothing bad gets in."""

import asyncio
import os
import re
import select
import signal

import pytest

import harness
from loss import Load


def bundle(number):
    return f"globalThis.renderPage = (url) => 'bundle {number} ' + url;"


def test_hup_serves_the_new_bundle(ssrd):
    server = ssrd(bundle(1))
    assert server.get("/p").text == "bundle 1 /p"
    server.bundle.write_text(bundle(2))
    server.signal(signal.SIGHUP)
    assert server.wait_notify("RELOADING=1") and server.wait_notify("READY=1")
    assert server.get("/p").text == "bundle 2 /p", "nor is a page of the old bundle served from a cache"
    assert server.status()["generation"] == 2


def test_ssrctl_reload_waits_until_the_new_generation_serves(ssrd):
    server = ssrd(bundle(1))
    for number in range(2, 6):
        server.bundle.write_text(bundle(number))
        server.ctl("reload")
        assert server.get("/p").text == f"bundle {number} /p"


@pytest.mark.parametrize("source, told", [
    ("let = ;", "SyntaxError"), ("\n\nthrow new TypeError('at load');", "at load"), ("", "empty"),
    ("globalThis.renderPage = 7;", "renderPage"), ("var x = 1;", "renderPage"),
    ("globalThis.renderPage = () => { throw new Error('in warm-up'); };", "in warm-up"),
    ("globalThis.renderPage = () => 42;", "renderPage"),
    ("globalThis.renderPage = () => Promise.reject(new Error('refused'));", "refused"),
    ("globalThis.renderPage = () => ({status: 500, body: ''});", "500"),
    ("globalThis.renderPage = () => { for (;;); };", "time"), ("for (;;);", "still loading"),
    (None, "server.js"),
])
def test_bad_bundle_is_refused_and_the_old_one_goes_on(ssrd, source, told):
    server = ssrd(bundle(1), {"render": {"timeout": "300ms"}})
    pids = server.workers()
    if source is None:
        server.bundle.unlink()
    else:
        server.bundle.write_text(source)
    done = server.ctl("reload", check=False)
    assert done.returncode == 1
    # without the test's folder, which bears the test's name and so what is looked for
    assert told in (done.stdout + done.stderr).replace(str(server.folder), "")
    if source and source.startswith("\n\nthrow"):
        assert "server.js:3:7" in done.stdout + done.stderr, "with its position"
    assert server.get("/new").text == "bundle 1 /new"
    assert server.workers() == pids and server.status()["generation"] == 1
    server.bundle.write_text(bundle(2))
    server.ctl("reload")
    assert server.get("/p").text == "bundle 2 /p", "a good one gets in afterwards"


@pytest.mark.parametrize("text", ["cache: [", "wokers: 2", "workers: many", "render: {timeout: -1s}", "- list", "a: b: c"])
def test_bad_config_is_refused_and_the_old_one_goes_on(ssrd, text):
    server = ssrd(bundle(1))
    good = server.config_file.read_text()
    server.config_file.write_text(text)
    done = server.ctl("reload", check=False)
    assert done.returncode == 1 and re.search(r"ssrd\.yaml:[12]:\d+: ", done.stdout + done.stderr)
    assert server.get("/p").text == "bundle 1 /p"
    server.config_file.write_text(good)
    server.ctl("reload")


def test_config_is_read_anew(ssrd):
    server = ssrd(harness.COUNTING)
    assert server.get("/p").body == server.get("/p").body
    server.config_file.write_text(server.config_file.read_text().replace("cache:\n", "cache:\n  ttl: 0\n"))
    server.ctl("reload")
    assert server.get("/p").body != server.get("/p").body


def test_number_of_workers_changes_with_a_reload(ssrd):
    server = ssrd(bundle(1))
    text = server.config_file.read_text()
    for count in (3, 2):
        server.config_file.write_text(text.replace("workers: 1", f"workers: {count}"))
        server.ctl("reload")
        harness.until(lambda: len(server.workers()) == count, f"{count} workers")


def test_idle_connection_gets_its_next_answer_with_close(ssrd):
    server = ssrd(bundle(1))
    with server.connect() as idle:
        assert idle.get("/p").text == "bundle 1 /p"
        server.bundle.write_text(bundle(2))
        server.ctl("reload")
        answer = idle.get("/p")
        assert answer.status == 200 and answer["connection"].lower() == "close"
        assert idle.until_closed() == b""


def test_render_in_flight_is_finished(ssrd):
    server = ssrd("globalThis.renderPage = u => u === '/slow' ? new Promise(d => setTimeout(d, 400, 'old')) : 'x';")
    with server.connect() as client:
        client.request("/slow")
        server.bundle.write_text(bundle(2))
        server.ctl("reload")
        assert client.answer().text == "old"


def test_old_workers_leave_when_idle(ssrd):
    server = ssrd(bundle(1))
    pidfd = os.pidfd_open(server.workers()[0])
    server.bundle.write_text(bundle(2))
    server.ctl("reload")
    assert select.select([pidfd], [], [], harness.PATIENCE_S)[0], "the old worker is still there"
    os.close(pidfd)


def test_several_reloads_at_once_end_well(ssrd):
    server = ssrd(bundle(1))
    for number in range(2, 12):
        server.bundle.write_text(bundle(number))
        server.signal(signal.SIGHUP)
    server.ctl("reload")
    assert server.get("/p").text == "bundle 11 /p"


@pytest.mark.parametrize("keep_alive", [True, False], ids=["keep-alive", "one-request-per-connection"])
def test_twenty_reloads_under_load_lose_nothing(ssrd, keep_alive):
    server = ssrd(bundle(0), {"workers": 2})
    load = Load(*server.address, connections=16, keep_alive=keep_alive, path="/p",
                accept=lambda body: body.startswith(b"bundle ") and body.endswith(b" /p"))

    async def reloads():
        for number in range(1, 21):
            server.bundle.write_text(bundle(number))
            process = await asyncio.create_subprocess_exec(harness.SSRCTL, "-s", server.control, "reload")
            assert await process.wait() == 0
            await load.answered(64)  # each generation is put to use

    asyncio.run(load.during(reloads()))
    assert load.lost == 0 and load.counts["stale"] == 0, load.counts
    assert server.status()["generation"] == 21


def test_log_format_of_a_refused_config_is_not_taken_over_and_a_good_ones_level_is(ssrd):
    server = ssrd(bundle(1))
    text = server.config_file.read_text()
    server.config_file.write_text(text + "log: {format: json, level: debug}\n")
    server.bundle.write_text("throw 1")
    server.ctl("reload", check=False)
    assert not server.wait_log("reload refused").startswith("{")
    server.bundle.write_text(bundle(2))
    server.ctl("reload")
    server.wait_log('^{.*"debug"')


def test_service_manager_is_told_of_a_refusal(ssrd):
    server = ssrd(bundle(1))
    server.bundle.write_text("throw 1")
    server.signal(signal.SIGHUP)
    assert server.wait_notify("RELOADING=1") and server.wait_notify("READY=1")
    assert "refused" in server.messages[-1] and "generation 1" in server.messages[-1]
