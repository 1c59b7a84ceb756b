# SPDX-License-Identifier: MIT
"""Requests that are sent when they are due, whether or not those before them were answered, for perf/mixed and
perf/overload. An answer's time counts from when its request was due: what a queue costs is in the figures."""

import asyncio
import time


class Pool:
    """Keep-alive connections: an idle one, else a new one."""

    def __init__(self, port):
        self.port = port
        self.idle = []
        self.failed = 0

    async def ask(self, path, due):
        """(status, ms since it was due); None: no answer, which is counted."""
        try:
            reader, writer = self.idle.pop() if self.idle else await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            self.failed += 1
            return None
        try:
            writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n\r\n".encode())  # as http1.get()
            head = await reader.readuntil(b"\r\n\r\n")
            fields = head.lower()
            at = fields.index(b"content-length:")
            await reader.readexactly(int(fields[at + 15:fields.index(b"\r\n", at)]))
        except (OSError, ValueError, asyncio.IncompleteReadError):
            self.failed += 1
            writer.close()
            return None
        took_ms = (time.perf_counter() - due) * 1000
        if b"connection: close" in fields:
            writer.close()
        else:
            self.idle.append((reader, writer))
        return int(head[9:12]), took_ms

    def close(self):
        for _, writer in self.idle:
            writer.close()


async def send(chance, rate, seconds, request):
    """request(number, due) is started at moments of a Poisson process of that rate (a second); all have ended."""
    tasks = []
    due = begun = time.perf_counter()
    while due < begun + seconds:
        due += chance.expovariate(rate)
        pause = due - time.perf_counter()
        if pause > 0:
            await asyncio.sleep(pause)
        tasks.append(asyncio.create_task(request(len(tasks), due)))
    await asyncio.gather(*tasks)
    return len(tasks)


def quantile(values, q):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))] if ordered else float("nan")
