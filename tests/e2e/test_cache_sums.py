# SPDX-License-Identifier: MIT
"""What clients were told, /metrics, ssrctl cache stat and ssrctl cache ls: after a random run they add up."""

import collections
import os
import random
import re
import signal
import threading

import harness

BUNDLE = """
globalThis.renderPage = (url) => {
    ssr.cache.get('count') ?? ssr.cache.set('count', url);
    if (url.startsWith('/fails')) throw new Error('asked for');
    const slow = url.startsWith('/slow') ? new Promise((done) => setTimeout(done, 30)) : null;
    const page = {status: url.startsWith('/missing') ? 404 : 200, body: url + 'x'.repeat(url.length * 997 % 20000),
                  cache: url.startsWith('/private') ? {private: true} : {ttl: url.startsWith('/short') ? 0.05 : 300, swr: 300}};
    return slow ? slow.then(() => page) : page;
};"""


def metric_sums(text):
    """{metric: {labels as a frozenset: value}}"""
    sums = collections.defaultdict(dict)
    for line in text.splitlines():
        match = re.fullmatch(r'(\w+)(?:\{(.*)\})? (\S+)', line)
        if match:
            labels = frozenset(re.findall(r'(\w+)="([^"]*)"', match[2] or ""))
            sums[match[1]][labels] = float(match[3])
    return sums


def origin(answer):
    """The word that ssrd_cache_requests_total has for what the answer says of itself; None for errors."""
    status = answer.cache
    if "detail=hot" in status or "detail=cold" in status:
        return "hot" if "detail=hot" in status else "cold"
    if "fwd=bypass" in status:
        return "bypass"
    if "collapsed" in status:
        return "collapsed"
    if "hit" in status.replace(";", " ").split():
        return "stale"
    return "miss" if "fwd=" in status else None


def random_requests(server, seed, seen):
    rng = random.Random(seed)
    kinds = ["/p"] * 6 + ["/slow", "/short", "/private", "/missing", "/fails"]
    with server.connect() as client:
        for _ in range(400):
            path = f"{rng.choice(kinds)}{int(rng.paretovariate(0.7)) % 500}"
            method = rng.choice(["GET"] * 9 + ["HEAD", "POST"])
            headers = {"Authorization": "x"} if rng.random() < 0.03 else {}
            try:
                answer = client.get(path, method=method, headers=headers)
            except harness.Closed:
                seen["closed"] += 1
                client = server.connect()
                continue
            seen[f"{answer.status} {method}"] += 1
            seen[f"from {origin(answer)}"] += 1
            if "stored" in answer.cache:
                seen["stored"] += 1


