# SPDX-License-Identifier: MIT
"""cache.file: pages outlive the server; a damaged, foreign or taken file costs pages, never a start or a lie."""

import os
import random
import signal
import stat

import pytest

import harness

QUIET = {"warmup": []}
# No page of one server is like one of another.
COUNTING = "let n = Date.now() * 1000; globalThis.renderPage = (url) => ({body: url + ' render ' + ++n + ' '.repeat(3000), cache: %s});"


@pytest.fixture
def kept(ssrd, tmp_path):
    """start(bundle, …) -> a server on the one cache file of this test."""
    def start(bundle=COUNTING % "{}", cache=None, ready=True, **more):
        config = {"bundle": QUIET, "cache": {"cold": "4MiB", "file": str(tmp_path / "cache"), **(cache or {})}}
        return ssrd(bundle, {**config, **more}, ready=ready)
    start.file = tmp_path / "cache"
    return start


def kill_all(server):
    for pid in server.leftovers():
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    server.process.wait(harness.PATIENCE_S)


def fill(server, count=50):
    return {f"/p{i}": server.get(f"/p{i}").body for i in range(count)}


def check(server, bodies):
    """How many are still those of before; whatever comes is a page of that URL."""
    same = 0
    for path, body in bodies.items():
        answer = server.get(path)
        assert answer.status == 200 and answer.text.split(" ")[0] == path, answer
        same += answer.body == body
        assert (answer.body == body) == ("hit" in answer.cache), answer
    return same


@pytest.mark.parametrize("end", ["stop", "ssrctl stop", "ssrctl drain", "kill -9"])
def test_pages_outlive_the_server(kept, end):
    server = kept()
    assert stat.S_IMODE(os.stat(kept.file).st_mode) == 0o600
    bodies = fill(server)
    if end == "kill -9":
        kill_all(server)
    elif end == "stop":
        assert server.stop() == 0
    else:
        server.ctl(end.split()[1])
        assert server.wait() == 0
    server = kept()
    assert check(server, bodies) == len(bodies)
    assert "detail=hot" in server.get("/p0").cache
    assert "pages of the last time are kept" in server.log


def test_new_server_waits_for_the_workers_of_a_killed_master(kept):
    server = kept()
    bodies = fill(server, 5)
    os.kill(server.pid, signal.SIGKILL)
    server.process.wait(harness.PATIENCE_S)
    assert check(kept(), bodies) == len(bodies)


def test_second_server_on_one_file_is_refused(kept):
    first = kept()
    bodies = fill(first, 5)
    second = kept(ready=False)
    assert second.wait() == 69
    assert f"cache.file: {kept.file}: another ssrd uses it" in second.log
    assert check(first, bodies) == len(bodies)


def test_purged_stays_purged(kept):
    server = kept(COUNTING % "{tags: ['t' + url]}")
    bodies = fill(server, 6)
    server.ctl("purge", "/p0")
    server.ctl("purge", "--prefix", "/p1")
    server.ctl("purge", "--tag", "t/p2")
    kill_all(server)
    server = kept(COUNTING % "{tags: ['t' + url]}")
    again = {path: "hit" in server.get(path).cache for path in bodies}
    assert again == {path: path > "/p2" for path in bodies}
    server.ctl("purge", "--all")
    server.stop()
    server = kept(COUNTING % "{tags: ['t' + url]}")
    assert not any("hit" in server.get(path).cache for path in bodies)


def test_expired_stays_expired_and_age_goes_on(kept):
    server = kept(COUNTING % "{ttl: url === '/short' ? 0.2 : 1000}")
    short, long = server.get("/short").body, server.get("/long").body
    harness.until(lambda: server.get("/short").body != short, "the end of the ttl")
    server.stop()
    server = kept(COUNTING % "{ttl: url === '/short' ? 0.2 : 1000}")
    answer = server.get("/long")
    assert answer.body == long
    assert int(answer["age"]) + int(answer.cache.split("ttl=")[1].split(";")[0]) <= 1000


def test_another_bundle_or_option_serves_none_of_the_pages(kept):
    server = kept()
    bodies = fill(server, 5)
    server.stop()
    other = kept(COUNTING % "{ttl: 999}")
    assert check(other, bodies) == 0
    other.stop()
    other = kept(COUNTING % "{ttl: 999}", headers={"x-site": "two"})
    assert all(other.get(path)["x-site"] == "two" for path in bodies)


def test_reload_drops_the_pages_for_the_next_start_too(kept):
    server = kept()
    bodies = fill(server, 5)
    server.ctl("reload")
    newer = {path: server.get(path).body for path in ("/p0", "/p1")}
    server.stop()
    server = kept()
    assert check(server, newer) == 2
    assert "hit" not in server.get("/p4").cache
    assert bodies


