# SPDX-License-Identifier: MIT
"""The fixture `ssrd`: starts the server with a bundle and a config of the test's own, ends it afterwards."""

import os
import pathlib
import shutil
import subprocess
import tempfile

import pytest
import yaml

import harness
from upstream import Upstream


@pytest.fixture
def sockets():
    """A folder with a short path, for sockets."""
    folder = tempfile.mkdtemp(prefix="ssrd-")
    os.chmod(folder, 0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def for_all():
    """A folder that every user may read, wherever pytest's own are."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="ssrd-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def ssrd(tmp_path, sockets, request):
    """start(bundle, config={…}, …) -> Server that is ready.

    config    merged over the harness's own keys (addresses, one worker); a section given replaces single keys
    options   further arguments of the command line
    folder    where bundle and config are written, instead of tmp_path
    ready     False: don't wait for READY=1
    """
    servers = []

    def start(bundle=harness.HELLO, config=None, options=(), ready=True, folder=tmp_path, **more):
        number = len(servers)
        bundle_path = folder / "server.js"
        if bundle is not None:
            bundle_path.write_text(bundle, encoding="utf-8")
        port, admin_port = harness.free_port(), harness.free_port()
        control = os.path.join(sockets, f"ctl{number}")
        whole = {
            "listen": [f"127.0.0.1:{port}"],
            "admin": {"listen": f"127.0.0.1:{admin_port}", "socket": control},
            "workers": 1,
            "shutdown_timeout": "5s",
            "bundle": {"path": str(bundle_path)},
            "cache": {"cold": "16MiB"},
        }
        for key, value in (config or {}).items():
            if isinstance(value, dict) and isinstance(whole.get(key), dict):
                whole[key] = {**whole[key], **value}
            else:
                whole[key] = value
        file = folder / "ssrd.yaml"
        file.write_text(yaml.safe_dump(whole), encoding="utf-8")
        server = harness.Server(folder, ["-c", str(file), *options], address=("127.0.0.1", port),
                                admin=("127.0.0.1", admin_port), control=control, **more)
        server.config_file, server.config, server.bundle = file, whole, bundle_path
        servers.append(server)
        return server.wait_ready() if ready else server

    start.servers = servers
    yield start
    for server in servers:
        server.kill()
    for server in servers:
        assert "Sanitizer" not in server.log, server.log


@pytest.fixture
def run(tmp_path):
    """run(program, arguments…) -> CompletedProcess with text; for programs that end by themselves."""
    def call(program, *arguments, **options):
        options = {"capture_output": True, "text": True, "cwd": tmp_path, "timeout": harness.PATIENCE_S, **options}
        return subprocess.run([program, *map(str, arguments)], check=False, **options)
    return call


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """A failure shows the server's log."""
    outcome = yield
    report = outcome.get_result()
    start = item.funcargs.get("ssrd") if hasattr(item, "funcargs") else None
    if report.when == "call" and report.failed and start is not None:
        for server in start.servers:
            report.sections.append(("log of ssrd", server.log))


@pytest.fixture
def upstream():
    """start({path: function(handler)}) -> Upstream"""
    made = []

    def start(handlers):
        made.append(Upstream(handlers))
        return made[-1]

    yield start
    for one in made:
        one.close()
