# SPDX-License-Identifier: MIT
"""What perf/beside and perf/mixed share: the bundle, the peer, renders of a known length."""

import os
import shutil
import socket
import time
from statistics import median

import servers
from programs import LIB, Failed, free_port

BUNDLE = os.path.join(LIB, "mixed.js")


def start_node(session, workers, cpus=None):
    """Node.js with the same bundle and a cache; None where it is not installed."""
    if shutil.which("node") is None:
        return None
    port = free_port()
    program = session.start("node", ["node", os.path.join(LIB, "node-cached.mjs"), BUNDLE, str(port), str(workers)],
                            cpus, {"NODE_ENV": "production"})
    return servers.Server(program, port, "/hit")


def ask(s, path):
    """One request over a connection that stays open; the body of its 200. The host is that of http1.get(), or it is
    another page."""
    s.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{s.getpeername()[1]}\r\n\r\n".encode())
    data = b""
    while b"\r\n\r\n" not in data:
        more = s.recv(65536)
        if not more:
            raise Failed(f"{path}: closed after {data[:100]!r}")
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise Failed(f"{path}: {head.splitlines()[0].decode('latin-1')}")
    length = int(next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")).split(b":")[1])
    while len(body) < length:
        body += s.recv(65536)
    return body


def rounds_for(port, wanted_ms):
    """How many rounds of /work take so long on this server, when nothing else asks."""
    rounds = 200_000
    with socket.create_connection(("127.0.0.1", port), timeout=60) as s:
        for attempt in range(6):
            times = []
            for i in range(5):
                begun = time.perf_counter()
                ask(s, f"/work?i={rounds}&calibrate={attempt}-{i}")
                times.append((time.perf_counter() - begun) * 1000)
            rounds = max(100, int(rounds * wanted_ms / median(times)))
    return rounds
