# SPDX-License-Identifier: MIT
"""cache.file on a disk that is really full: a tmpfs of a few MiB in a mount namespace of the test's own."""

import contextlib
import errno
import os
import subprocess

import pytest

import harness

MIB = 1 << 20
COUNTING = "let n = Date.now() * 1000; globalThis.renderPage = (url) => ({body: url + ' render ' + ++n + ' '.repeat(3000)});"
CAP_SYS_ADMIN = 21


def may_mount():
    with open("/proc/self/status", encoding="ascii") as status:
        effective = next(line.split()[1] for line in status if line.startswith("CapEff:"))
    return bool(int(effective, 16) >> CAP_SYS_ADMIN & 1)


pytestmark = pytest.mark.skipif(not may_mount(), reason="needs CAP_SYS_ADMIN: a file system of its own is mounted")


class Disk:
    """The mount exists for one process that waits, and for what joins it; it goes with the last of them."""

    def __init__(self, mount, mib):
        mount.mkdir()
        self.inside = mount / "cache"
        script = 'mount -t tmpfs -o size="$1",mode=0700 none "$0" && echo ready && exec cat'
        self.holder = subprocess.Popen(
            ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, str(mount), f"{mib}m"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.holder.stdout.readline() == b"ready\n", "no tmpfs could be mounted"
        self.root = f"/proc/{self.holder.pid}/root{mount}"
        self.file = f"{self.root}/cache"
        self.wrapper = ["nsenter", f"--mount=/proc/{self.holder.pid}/ns/mnt"]

    def end(self):
        self.holder.stdin.close()
        self.holder.wait(harness.PATIENCE_S)
        self.holder.stdout.close()

    def fill(self):
        """Until not one byte more goes in."""
        with open(f"{self.root}/filler", "ab", buffering=0) as filler:
            for size in (65536, 1):
                with contextlib.suppress(OSError):
                    while True:
                        filler.write(b"x" * size)
        free = os.statvfs(self.root)
        assert free.f_bavail == 0, free

    def make_room(self):
        os.unlink(f"{self.root}/filler")


@pytest.fixture
def disk(tmp_path, request):
    made = Disk(tmp_path / "disk", request.param)
    yield made
    made.end()


@pytest.fixture
def kept(ssrd, disk):
    """start() -> a server whose cache file is on the disk."""
    def start(ready=True):
        config = {"bundle": {"warmup": []}, "cache": {"cold": "4MiB", "file": str(disk.inside)}}
        return ssrd(COUNTING, config, ready=ready, wrapper=disk.wrapper)
    return start


def fill(server, count=100):
    return {f"/p{i}": server.get(f"/p{i}").body for i in range(count)}


@pytest.mark.parametrize("disk", [1], indirect=True)
def test_disk_too_small_is_refused_and_left_as_it_was(kept, disk):
    server = kept(ready=False)
    assert server.wait() == 71
    assert f"cache.file: {disk.inside}: no room for it: lower cache.cold, or make room" in server.log
    assert os.listdir(disk.root) == []


@pytest.mark.parametrize("disk", [8], indirect=True)
def test_file_cut_short_on_a_full_disk_waits_for_room_and_keeps_the_rest(kept, disk):
    server = kept()
    bodies = fill(server)
    assert server.stop() == 0
    size = os.stat(disk.file).st_size
    os.truncate(disk.file, size - MIB)
    with open(disk.file, "rb") as file:
        before = file.read()
    disk.fill()
    server = kept(ready=False)
    assert server.wait() == 71 and "no room for it" in server.log
    with open(disk.file, "rb") as file:
        assert file.read() == before
    disk.make_room()
    server = kept()
    assert all(server.get(path).body == body for path, body in bodies.items())
    assert os.stat(disk.file).st_size == size


@pytest.mark.parametrize("disk", [8], indirect=True)
def test_disk_that_fills_up_costs_a_running_server_nothing(kept, disk):
    server = kept()
    disk.fill()
    bodies = fill(server, 600)  # more than the file has had pages of yet
    assert all(server.get(path).status == 200 for path in bodies)
    server.ctl("purge", "/p0")
    assert server.get("/p0").body != bodies["/p0"]
    assert server.stop() == 0
    server = kept()
    last = [path for path in bodies if server.get(path).body == bodies[path]]
    assert len(last) > 300 and "/p0" not in last


@pytest.mark.parametrize("disk", [8], indirect=True)
def test_room_taken_away_under_a_running_server_is_no_bus_error(kept, disk):
    """Holes in the file and no room to fill them: the next touch of such a page is a SIGBUS to whoever makes it."""
    server = kept()
    bodies = fill(server)
    workers = server.workers()
    size = os.stat(disk.file).st_size
    subprocess.run(["fallocate", "--punch-hole", "--offset", "4096", "--length", str(size - 4096), disk.file], check=True)
    disk.fill()
    for path in bodies:
        assert server.get(path).text.split(" ")[0] == path
        assert server.get(path + "n").text.split(" ")[0] == path + "n"
    server.wait_log("cache file: a part of it can't be read or written")
    server.ctl("purge", "--all")
    assert server.get("/p0").body != bodies["/p0"]
    assert server.workers() == workers
    assert server.stop() == 0
    disk.make_room()
    server = kept()
    assert server.get("/p1").body != bodies["/p1"]
    assert "hit" in server.get("/p1").cache


def test_the_disk_is_seen_by_nobody_else(tmp_path):
    disk = Disk(tmp_path / "disk", 1)
    assert os.listdir(tmp_path / "disk") == []
    disk.fill()
    assert os.statvfs(tmp_path / "disk").f_bavail > 0
    disk.end()
    with pytest.raises(OSError) as gone:
        os.listdir(disk.root)
    assert gone.value.errno in (errno.ENOENT, errno.ESRCH)
