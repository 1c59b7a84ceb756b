# SPDX-License-Identifier: MIT
"""ssr.cache: values that JavaScript keeps in the shared cache, seen by all workers."""

import json
import os
import signal

import pytest

import harness

# Runs what the query says and answers with its value as JSON. Uint8Array as {bytes: [...]}.
EVAL = r"""
globalThis.renderPage = (url) => {
    const show = (k, v) => v === undefined ? 'undefined' : v instanceof Uint8Array ? {bytes: [...v]} : v;
    let value;
    try { value = (0, eval)(decodeURIComponent(url.slice(url.indexOf('?') + 1))); } catch (e) { value = 'threw ' + e; }
    return {headers: {'content-type': 'application/json'}, body: JSON.stringify(value, show) ?? '"undefined"', cache: {ttl: 0}};
};"""


def run(server, code, client=None):
    path = "/run?" + "".join(f"%{b:02X}" for b in code.encode())
    answer = client.get(path) if client else server.get(path)
    assert answer.status == 200, answer
    return json.loads(answer.body)


@pytest.fixture
def server(ssrd):
    return ssrd(EVAL, {"bundle": {"warmup": []}})


def workers_with_clients(server):
    """A connection to each of two workers, told apart by what each keeps in its own globals."""
    by_worker = {}
    clients = []

    def both():
        client = server.connect()
        clients.append(client)
        mark = run(server, f"globalThis.mark ??= {len(clients)}", client)
        by_worker.setdefault(mark, client)
        return len(by_worker) == 2
    harness.until(both, "connections to both workers")
    return list(by_worker.values())


@pytest.mark.parametrize("value, back", [
    ("'text'", "text"), ("''", ""), ("'\\u00e4\\u20ac'", "ä€"), ("'\\u00e4'.repeat(5)", "ä" * 5),
    ("'\\ud800'", "\ud800"), ("'x'.repeat(100000)", "x" * 100000),
    ("new Uint8Array([0, 255, 7])", {"bytes": [0, 255, 7]}), ("new Uint8Array(0)", {"bytes": []}),
    ("new Uint8Array([1, 2, 3, 4]).subarray(1, 3)", {"bytes": [2, 3]}), ("new Uint8Array([5]).buffer", {"bytes": [5]}),
    ("({a: [1, null, {b: 'c'}]})", {"a": [1, None, {"b": "c"}]}), ("7.5", 7.5), ("null", None), ("false", False),
    ("['\\u20ac']", ["€"]), ("new Date(0)", "1970-01-01T00:00:00.000Z"),
])
def test_value_comes_back_as_it_was(server, value, back):
    assert run(server, f"ssr.cache.set('k', {value})") is True
    assert run(server, "ssr.cache.get('k')") == back


def test_value_is_a_copy(server):
    assert run(server, "const o = {a: 1}; ssr.cache.set('k', o); o.a = 2; const g = ssr.cache.get('k'); g.a = 3; "
                       "[ssr.cache.get('k').a, ssr.cache.get('k') === ssr.cache.get('k')]") == [1, False]


def test_absent_deleted_and_expired_are_undefined(server):
    assert run(server, "ssr.cache.get('k')") == "undefined"
    assert run(server, "[ssr.cache.set('k', 1), ssr.cache.delete('k'), ssr.cache.delete('k'), typeof ssr.cache.get('k')]") \
        == [True, True, False, "undefined"]
    assert run(server, "[ssr.cache.set('k', 1, {ttl: 0}), typeof ssr.cache.get('k')]") == [False, "undefined"]
    assert run(server, "ssr.cache.set('k', 1, {ttl: 0.2})") is True
    harness.until(lambda: run(server, "ssr.cache.get('k')") == "undefined", "its end")


