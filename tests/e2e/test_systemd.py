# SPDX-License-Identifier: MIT
"""What systemd is given and what it gives: units, notifications, watchdog, sockets."""

import os
import shutil
import socket
import subprocess

import pytest

import harness

UNITS = os.path.join(harness.ROOT, "etc", "systemd")


def test_units_verify_clean(tmp_path):
    tool = shutil.which("systemd-analyze")
    assert tool is not None, "make setup installs it"
    with open(os.path.join(UNITS, "ssrd.service.in"), encoding="utf-8") as file:
        text = file.read().replace("@bindir@", harness.BUILD).replace("@sysconfdir@", "/etc")
    # the account is made at installation; on the machine of a test any will do
    (tmp_path / "ssrd.service").write_text(text.replace("User=ssrd", "User=nobody").replace("Group=ssrd", "Group=nogroup"))
    shutil.copy(os.path.join(UNITS, "ssrd.socket"), tmp_path)
    done = subprocess.run([tool, "verify", "--man=no", tmp_path / "ssrd.service", tmp_path / "ssrd.socket"],
                          capture_output=True, text=True, check=False, env={**os.environ, "SYSTEMD_LOG_LEVEL": "warning"})
    ours = [line for line in (done.stdout + done.stderr).splitlines() if "ssrd" in line]
    assert done.returncode == 0 and ours == [], done.stdout + done.stderr


def test_accounts_and_folders_are_well_formed():
    for tool, file in (("systemd-sysusers", "sysusers.d/ssrd.conf"), ("systemd-tmpfiles", "tmpfiles.d/ssrd.conf")):
        path = os.path.join(harness.ROOT, "etc", file)
        with open(path, encoding="utf-8") as lines:
            rows = [line.split() for line in lines if line.strip() and not line.startswith("#")]
        assert rows and all(row[0] in ("u", "d") for row in rows), tool


def test_start_and_stop_are_told(ssrd):
    server = ssrd()
    ready = next(m for m in server.messages if "READY=1" in m.split("\n"))
    assert any(line.startswith("STATUS=") for line in ready.split("\n"))
    os.kill(server.pid, 15)
    assert server.wait_notify("STOPPING=1")
    assert server.wait() == 0


def test_refused_reload_is_told_as_ready_again(ssrd):
    server = ssrd()
    server.bundle.write_text("throw 1")
    os.kill(server.pid, 1)
    assert server.wait_notify("RELOADING=1")
    reloading = server.messages[-1]
    assert "MONOTONIC_USEC=" in reloading
    assert server.wait_notify("READY=1")
    assert server.get().status == 200


def test_watchdog_is_fed(ssrd):
    server = ssrd(env={"WATCHDOG_USEC": "200000"})
    for _ in range(3):
        assert server.wait_notify("WATCHDOG=1")


def test_watchdog_meant_for_another_process_is_left_alone(ssrd):
    server = ssrd(env={"WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"})
    server.get()
    os.kill(server.pid, 15)
    assert server.wait_notify("STOPPING=1")
    assert not any("WATCHDOG=1" in message for message in server.messages)


def test_children_do_not_speak_in_the_masters_name(ssrd):
    server = ssrd()
    for pid in server.workers():
        with open(f"/proc/{pid}/status", encoding="ascii") as file:
            assert f"PPid:\t{server.pid}\n" in file.read()


def activated(ssrd, listener, **more):
    """ssrd with this listening socket as descriptor 3, as systemd would start it."""
    # LISTEN_PID must be the pid of ssrd itself, which is known only behind the fork
    become = ("import os, sys; os.dup2(int(sys.argv[1]), 3); "
              "os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1'); os.execv(sys.argv[2], sys.argv[2:])")
    fd = listener.fileno()
    wrapper = ["/usr/bin/python3", "-c", become, str(fd)]
    return ssrd(config={"listen": ["systemd"]}, wrapper=wrapper, pass_fds=(fd,), **more)


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0), backlog=128) as server:
        yield server


def test_socket_of_systemd_is_served(ssrd, listener):
    server = activated(ssrd, listener)
    server.address = listener.getsockname()
    assert server.get("/s").text == "<p>hello /s</p>"


def test_connections_wait_in_systemds_socket_while_there_is_no_server(ssrd, listener):
    with harness.Client(listener.getsockname()) as early:
        early.request("/early")
        server = activated(ssrd, listener)
        assert early.answer().text == "<p>hello /early</p>"
        assert server.stop() == 0
    with harness.Client(listener.getsockname()) as between:
        between.request("/between")
        activated(ssrd, listener)
        assert between.answer().text == "<p>hello /between</p>"


def test_listen_systemd_without_a_socket_is_told(ssrd):
    server = ssrd(config={"listen": ["systemd"]}, ready=False)
    assert not server.wait_notify("READY=1")
    assert server.wait() in (69, 78) and "systemd" in server.log
