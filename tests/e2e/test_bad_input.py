# SPDX-License-Identifier: MIT
"""What goes wrong at the start: one clear line, the documented exit code, and nothing left behind."""

import os
import resource
import socket
import subprocess

import pytest
import yaml

import harness

EX_UNAVAILABLE, EX_SOFTWARE, EX_OSERR, EX_CONFIG = 69, 70, 71, 78


def refused(server, code, told):
    """It ends with this code; some line of its log tells; nothing stays."""
    assert not server.wait_notify("READY=1"), "it started"
    assert server.wait() == code, server.log
    log = server.log.replace(str(server.folder), "")  # a test's folder bears its name, and so what it looks for
    lines = [line for line in log.split("\n") if line and not line.startswith("    at ")]
    assert any(told in line for line in lines), server.log
    assert 1 <= len(lines) <= 8, "clear means short:\n" + server.log
    assert "Assert" not in server.log and "core dumped" not in server.log
    assert server.leftovers() == []
    assert server.control is None or not os.path.exists(server.control)


@pytest.mark.parametrize("source, told", [
    ("", "empty"), ("   \n", "renderPage"), ("let let = 3;", "SyntaxError"),
    ("globalThis.renderPage = () => 'x';\nthrow new Error('thrown at load');", "thrown at load"),
    ("for (;;);", "still loading"), ("var a = 1;", "renderPage"), ("globalThis.renderPage = 'text';", "renderPage"),
    ("globalThis.renderPage = () => 42;", "renderPage"),
    ("globalThis.renderPage = () => undefined;", "renderPage"),
    ("globalThis.renderPage = () => { throw new Error('in the page'); };", "in the page"),
    ("globalThis.renderPage = () => Promise.reject(new Error('turned down'));", "turned down"),
    ("globalThis.renderPage = () => new Promise(() => {});", "time"),
    ("globalThis.renderPage = () => { for (;;); };", "time"),
    ("const a = []; for (;;) a.push(new Array(1000).fill(a));", "heap"),
    ("const f = () => f() + 1; f();", "RangeError"),
    ("\x00\x01\x02", "SyntaxError"),
    ("window.x = 1; globalThis.renderPage = () => 'x';", "window"),
    ("import x from 'y'; export default x;", "import"),
])
def test_bad_bundle(ssrd, source, told):
    refused(ssrd(source, {"render": {"timeout": "300ms", "heap": "64MiB", "browser_globals": "off"}},
                 ready=False), EX_CONFIG, told)


def test_error_at_load_has_its_position(ssrd):
    server = ssrd("let a = 1;\n\n  boom();\n", ready=False)
    refused(server, EX_CONFIG, "boom is not defined")
    assert "server.js:3:3" in server.log


def test_missing_bundle(ssrd):
    refused(ssrd(None, ready=False), EX_CONFIG, "server.js")


def test_folder_in_place_of_a_bundle(ssrd, tmp_path):
    (tmp_path / "server.js").mkdir()
    refused(ssrd(None, ready=False), EX_CONFIG, "server.js")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody who may not read")
def test_bundle_that_may_not_be_read(ssrd, for_all):
    (for_all / "server.js").write_text(harness.HELLO)
    (for_all / "server.js").chmod(0)
    server = ssrd(None, {"admin": {"listen": "off"}}, ready=False, folder=for_all, user="nobody")
    refused(server, EX_CONFIG, "not readable")


def test_bundle_that_is_not_utf_8_starts_or_is_refused_with_a_reason(ssrd, tmp_path):
    (tmp_path / "server.js").write_bytes(b"globalThis.renderPage = () => '\xff\xfe';")
    server = ssrd(None, ready=False)
    if server.wait_notify("READY=1"):
        assert server.get().status == 200
    else:
        refused(server, EX_CONFIG, "UTF-8")


@pytest.mark.parametrize("key, value", [
    ("workers", "many"), ("workers", -1), ("workers", [1]), ("pin", "perhaps"), ("listen", {"a": 1}),
    ("listen", ["nowhere"]), ("listen", ["127.0.0.1:99999"]), ("start", "lukewarm"), ("shutdown_timeout", "5 parsecs"),
    ("render", 7), ("cache", {"hot": "big"}), ("http", {"max_header": "-1"}), ("log", {"level": "loud"}),
    ("routes", {"match": "/"}), ("routes", [{"cache": {"ttl": 1}}]), ("unknown", 1),
])
def test_config_of_wrong_types_names_line_and_column(ssrd, key, value):
    server = ssrd(config={key: value}, ready=False)
    refused(server, EX_CONFIG, "ssrd.yaml:")
    line = next(i for i, text in enumerate(server.config_file.read_text().split("\n"), 1)
                if text.startswith(f"{key}:"))
    numbers = [int(part.split("ssrd.yaml:")[1].split(":")[0]) for part in server.log.split("\n") if "ssrd.yaml:" in part]
    assert numbers and line <= numbers[0] <= line + 4


