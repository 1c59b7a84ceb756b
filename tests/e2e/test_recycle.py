# SPDX-License-Identifier: MIT
"""Workers that are replaced because they have rendered enough or hold too much memory: nobody notices."""

import asyncio

import harness
from loss import Load


def test_after_max_requests_a_worker_is_replaced_before_it_leaves(ssrd):
    server = ssrd(harness.COUNTING, {"workers": 2, "render": {"max_requests": 20}, "cache": {"ttl": 0}})
    old = server.workers()
    idle = [server.connect() for _ in range(20)]
    for _ in range(2):  # 40 renders: one of the two workers has had 20, however they fell
        for client in idle:
            assert client.get("/idle").status == 200
    server.wait_log("a worker is recycled.*reason=render.max_requests")
    for i in range(100):
        assert server.get(f"/p{i}").status == 200
    harness.until(lambda: server.status()["restarts"]["recycled"] >= 1 and set(server.workers()) != set(old), "its successor")
    assert len(server.workers()) == 2
    for client in idle:  # handed over: the connection that was there goes on
        answer = client.get("/idle")
        assert answer.status == 200 and answer["connection"] in (None, "keep-alive")
    assert server.status()["restarts"]["crash"] == 0


def test_a_worker_above_max_rss_is_replaced(ssrd):
    server = ssrd("const keep = []; globalThis.renderPage = (url) => { if (url === '/grow') keep.push(new Uint8Array(1 << 25).fill(1));"
                  " return 'x'; };", {"render": {"max_rss": "150MiB"}, "cache": {"ttl": 0}})
    old = server.workers()
    for _ in range(5):
        assert server.get("/grow").status == 200
    server.wait_log("a worker is recycled.*reason=render.max_rss")
    harness.until(lambda: server.workers() and server.workers() != old, "its successor")
    assert server.get("/p").text == "x"


def test_recycling_under_load_loses_nothing(ssrd):
    server = ssrd(config={"workers": 2, "render": {"max_requests": 50}, "cache": {"ttl": 0}})
    load = Load(*server.address, connections=8, path="/p", accept=lambda body: body == b"<p>hello /p</p>")

    async def act():
        while (await asyncio.to_thread(server.status))["restarts"]["recycled"] < 4:
            await load.answered(100)

    asyncio.run(load.during(act()))
    assert load.lost == 0 and load.counts["stale"] == load.counts["wrong"] == load.counts["refused"] == 0, load.counts
    assert server.status()["restarts"]["crash"] == 0