@pytest.mark.parametrize("code", [
    "ssr.cache.get(1)", "ssr.cache.get('')", "ssr.cache.set('k')", "ssr.cache.set('k', () => 1)", "ssr.cache.set(Symbol(), 1)",
    "ssr.cache.set('k', 1, {ttl: -1})", "ssr.cache.set('k', 1, {ttl: '5'})", "ssr.cache.set('k', 1, {ttl: NaN})",
    "ssr.cache.set('k', 1, {tags: 'a'})", "ssr.cache.set('k', 1, {tags: [1]})", "ssr.cache.set('k', 1, {tags: Array(65).fill('t')})",
    "const a = {}; a.a = a; ssr.cache.set('k', a)", "ssr.cache.delete(undefined)",
])
def test_what_can_not_be_meant_throws(server, code):
    assert run(server, code).startswith("threw TypeError")


def test_what_is_too_large_is_not_kept(server):
    assert run(server, "[ssr.cache.set('k', 'x'.repeat(5 << 20)), ssr.cache.set('k'.repeat(20000), 1), "
                       "ssr.cache.set('j', 1)]") == [False, False, True]


def test_two_workers_share_it(ssrd):
    server = ssrd(EVAL, {"workers": 2, "bundle": {"warmup": []}})
    one, two = workers_with_clients(server)
    assert run(server, "ssr.cache.set('k', {n: 1}, {tags: ['t']})", one) is True
    assert run(server, "ssr.cache.get('k')", two) == {"n": 1}
    assert run(server, "ssr.cache.set('k', {n: 2}, {tags: ['t']})", two) is True
    assert run(server, "ssr.cache.get('k')", one) == {"n": 2}
    server.ctl("purge", "--tag", "t")
    assert [run(server, "ssr.cache.get('k')", c) for c in (one, two)] == ["undefined"] * 2
    assert run(server, "ssr.cache.set('k', 3)", one) is True
    assert run(server, "ssr.cache.delete('k')", two) is True
    assert run(server, "ssr.cache.get('k')", one) == "undefined"


def test_it_outlives_a_worker_but_not_a_purge_of_all_or_a_reload(server):
    run(server, "ssr.cache.set('k', 1)")
    old = server.workers()
    os.kill(old[0], signal.SIGKILL)
    server.await_new_worker(old)
    assert run(server, "ssr.cache.get('k')") == 1
    server.ctl("purge", "--prefix", "/")
    assert run(server, "ssr.cache.get('k')") == 1
    server.ctl("purge", "--all")
    assert run(server, "ssr.cache.get('k')") == "undefined"
    run(server, "ssr.cache.set('k', 1)")
    server.ctl("reload")
    assert run(server, "ssr.cache.get('k')") == "undefined"


def test_it_stays_in_the_cache_file(ssrd, tmp_path):
    config = {"bundle": {"warmup": []}, "cache": {"file": str(tmp_path / "cache")}}
    server = ssrd(EVAL, config)
    run(server, "ssr.cache.set('k', {n: 1}); ssr.cache.set('gone', 1); ssr.cache.delete('gone')")
    server.stop()
    server = ssrd(EVAL, config)
    assert run(server, "[ssr.cache.get('k'), ssr.cache.get('gone') ?? null]") == [{"n": 1}, None]


def test_no_request_reaches_it_and_no_page_hides_it(server):
    run(server, "ssr.cache.set('localhost/run', 1); ssr.cache.set('/run', 1)")
    assert "hit" not in server.get("/run?1").cache
    assert run(server, "ssr.cache.get('localhost/run')") == 1


def test_calls_are_counted(server):
    run(server, "ssr.cache.get('k'); ssr.cache.set('k', 1); ssr.cache.get('k'); ssr.cache.set('k', 'x'.repeat(5 << 20))")
    metrics = server.admin("/metrics").text
    for result in ("hit", "miss", "stored", "refused"):
        assert f'ssrd_fragments_total{{result="{result}"}} 1' in metrics


def test_warm_up_finds_nothing_and_keeps_nothing(ssrd):
    server = ssrd("let kept = ''; globalThis.renderPage = () => { kept += ssr.cache.set('k', 1) + ' ' + ssr.cache.get('k') + ','; return kept; };")
    assert server.get("/").text.startswith("false undefined,")
