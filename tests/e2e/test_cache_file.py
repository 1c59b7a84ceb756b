# SPDX-License-Identifier: MIT
"""cache.file: pages outlive the server; a damaged, foreign or taken file costs pages, never a start or a lie."""

import os
import random
import signal
import socket
import stat
import struct
import subprocess

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


def put_socket(path):
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(os.path.relpath(path))


def put_link(path):
    target = path.parent / "target"
    target.write_bytes(b"somebody's")
    path.symlink_to(target)


@pytest.mark.parametrize("make, text", [
    (lambda f: f.mkdir(), "a directory: name a file in it"),
    (lambda f: f.symlink_to("elsewhere"), "a symbolic link: name the file itself"),
    (put_link, "a symbolic link: name the file itself"),
    (lambda f: f.symlink_to(f), "a symbolic link: name the file itself"),
    (os.mkfifo, "not a regular file: name one on a disk, or one that is not there yet"),
    (put_socket, "not a regular file: name one on a disk, or one that is not there yet"),
    (lambda f: (f.touch(), f.chmod(0o666)), "it must be this user's, mode 0600"),
    (lambda f: (f.touch(), f.chmod(0o620)), "it must be this user's, mode 0600"),
])
def test_what_is_no_file_of_ours_is_refused_and_left_as_it_was(kept, make, text):
    make(kept.file)
    before = kept.file.lstat(), sorted(os.listdir(kept.file.parent))
    server = kept(ready=False)
    assert server.wait() == 78
    assert f"ssrd: cache.file: {kept.file}: " in server.log and text in server.log
    after = kept.file.lstat(), sorted(name for name in os.listdir(kept.file.parent) if name in before[1])
    assert (before[0].st_mode, before[0].st_size, before[0].st_ino, before[1]) == \
        (after[0].st_mode, after[0].st_size, after[0].st_ino, after[1])


@pytest.mark.parametrize("place, text", [
    ("/proc/version", "a file of the kernel's, which keeps nothing: name one on a disk"),
    ("/proc/self/status", "a file of the kernel's, which keeps nothing: name one on a disk"),
    ("/dev/null", "not a regular file: name one on a disk, or one that is not there yet"),
    ("/dev/full", "not a regular file: name one on a disk, or one that is not there yet"),
    ("/proc/self/fd/0", "a symbolic link: name the file itself"),
    ("/dev/shm/", "a directory: name a file in it"),
    ("{}/none/cache", "its folder does not exist: create it"),
    ("{}/server.js/cache", "what should be its folder is a file: name a file in a folder"),
    ("{}/" + "x" * 300, "its name is too long: choose a shorter one"),
])
def test_places_where_no_file_can_be_are_named_with_a_remedy(kept, tmp_path, place, text):
    path = place.format(tmp_path)
    server = kept(ready=False, cache={"file": path})
    if os.geteuid() != 0 and path.startswith("/proc/"):
        text = "this user"
    assert server.wait() == 78
    assert f"ssrd: cache.file: {path}: " in server.log and text in server.log


def test_file_of_another_version_is_set_aside_and_kept(kept):
    server = kept()
    fill(server, 3)
    server.stop()
    content = bytearray(kept.file.read_bytes())
    version, = struct.unpack_from("<I", content, 8)
    struct.pack_into("<I", content, 8, version - 1)
    kept.file.write_bytes(content)
    server = kept()
    assert "of another version or size" in server.log
    assert (kept.file.parent / "cache.old").read_bytes() == content
    assert check(server, {"/p0": b""}) == 0


def test_with_nine_files_set_aside_already_it_says_so(kept):
    kept.file.write_bytes(b"of another kind")
    kept.file.chmod(0o600)
    for number in ("", *range(2, 10)):
        (kept.file.parent / f"cache.old{number}").touch()
    server = kept(ready=False)
    assert server.wait() == 78
    assert "are taken: remove some" in server.log and kept.file.read_bytes() == b"of another kind"


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
@pytest.mark.parametrize("mode", [0o000, 0o400, 0o200])
def test_file_without_the_permission_is_refused(for_all, sockets, mode):
    """As a user for whom permissions count."""
    bundle, file = for_all / "b.js", for_all / "cache"
    bundle.write_text(harness.HELLO)
    bundle.chmod(0o644)
    file.touch()
    os.chown(file, 65534, 65534)
    file.chmod(mode)
    os.chmod(sockets, 0o777)

    def become():
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
    run = subprocess.run(
        [harness.SSRD, "-o", f"listen=unix:{sockets}/pages", "-o", "admin.listen=off", "-o", f"admin.socket={sockets}/c", "-o",
         f"cache.file={file}", bundle], preexec_fn=become, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 78, run.stderr
    assert f"cache.file: {file}: not to be read and written by this user: change its permissions" in run.stderr


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
