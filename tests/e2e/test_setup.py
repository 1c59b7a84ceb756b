# SPDX-License-Identifier: MIT
"""etc/setup on machines that are made up: apt and dpkg are played by fake_apt.py."""

import json
import os
import subprocess

import pytest

import fake_apt
import harness
from fake_apt import ARCHIVE, LIB, TABLE

SETUP = os.path.join(harness.ROOT, "etc", "setup")

@pytest.fixture
def machine(tmp_path):
    """set_up(installed, …) -> (CompletedProcess, calls of apt-get that are no simulation)."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in ("dpkg-query", "apt-get", "apt-cache", "dpkg", "dpkg-deb", "id", "ldd", "systemd-analyze", "node", "npm", "spin", "wrk", "perf", "chromium"):
        (tools / tool).write_text(f'#!/bin/sh\nexec /usr/bin/python3 -SEB "{fake_apt.__file__}" {tool} "$@"\n')
        (tools / tool).chmod(0o755)
    state = tmp_path / "machine.json"

    def set_up(installed=None, uid=0, lists=True):
        if installed is not None:
            state.write_text(json.dumps({"installed": installed, "uid": uid, "lists": lists, "calls": []}))
        before = len(json.loads(state.read_text())["calls"])
        env = {"PATH": f"{tools}:/usr/bin:/bin", "MACHINE": str(state), "DEPS_DIR": str(tmp_path / "deps"),
               "DEBS_DIR": str(tmp_path / "debs")}
        done = subprocess.run([SETUP], env=env, capture_output=True, text=True, check=False, timeout=harness.PATIENCE_S)
        calls = json.loads(state.read_text())["calls"][before:]
        return done, [call for call in calls if call[0] == "apt-get" and "-s" not in call]
    set_up.deps = tmp_path / "deps"
    return set_up


def all_but(*missing):
    return {"libuv1": "1.44", "libc6": "2.36", "libbrotli1": "1.0", "libevent-core-2.1-7": "2.1-8",
            **{name: "1.0" for name in TABLE if name not in missing}}


def test_nothing_missing_asks_apt_for_nothing(machine):
    done, calls = machine(all_but())
    assert done.returncode == 0 and calls == [], done.stderr


def test_what_only_adds_is_installed_at_once(machine):
    done, calls = machine(all_but("meson", "libyaml-dev"))
    assert done.returncode == 0, done.stderr
    assert len(calls) == 1 and calls[0][-2:] == ["meson", "libyaml-dev"] and "--no-remove" in calls[0]


def test_what_would_change_packages_is_unpacked_with_its_runtime(machine):
    done, calls = machine(all_but("libevent-dev", "libnode-dev", "meson"))
    assert done.returncode == 0, done.stdout + done.stderr
    installs = [call for call in calls if "install" in call]
    assert [call[call.index("--no-install-recommends") + 1:] for call in installs] == [["meson"], ["libicu72"]]
    downloads = {call[-1].split("=")[0] for call in calls if "download" in call}
    assert downloads == {"libevent-dev", "libevent-core-2.1-7", "libnode-dev", "libnode108", "libbrotli1"}
    for name in ("libevent-dev", "libnode-dev", "libnode108"):
        assert all((machine.deps / file).exists() for file in ARCHIVE[name]["files"])
    again, calls = machine()
    assert again.returncode == 0 and calls == []


def test_half_an_unpacked_copy_is_made_whole_from_what_was_downloaded(machine):
    machine(all_but("libnode-dev"))
    (machine.deps / LIB / "libnode.so").unlink()
    done, calls = machine()
    assert done.returncode == 0 and not any("download" in call for call in calls)
    assert (machine.deps / LIB / "libnode.so").exists()


def test_without_root_it_says_what_root_has_to_do(machine):
    done, calls = machine(all_but("meson"), uid=1000)
    assert done.returncode != 0 and calls == []
    assert "apt-get install" in done.stderr and "meson" in done.stderr


def test_without_root_unpacking_still_works(machine):
    done, _ = machine(all_but("libevent-dev"), uid=1000)
    assert done.returncode == 0, done.stderr


def test_lists_are_fetched_where_there_are_none_and_only_then(machine):
    done, calls = machine(all_but("meson"), lists=False)
    assert done.returncode == 0, done.stderr
    assert [call for call in calls if "update" in call] == [["apt-get", "-q", "update"]]


def test_tool_that_would_change_packages_is_left_to_people(machine):
    done, calls = machine(all_but("ninja-build"))
    assert done.returncode != 0 and not any("install" in call for call in calls)
    assert "would" in done.stderr or "without changing" in done.stderr
    assert "something" in done.stderr, "what would go is named"


def test_install_brings_programs_config_units_and_manuals(tmp_path):
    done = subprocess.run(["meson", "install", "-C", harness.BUILD, "--no-rebuild", "--quiet", "--destdir", str(tmp_path)],
                          capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    installed = {os.path.join(folder, name)[len(str(tmp_path)):] for folder, _, names in os.walk(tmp_path) for name in names}
    for end in ("/bin/ssrd", "/bin/ssrctl", "/ssrd/ssrd.yaml", "/system/ssrd.service", "/system/ssrd.socket",
                "/man8/ssrd.8", "/man1/ssrctl.1", "/man5/ssrd.yaml.5", "/sysusers.d/ssrd.conf"):
        assert any(path.endswith(end) for path in installed), (end, sorted(installed))
