# SPDX-License-Identifier: MIT
"""Runs wrk (https://github.com/wg/wrk) on a CPU of its own and reads what it found."""

import dataclasses
import json
import os
import shutil
import subprocess
import time

from programs import LIB, Failed


@dataclasses.dataclass
class Load:
    """What one run of wrk came to. cpu_us: the server's CPU time a request."""

    requests: int
    rate: float  # requests a second
    p50_us: int
    p99_us: int
    cpu_us: float


def parse(output):
    """The line of report.lua in wrk's output, as a dict."""
    for line in output.splitlines():
        if line.startswith("#json "):
            return json.loads(line[len("#json "):])
    raise Failed(f"wrk says: {output.strip()[-300:]}")


def argv(port, path, seconds, connections, unique):
    tool = shutil.which("wrk")
    if tool is None:
        raise Failed("wrk is not installed (Debian: apt-get install wrk)")
    script = os.path.join(LIB, "unique.lua" if unique else "report.lua")
    command = [tool, "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", script,
               f"http://127.0.0.1:{port}{'/' if unique else path}"]
    return command + (["--", path] if unique else [])


def run(program, port, path, *, seconds, connections, cpu=None, unique=False, during=None):
    """Load a server and measure it.

    cpu      what wrk is pinned to; None: nothing
    unique   each request asks for path followed by another number
    during   called again and again while the load runs
    """
    command = argv(port, path, seconds, connections, unique)
    before_ns = program.cpu_ns()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          env={**os.environ, "SSRD_PERF_LIB": LIB},
                          preexec_fn=lambda: cpu is not None and os.sched_setaffinity(0, {cpu})) as load:
        try:
            while during is not None and load.poll() is None:
                during()
                time.sleep(0.1)
            output = load.communicate(timeout=seconds + 30)[0]
        finally:
            load.kill()
    after_ns = program.cpu_ns()
    program.check()
    found = parse(output)
    if found["failed"] or found["bad_status"] or not found["requests"]:
        raise Failed(f"{program.name}: of {found['requests']} requests {found['failed']} failed, "
                     f"{found['bad_status']} were answered with an error")
    return Load(requests=found["requests"], rate=found["requests"] / found["duration_us"] * 1e6,
                p50_us=found["p50_us"], p99_us=found["p99_us"],
                cpu_us=(after_ns - before_ns) / 1000 / found["requests"])
