# SPDX-License-Identifier: MIT
"""One request over one connection, byte for byte and timed; the load itself is wrk's."""

import socket
import time

from programs import PATIENCE_S, Failed

RETRY_S = 0.0002  # between attempts to connect: short beside what is timed, yet no spinning on a server's CPU


def get(port, path="/"):
    """(head, body) of a 200, as bytes. OSError: no connection, or it broke."""
    head, body, _ = timed_get(port, path)
    return head, body


def timed_get(port, path="/"):
    """(head, body, mono ns when the first byte came)."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as s:
        s.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n".encode())
        data = s.recv(65536)
        first_ns = time.monotonic_ns()
        while True:
            more = s.recv(65536)
            if not more:
                break
            data += more
    head, mark, body = data.partition(b"\r\n\r\n")
    if not mark:
        raise ConnectionError(f"closed after {data[:100]!r}")
    if not head.startswith(b"HTTP/1.1 200"):
        raise Failed(f"{path} on port {port}: {head.splitlines()[0].decode('latin-1')}")
    return head, body, first_ns


def first_answer(program, port, path="/"):
    """Ask until it answers: (head, body, mono ns of its first byte)."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        try:
            return timed_get(port, path)
        except OSError:
            program.check()
            time.sleep(RETRY_S)
    raise Failed(f"{program.name} does not answer on port {port}")