@pytest.mark.parametrize("restart", [False, True])
def test_pages_of_the_last_bundle_are_served_stale_when_asked_for(kept, restart):
    stale = {"on_reload": "stale"}
    server = kept(COUNTING % "{}", stale)
    bodies = fill(server, 3)
    server.bundle.write_text("globalThis.renderPage = (url) => url + ' new';")
    if restart:
        server.stop()
        server = kept(None, stale)
    else:
        server.ctl("reload")
    answer = server.get("/p0")
    assert answer.body == bodies["/p0"] and "hit" in answer.cache, answer
    harness.until(lambda: server.get("/p0").body == b"/p0 new", "the page rendered anew")


def test_flipped_bytes_cost_pages_only(kept):
    server = kept()
    bodies = fill(server, 200)
    kill_all(server)
    random.seed(7)
    with open(kept.file, "r+b") as file:
        size = file.seek(0, os.SEEK_END)
        for _ in range(300):
            at = random.randrange(4096, size)
            file.seek(at)
            byte = file.read(1)[0]
            file.seek(at)
            file.write(bytes([byte ^ 1 << random.randrange(8)]))
    same = check(kept(), bodies)
    assert 20 < same <= len(bodies)


@pytest.mark.parametrize("share", [0.95, 0.5, 0.1, 0.0])
def test_file_cut_short_serves_the_rest(kept, share):
    server = kept()
    bodies = fill(server, 200)
    server.stop()
    os.truncate(kept.file, int(os.stat(kept.file).st_size * share))
    same = check(kept(), bodies)
    assert same >= (100 if share == 0.95 else 0)


def test_file_cut_short_while_it_is_served_kills_nobody(kept):
    server = kept()
    bodies = fill(server, 50)
    workers = server.workers()
    os.truncate(kept.file, 4096)
    check(server, bodies)
    server.get("/nowhere")
    server.wait_log("cache file: a part of it can't be read or written")
    more = {path + "n": server.get(path + "n").body for path in bodies}
    assert all(body.decode().split(" ")[0] == path for path, body in more.items())
    server.ctl("purge", "--all")
    assert server.get("/p0").body != bodies["/p0"]
    server.status()
    assert server.workers() == workers
    assert server.stop() == 0


def test_file_of_another_size_is_set_aside(kept):
    server = kept()
    fill(server, 3)
    server.stop()
    server = kept(cache={"cold": "8MiB"})
    assert os.path.exists(f"{kept.file}.old")
    assert f"now={kept.file}.old" in server.log.replace('"', "")
    server.stop()
    kept.file.write_bytes(b"not a cache at all, but somebody's")
    kept()
    assert (kept.file.parent / "cache.old2").read_bytes() == b"not a cache at all, but somebody's"


@pytest.mark.parametrize("make, text, code", [
    (lambda f: f.mkdir(), "a directory", 78),
    (lambda f: f.symlink_to("elsewhere"), "a symbolic link", 78),
    (os.mkfifo, "not a regular file", 78),
    (lambda f: (f.touch(), f.chmod(0o666)), "others may write it", 78),
    (None, "its folder does not exist", 78),
])
def test_files_that_can_not_be_used_are_refused(kept, tmp_path, make, text, code):
    cache = {}
    if make:
        make(kept.file)
    else:
        cache["file"] = str(tmp_path / "none" / "cache")
    server = kept(ready=False, cache=cache)
    assert server.wait() == code
    assert "cache.file: " in server.log and text in server.log


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user's file")
def test_file_of_another_user_is_refused(kept):
    kept.file.touch()
    os.chown(kept.file, 1, 1)
    server = kept(ready=False)
    assert server.wait() == 78 and "it belongs to another user" in server.log


def test_cache_larger_than_a_file_may_be_is_refused_and_leaves_nothing(ssrd, kept):
    import resource
    server = ssrd(harness.HELLO, {"cache": {"file": str(kept.file)}}, ready=False,
                  preexec=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (8 << 20, 8 << 20)))
    assert server.wait() == 71
    assert "lower cache.cold" in server.log and not kept.file.exists()


def test_cache_larger_than_the_file_system_is_refused_and_leaves_nothing(kept):
    free = os.statvfs(kept.file.parent)
    server = kept(ready=False, cache={"cold": f"{(free.f_bavail * free.f_frsize >> 30) + 2}GiB"})
    assert server.wait() == 71
    assert "no room for it" in server.log and not kept.file.exists()