def run(server):
    counts = [collections.Counter() for _ in range(6)]
    threads = [threading.Thread(target=random_requests, args=(server, i, c)) for i, c in enumerate(counts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts, collections.Counter())


def by_label(metric, label):
    sums = collections.Counter()
    for labels, value in metric.items():
        sums[dict(labels)[label]] += int(value)
    return sums


def idle(server):
    """The status, once no render is under way: refreshes go on after their answers."""
    last = None

    def same_twice():
        nonlocal last
        now = server.status()
        now = {key: now[key] for key in ("renders", "cache", "queue", "requests")}
        same, last = now == last, now
        return same and now["queue"] == 0 and now
    return harness.until(same_twice, "renders to end")


def at_one_time(server):
    """What `cache stat`, `cache ls` and /metrics say, with nothing changed from the first to the last: a worker that was
    kept from running tells of its last answers late."""
    def unchanged():
        stat = server.ctl("cache", "stat", json_output=True)
        listed = server.ctl("cache", "ls", json_output=True)
        metrics = metric_sums(server.admin("/metrics").text)
        return stat == server.ctl("cache", "stat", json_output=True) and (stat, listed, metrics)
    return harness.until(unchanged, "figures that stand still")


def check_sums(server, seen):
    idle(server)
    stat, listed, metrics = at_one_time(server)
    # each answer is counted once, with its status and method, and where it came from
    requests = collections.Counter()
    for labels, value in metrics["ssrd_requests_total"].items():
        labels = dict(labels)
        requests[f"{labels['code']} {labels['method']}"] += int(value)
    told = {key: n for key, n in seen.items() if key[0].isdigit()}
    assert {key: requests[key] for key in told} == told
    results = by_label(metrics["ssrd_cache_requests_total"], "result")
    for result in ("hot", "cold", "stale", "miss", "collapsed", "bypass"):
        assert results[result] == seen[f"from {result}"] == stat["requests"][result], (result, results, seen)
    durations = {dict(l)["cache"]: int(v) for l, v in metrics["ssrd_request_duration_seconds_count"].items()}
    for cache in ("hot", "cold", "stale"):
        assert durations[cache] == results[cache], (cache, durations)
    # what stands in the cache
    cold = stat["cold"]
    assert len(listed) == cold["entries"] == metrics["ssrd_cache_entries"][frozenset()]
    assert sum(e["bytes"] for e in listed) == cold["used_bytes"] == metrics["ssrd_cache_bytes"][frozenset()]
    assert cold["used_bytes"] <= cold["budget_bytes"] == metrics["ssrd_cache_budget_bytes"][frozenset()]
    evictions = {dict(l)["cache"]: int(v) for l, v in metrics["ssrd_cache_evictions_total"].items()}
    assert evictions == {"cold": cold["evictions"], "hot": stat["hot"]["evictions"]}
    assert cold["stored"] == metrics["ssrd_cache_stores_total"][frozenset()]
    assert cold["repairs"] == metrics["ssrd_cache_repairs_total"][frozenset()]
    fragments = by_label(metrics["ssrd_fragments_total"], "result")
    assert fragments == stat["fragments"]
    renders = by_label(metrics["ssrd_renders_total"], "result")
    assert renders["ok"] + renders["error"] == fragments["hit"] + fragments["miss"]
    assert metrics["ssrd_render_duration_seconds_count"][frozenset()] == renders["ok"] + renders["error"]
    return stat, renders, evictions


def test_all_figures_add_up(ssrd):
    server = ssrd(BUNDLE, {"workers": 2, "bundle": {"warmup": []}, "cache": {"cold": "1MiB", "hot": "256KiB"}})
    seen = run(server)
    assert seen["closed"] == 0
    stat, renders, evictions = check_sums(server, seen)
    assert evictions["cold"] > 0 and evictions["hot"] > 0, "the run is too small to tell"
    for result in ("hot", "cold", "stale", "miss", "bypass"):
        assert seen[f"from {result}"] > 0, seen
    # a page is stored by its render, whether somebody waited for it or it was a refresh
    assert seen["stored"] <= stat["cold"]["stored"] <= renders["ok"]
    assert stat["cold"]["repairs"] == 0
    # what was stored is there, was replaced by the same page anew, or was evicted
    assert stat["cold"]["entries"] <= stat["cold"]["stored"] + stat["fragments"]["stored"]


def test_nothing_replaced_nothing_lost(ssrd):
    """Each page once: then what was stored and is not there any more was evicted."""
    server = ssrd("globalThis.renderPage = (url) => url + 'x'.repeat(url.length * 997 % 20000);",
                  {"workers": 2, "bundle": {"warmup": []}, "cache": {"cold": "1MiB"}})
    for i in range(300):
        assert "stored" in server.get(f"/{i}?{i * i}").cache
    cold = server.status()["cache"]["cold"]
    assert cold["stored"] == 300 and cold["evictions"] > 0
    assert cold["entries"] == 300 - cold["evictions"]


def check_hits(server, cache):
    """Each answer from a cache is a hit of the entry that it came from, where none was evicted or made anew."""
    sums = collections.Counter()
    for entry in server.ctl("cache", "ls", json_output=True):
        sums[entry["kind"]] += entry["hits"]
    assert sums["page"] == sum(cache["requests"][origin] for origin in ("hot", "cold", "stale")) > 0
    assert sums["fragment"] == cache["fragments"]["hit"] > 0


def test_figures_survive_the_death_of_a_worker(ssrd):
    server = ssrd(BUNDLE, {"workers": 2, "bundle": {"warmup": []}})
    for i in range(40):
        server.get(f"/p{i % 20}")
    before = idle(server)["cache"]
    old = server.workers()
    check_hits(server, before)
    os.kill(old[0], signal.SIGKILL)
    server.await_new_worker(old)
    after = idle(server)["cache"]
    assert after["requests"] == before["requests"] and after["fragments"] == before["fragments"]
    assert after["cold"]["stored"] == before["cold"]["stored"]
    assert after["cold"]["entries"] == before["cold"]["entries"]
    check_hits(server, after)


def test_ls_and_get_show_page_and_fragment(ssrd):
    server = ssrd("globalThis.renderPage = (url) => { ssr.cache.set('menu', 'm', {tags: ['a', 'b']}); "
                  "return {body: 'body of ' + url, cache: {tags: ['t']}}; };", {"bundle": {"warmup": []}})
    server.get("/a")
    page, fragment = sorted(server.ctl("cache", "ls", json_output=True), key=lambda e: e["kind"], reverse=True)
    assert (page["kind"], page["url"], page["host"], page["tags"], page["heat"]) == ("page", "/a", "localhost", ["t"], 0)
    assert (fragment["kind"], fragment["key"], fragment["url"], fragment["tags"]) == ("fragment", "menu", "", ["a", "b"])
    text = server.ctl("cache", "ls").stdout
    assert "fragment menu" in text and "localhost/a" in text
    assert len(server.ctl("cache", "ls", "--prefix", "/", json_output=True)) == 1
    entry, = server.ctl("cache", "get", "/a", json_output=True)
    variant = entry["variants"]["identity"]
    assert variant["body"] == "body of /a" and variant["head"].startswith("HTTP/1.1 200")
    assert "body of /a" in server.ctl("cache", "get", "/a").stdout
    old = server.workers()
    os.kill(old[0], signal.SIGKILL)  # its successor reads the page from the shared cache
    server.await_new_worker(old)
    server.get("/a")
    assert server.ctl("cache", "get", "/a", json_output=True)[0]["heat"] == 1