def test_port_taken(ssrd):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused(ssrd(config={"listen": [f"127.0.0.1:{port}"]}, ready=False), EX_UNAVAILABLE, str(port))


def test_admin_port_taken(ssrd, sockets):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused(ssrd(config={"admin": {"listen": f"127.0.0.1:{port}", "socket": f"{sockets}/c"}}, ready=False),
                EX_UNAVAILABLE, str(port))


def test_second_server_does_not_take_the_first_ones_control_socket(ssrd):
    first = ssrd()
    second = ssrd(config={"admin": {"socket": first.control, "listen": "off"}}, ready=False)
    assert not second.wait_notify("READY=1")
    assert second.wait() == EX_UNAVAILABLE and first.control in second.log
    first.ctl("status")


def test_control_socket_left_by_a_killed_server_is_no_obstacle(ssrd, sockets):
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(f"{sockets}/ctl0")
    stale.close()
    ssrd().ctl("status")


def test_address_that_is_not_ours(ssrd):
    refused(ssrd(config={"listen": ["192.0.2.1:8080"]}, ready=False), EX_CONFIG, "192.0.2.1")


def test_no_shared_memory_left(ssrd):
    memory_gib = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 30
    server = ssrd(config={"cache": {"cold": f"{4 * memory_gib + 4}GiB"}}, ready=False)
    refused(server, EX_OSERR, "cache.cold")


def test_no_descriptors_left(ssrd):
    server = ssrd(config={"workers": 8}, ready=False,
                  preexec=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (12, 12)))
    assert not server.wait_notify("READY=1")
    assert server.wait() in (EX_UNAVAILABLE, EX_SOFTWARE, EX_OSERR), server.log
    assert server.leftovers() == []


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another user")
def test_started_without_root_serves_and_says_what_it_goes_without(ssrd, for_all, sockets):
    os.chmod(sockets, 0o777)
    server = ssrd(config={"user": "daemon"}, folder=for_all, user="nobody")
    assert server.get().status == 200
    server.wait_log("`?user`? has no effect")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another user")
def test_read_only_folder_for_the_control_socket(ssrd, for_all, sockets):
    os.chmod(sockets, 0o555)
    server = ssrd(ready=False, folder=for_all, user="nobody")
    assert not server.wait_notify("READY=1")
    assert server.wait() in (EX_UNAVAILABLE, EX_OSERR, EX_CONFIG)
    assert server.control in server.log and server.leftovers() == []


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to change users")
def test_started_by_root_workers_are_not_root(ssrd):
    server = ssrd()
    for pid in server.workers():
        assert os.stat(f"/proc/{pid}").st_uid != 0


def test_unknown_user(ssrd):
    if os.geteuid() != 0:
        pytest.skip("only root becomes somebody else")
    refused(ssrd(config={"user": "no-such-user"}, ready=False), EX_CONFIG, "no-such-user")


def test_yaml_aliases_do_not_blow_up(ssrd, run, tmp_path):
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{b}: &{b} [{','.join(['*' + a] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi"))
    (tmp_path / "bomb.yaml").write_text(bomb)
    assert run(harness.SSRD, "-c", "bomb.yaml").returncode == EX_CONFIG


def test_config_that_yaml_wrote_is_read_back(ssrd):
    """The harness itself: what it writes is what it means."""
    server = ssrd()
    assert yaml.safe_load(server.config_file.read_text()) == server.config


def test_start_that_can_not_fork_says_so_and_leaves_no_socket(sockets):
    def become_alone():
        if os.geteuid() == 0:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
        resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))

    os.chmod(sockets, 0o777)
    with open(f"{sockets}/b.js", "w", encoding="utf-8") as bundle:
        bundle.write(harness.HELLO)
    done = subprocess.run(
        [harness.SSRD, "-o", f"listen=unix:{sockets}/pages", "-o", "admin.listen=off", "-o", f"admin.socket={sockets}/c", "-o",
         "cache.cold=1MiB", f"{sockets}/b.js"], preexec_fn=become_alone, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == EX_SOFTWARE and "zygote can't be started" in done.stderr
    assert os.listdir(sockets) == ["b.js"]


def test_file_size_limit_is_an_error_with_a_name(sockets):
    with open(f"{sockets}/b.js", "w", encoding="utf-8") as bundle:
        bundle.write(harness.HELLO)
    done = subprocess.run(
        [harness.SSRD, "-o", f"listen=unix:{sockets}/pages", "-o", "admin.listen=off", "-o", f"admin.socket={sockets}/c",
         f"{sockets}/b.js"], preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100000, 100000)),
        capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == EX_OSERR and "cache.cold" in done.stderr
    assert os.listdir(sockets) == ["b.js"]
