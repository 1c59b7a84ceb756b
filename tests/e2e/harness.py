# SPDX-License-Identifier: MIT
"""Starts ssrd as a user would and talks to it in bytes. Nothing here sleeps: a wait ends with a message on
the notify socket, a line of the log, an answer, or the end of a process.

Programs come from SSRD_BUILD (default: build/ of the tree).
"""

import fcntl
import gzip
import json
import os
import random
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import termios
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("SSRD_BUILD", os.path.join(ROOT, "build"))
SSRD = os.path.join(BUILD, "ssrd")
SSRCTL = os.path.join(BUILD, "ssrctl")
PATIENCE_S = float(os.environ.get("SSRD_PATIENCE_S", "30"))  # when to give up on what should come at once; no test is about this figure

HELLO = "globalThis.renderPage = (url) => '<p>hello ' + url + '</p>';"
# A page tells by its number whether it was rendered anew.
COUNTING = "let n = 0; globalThis.renderPage = (url) => url + ' render ' + ++n;"


def until(probe, what):
    """The first true value of probe(), asked again and again; each probe is an exchange that takes its time."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        value = probe()
        if value:
            return value
    raise AssertionError(f"waited in vain: {what}")


def _ports():
    """Those that the kernel gives to nobody: of an ephemeral one a client of another test may make its own end,
    between the moment it was found free and the one in which the server listens."""
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as f:
        low, high = map(int, f.read().split())
    return range(10000, low) if low >= 11000 else range(high + 1, 65536)


def free_port():
    """The next of a sequence that all tests of this build take from, side by side: nobody else has it, or soon gets it."""
    ports = _ports()
    with open(os.path.join(BUILD, "next-port"), "a+", encoding="ascii") as counter:
        fcntl.flock(counter, fcntl.LOCK_EX)
        counter.seek(0)
        place = int(counter.read() or random.randrange(len(ports)))  # another build beside this one has another sequence
        while True:
            place = (place + 1) % len(ports)
            with socket.socket() as s:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    s.bind(("127.0.0.1", ports[place]))
                    break
                except OSError:
                    continue
        counter.truncate(0)
        counter.write(str(place))
    return ports[place]


class Answer:
    """One response. Header names in lower case; of equal names the values in a list."""

    def __init__(self, head, body):
        lines = head.decode("latin-1").split("\r\n")
        self.version, status, *_ = lines[0].split(" ", 2)
        self.status = int(status)
        self.raw_head = head
        self.fields = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            self.fields.setdefault(name.lower(), []).append(value.strip())
        self.body = body

    def __getitem__(self, name):
        """The value of a header that is there once; None if absent."""
        values = self.fields.get(name, [None])
        assert len(values) == 1, f"{name} is there {len(values)} times"
        return values[0]

    @property
    def text(self):
        return self.body.decode()

    @property
    def cache(self):
        return self["cache-status"] or ""

    def __repr__(self):
        return f"{self.raw_head!r} + {len(self.body)} bytes: {self.body[:300]!r}"


class Closed(Exception):
    """The server closed the connection before a whole answer; .data is what had come."""

    def __init__(self, data):
        super().__init__(f"closed after {data[:200]!r}")
        self.data = data


class Client:
    """One connection, raw: what is sent and what comes are bytes."""

    def __init__(self, address):
        if isinstance(address, str):
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(PATIENCE_S)
            self.socket.connect(address)
        else:
            self.socket = socket.create_connection(address, timeout=PATIENCE_S)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.rest = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def _more(self):
        try:
            data = self.socket.recv(65536)
        except ConnectionResetError:
            data = b""
        if not data:
            raise Closed(self.rest)
        self.rest += data

    def _take(self, count):
        while len(self.rest) < count:
            self._more()
        data, self.rest = self.rest[:count], self.rest[count:]
        return data

    def _take_until(self, mark):
        while mark not in self.rest:
            self._more()
        return self._take(self.rest.index(mark) + len(mark))

    def _chunked(self):
        body = b""
        while True:
            size = int(self._take_until(b"\r\n").split(b";")[0], 16)
            chunk = self._take(size + 2)
            body += chunk[:-2]
            if size == 0:
                return body

    def answer(self, method="GET"):
        head = self._take_until(b"\r\n\r\n")[:-4]
        answer = Answer(head, b"")
        if method == "HEAD" or answer.status in (204, 304) or answer.status < 200:
            return answer
        if answer["transfer-encoding"] == "chunked":
            answer.body = self._chunked()
        elif answer["content-length"] is not None:
            answer.body = self._take(int(answer["content-length"]))
        else:
            answer.body = self.until_closed()
        return answer

    def until_closed(self):
        """All that still comes, up to the server's end of the connection."""
        while True:
            try:
                self._more()
            except Closed:
                data, self.rest = self.rest, b""
                return data

    def request(self, path="/", method="GET", headers=(), body=None, version="1.1"):
        """headers: a dict, or pairs where a name comes twice."""
        pairs = list(headers.items() if isinstance(headers, dict) else headers)
        if not any(name.lower() == "host" for name, _ in pairs):
            pairs.insert(0, ("Host", "localhost"))
        if body is not None:
            pairs.append(("Content-Length", str(len(body))))
        head = f"{method} {path} HTTP/{version}\r\n" + "".join(f"{n}: {v}\r\n" for n, v in pairs)
        self.send(head.encode("latin-1") + b"\r\n" + (body or b""))

    def get(self, path="/", method="GET", headers=(), body=None, version="1.1"):
        self.request(path, method, headers, body, version)
        return self.answer(method)


