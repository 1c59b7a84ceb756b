# SPDX-License-Identifier: MIT
"""Processes that a measurement starts: pinned, looked at through /proc, ended by their pid.

Nothing outlives the script: what it started ends in `session()`, at the latest when its time is up, and if the
script itself is killed the kernel ends the rest (PR_SET_PDEATHSIG).
"""

import contextlib
import ctypes
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

PATIENCE_S = 20
LIB = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(LIB))
PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


class Failed(Exception):
    """What went wrong, for people; the script prints it and exits 1."""


def two_cpus():
    """(one for the server, one for the load)."""
    usable = sorted(os.sched_getaffinity(0))
    if len(usable) < 2:
        raise Failed("this needs two CPUs: one for the server, one for the load")
    return usable[0], usable[1]


def free_port():
    """Below those that the kernel gives to clients, or the load itself might take it before the server listens."""
    while True:
        port = random.randrange(10000, 32768)
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


class Session:
    """A temporary folder and what was started; see session()."""

    def __init__(self, folder):
        self.folder = folder
        self.programs = []

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, content):
        """Write a file into the folder; its path."""
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content if isinstance(content, bytes) else content.encode())
        return path

    def start(self, name, argv, cpus=None, env=None):
        program = Program(self, name, argv, cpus, env)
        self.programs.append(program)
        return program

    def stop(self):
        """All that was started, the last first."""
        for program in reversed(self.programs):
            program.stop()


@contextlib.contextmanager
def session(limit_s):
    """A Session whose programs and folder are gone when it is left, at the latest after limit_s seconds."""

    def on_alarm(_signal, _frame):
        raise Failed(f"not done within {limit_s} s")

    def on_term(number, _frame):
        sys.exit(128 + number)

    signal.signal(signal.SIGALRM, on_alarm)
    signal.signal(signal.SIGTERM, on_term)
    signal.alarm(limit_s)
    folder = tempfile.mkdtemp(prefix="ssrd-perf-")
    os.chmod(folder, 0o755)  # servers drop root and must still read what is in it
    made = Session(folder)
    try:
        yield made
    finally:
        signal.alarm(0)
        made.stop()
        shutil.rmtree(folder, ignore_errors=True)


class Program:
    """A running program with all its children, in the session's folder: what it writes goes with that."""

    def __init__(self, owner, name, argv, cpus, env):
        self.name = name
        self.log_path = owner.path(f"{name}-{len(owner.programs)}.log")
        parent = os.getpid()

        def preexec():
            _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
            if os.getppid() != parent:
                os._exit(1)
            if cpus is not None:
                os.sched_setaffinity(0, cpus)

        environment = {k: v for k, v in os.environ.items() if not k.startswith(("LISTEN_", "NOTIFY_", "WATCHDOG_"))}
        with open(self.log_path, "wb") as log:
            self.started_ns = time.monotonic_ns()
            self.process = subprocess.Popen(argv, cwd=owner.folder, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, preexec_fn=preexec, env={**environment, **(env or {})})

    @property
    def pid(self):
        return self.process.pid

    def check(self):
        """It runs, or Failed with the end of its log."""
        if self.process.poll() is not None:
            with open(self.log_path, encoding="utf-8", errors="replace") as log:
                tail = "".join(log.readlines()[-5:]).strip()
            raise Failed(f"{self.name} ended with {self.process.returncode}: {tail}")

    def pids(self):
        return tree(self.pid)

    def cpu_ns(self):
        """CPU time of all its processes and threads that are there."""
        return sum(map(cpu_ns, self.pids()))

    def stop(self):
        """Ended with its children when this returns."""
        if self.process.poll() is not None:
            return
        family = [(pid, born(pid)) for pid in self.pids()]
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for pid, start in family[1:]:
            if start is not None and born(pid) == start:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def _stat(pid):
    """The fields of /proc/PID/stat behind the name (the first is the state), or None."""
    try:
        with open(f"/proc/{pid}/stat", encoding="latin-1") as file:
            return file.read().rsplit(")", 1)[1].split()
    except OSError:
        return None


def born(pid):
    """When it was started, in ticks: with the pid, an identity. None: gone, or a zombie."""
    fields = _stat(pid)
    return None if fields is None or fields[0] == "Z" else fields[19]


def tree(pid):
    """pid and all its descendants."""
    children = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        fields = _stat(name)
        if fields is not None and fields[0] != "Z":
            children.setdefault(int(fields[1]), []).append(int(name))
    found = [pid]
    for one in found:
        found += children.get(one, [])
    return found


def cpu_ns(pid):
    """CPU time of a process, user and kernel, all threads that are there; 0: it is gone.

    From schedstat, in ns (Linux Documentation/scheduler/sched-stats); where the kernel is built without, from
    stat's utime and stime, in ticks of 10 ms.
    """
    total = 0
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as file:
                total += int(file.read().split()[0])
        return total
    except FileNotFoundError:
        fields = _stat(pid)
    except (OSError, ValueError, IndexError):  # a process that ends while it is read
        return total
    if fields is None:
        return 0
    return (int(fields[11]) + int(fields[12])) * 1_000_000_000 // os.sysconf("SC_CLK_TCK")


def pss_kib(pid):
    """{"Pss", "Pss_Shmem"}: memory, each shared page divided by those who share it; zeros: it is gone."""
    found = {"Pss": 0, "Pss_Shmem": 0}
    with contextlib.suppress(OSError):
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
            for line in file:
                name, _, value = line.partition(":")
                if name in found:
                    found[name] = int(value.split()[0])
    return found