def unpack(answer):
    """The body as it was before its Content-Encoding."""
    how = answer["content-encoding"]
    if how is None:
        return answer.body
    if how == "gzip":
        return gzip.decompress(answer.body)
    assert how == "br"
    command = ["node", "-e", "process.stdin.pipe(require('zlib').createBrotliDecompress()).pipe(process.stdout)"]
    return subprocess.run(command, input=answer.body, capture_output=True, check=True, timeout=PATIENCE_S).stdout


class Server:
    """One ssrd. Made by the fixture `ssrd` (conftest.py), which also ends it."""

    def __init__(self, folder, arguments, env=None, address=None, admin=None, control=None, preexec=None,
                 pass_fds=(), cwd=None, user=None, wrapper=()):
        assert os.path.exists(SSRD), f"{SSRD} is not built: make build"
        self.folder = folder
        self.address = address
        self.admin_address = admin
        self.control = control
        self._lines = []
        self._half_line = b""
        self.messages = []
        self.news = threading.Condition()
        self.runtime = tempfile.mkdtemp(prefix="ssrd-")  # short: a socket's path may have 107 bytes
        os.chmod(self.runtime, 0o777)
        notify_path = os.path.join(self.runtime, "notify")
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(notify_path)
        os.chmod(notify_path, 0o777)
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("LISTEN_", "WATCHDOG_"))}
        environment.update({"NOTIFY_SOCKET": notify_path, **(env or {})})
        self.process = subprocess.Popen(
            [*wrapper, SSRD, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env=environment, start_new_session=True, preexec_fn=preexec, pass_fds=pass_fds, cwd=cwd, user=user)
        self.pid = self.process.pid
        self.pidfd = os.pidfd_open(self.pid)
        self.reader = threading.Thread(target=self._read_log, daemon=True)
        self.reader.start()

    def _take_log(self):
        """What has been written by now. With the lock."""
        pipe = self.process.stdout.fileno()
        while count := struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)))[0]:
            *whole, self._half_line = (self._half_line + os.read(pipe, count)).split(b"\n")
            self._lines += [line.decode("utf-8", "replace") for line in whole]
            self.news.notify_all()

    def _read_log(self):
        poll = select.poll()
        poll.register(self.process.stdout, select.POLLIN)
        while True:
            poll.poll()
            with self.news:
                self._take_log()
                if any(events & select.POLLHUP and not events & select.POLLIN for _, events in poll.poll(0)):
                    self._lines += [self._half_line.decode("utf-8", "replace")]
                    self.news.notify_all()
                    return

    @property
    def lines(self):
        """Of the log, all that was written before this was asked for: what stands before an answer is there with it."""
        with self.news:
            self._take_log()
            return self._lines

    @property
    def log(self):
        return "\n".join(self.lines)

    def wait_log(self, pattern, since=0):
        """The first line, from number `since` on, that the pattern is found in."""
        found = None

        def look():
            nonlocal found
            found = next((line for line in self.lines[since:] if re.search(pattern, line)), None)
            return found is not None

        with self.news:
            assert self.news.wait_for(look, PATIENCE_S), f"no line of the log has {pattern!r}:\n" + "\n".join(self.lines)
        return found

    def wait_notify(self, wanted):
        """Until a message holds this assignment ("READY=1"). False: the process ended before."""
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            ready, _, _ = select.select([self.notify, self.pidfd], [], [], end - time.monotonic())
            if self.notify in ready:
                message = self.notify.recv(4096).decode()
                self.messages.append(message)
                if wanted in message.split("\n"):
                    return True
            elif self.pidfd in ready:
                return False
        raise AssertionError(f"no {wanted} came; log:\n{self.log}")

    def wait_ready(self):
        assert self.wait_notify("READY=1"), f"ssrd ended with {self.process.wait()}:\n{self.log}"
        return self

    # ------------------------------------------------------------ asking it

    def connect(self):
        return Client(self.address)

    def get(self, path="/", **options):
        with self.connect() as client:
            return client.get(path, **options)

    def admin(self, path, **options):
        with Client(self.admin_address) as client:
            return client.get(path, **options)

    def status(self):
        answer = self.admin("/status")
        assert answer.status == 200, answer
        return json.loads(answer.body)

    def workers(self):
        """pids of those that serve, of the newest generation."""
        status = self.status()
        return [w["pid"] for w in status["workers"]
                if w["state"] == "serving" and w["generation"] == status["generation"] and w["pid"] > 0]

    def ctl(self, *arguments, json_output=False, check=True):
        """ssrctl; its CompletedProcess, or with json_output what it printed."""
        command = [SSRCTL, "-s", self.control, *(["--json"] if json_output else []), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
        if check:
            assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}{done.stderr}\n{self.log}"
        return json.loads(done.stdout) if json_output else done

    def await_new_worker(self, old):
        """After a worker was killed: the pids once there are as many as before, none of `old` that died."""
        def replaced():
            try:
                now = self.workers()
            except (Closed, OSError, TimeoutError):
                return None
            return now if len(now) == len(old) and set(now) != set(old) else None
        return until(replaced, "a worker in the place of the one killed")

    # ------------------------------------------------------------ its end

    def signal(self, number):
        os.kill(self.pid, number)

    def wait(self):
        """Its exit code, negative for a signal."""
        code = self.process.wait(PATIENCE_S)
        self.reader.join(PATIENCE_S)
        return code

    def stop(self):
        self.signal(signal.SIGTERM)
        return self.wait()

    def leftovers(self):
        """Processes of its session that are still there (zombies aside)."""
        left = []
        for name in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{name}/stat", encoding="latin-1") as file:
                    fields = file.read().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if int(fields[3]) == self.pid and fields[0] != "Z":
                left.append(int(name))
        return left

    def kill(self):
        """For the fixture: whatever happened, nothing of it stays."""
        if self.process.poll() is None:
            self.signal(signal.SIGQUIT)
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                pass
        for pid in self.leftovers():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait(5)
        os.close(self.pidfd)
        self.notify.close()
        shutil.rmtree(self.runtime, ignore_errors=True)
