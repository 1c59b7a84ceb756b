# SPDX-License-Identifier: MIT
"""Load that counts what gets lost while something is done to the server: a helper of the tests, and a program.

usage: loss.py HOST:PORT [--seconds N] [--connections N] [--close] [--path /]
  --close   one request per connection instead of keep-alive

Classes: ok · refused (no connection) · reset (a new connection's first request got no byte) · stale (a used,
idle connection was closed under its next request) · torn (an answer began and was cut) · wrong (not a 200,
or a body that `accept` does not take) · silent (no answer in time). Lost is all but ok and stale.
"""

import argparse
import asyncio
import re
import sys

PATIENCE_S = 20


class Load:
    """Clients that ask as fast as they are answered."""

    def __init__(self, host, port, connections=16, keep_alive=True, path="/", accept=None):
        self.address = (host, port)
        self.connections = connections
        self.keep_alive = keep_alive
        self.accept = accept or (lambda body: True)
        close = "" if keep_alive else "Connection: close\r\n"
        self.request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{close}\r\n".encode()
        self.counts = dict.fromkeys(("ok", "refused", "reset", "stale", "torn", "wrong", "silent"), 0)
        self.stopping = False
        self.awaited = None  # (count of ok, future)

    @property
    def lost(self):
        return sum(self.counts.values()) - self.counts["ok"] - self.counts["stale"]

    async def _answer(self, reader):
        """(class, whether the connection may go on); data that came before an end decides reset or torn."""
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as error:
            return ("torn" if error.partial else "end"), False
        length = re.search(rb"\r\ncontent-length: *(\d+)", head, re.I)
        try:
            body = await (reader.readexactly(int(length[1])) if length else reader.read())
        except asyncio.IncompleteReadError:
            return "torn", False
        good = head.startswith(b"HTTP/1.1 200 ") and self.accept(body)
        more = self.keep_alive and length is not None and not re.search(rb"\r\nconnection: *close", head, re.I)
        return ("ok" if good else "wrong"), more

    async def _one(self, connection):
        """One request; the connection for the next one, or None."""
        fresh = connection is None
        if fresh:
            try:
                connection = await asyncio.open_connection(*self.address)
            except OSError:
                self.counts["refused"] += 1
                return None
        reader, writer = connection
        try:
            writer.write(self.request)
            await writer.drain()
            kind, more = await asyncio.wait_for(self._answer(reader), PATIENCE_S)
        except (asyncio.TimeoutError, TimeoutError):
            kind, more = "silent", False
        except OSError:
            kind, more = "end", False
        self.counts[("reset" if fresh else "stale") if kind == "end" else kind] += 1
        if more:
            return connection
        writer.close()
        return None

    async def _client(self):
        connection = None
        while not self.stopping:
            connection = await self._one(connection)
            if self.awaited and self.counts["ok"] >= self.awaited[0]:
                self.awaited[1].set_result(None)
                self.awaited = None
        if connection is not None:
            connection[1].close()

    async def answered(self, count):
        """Until so many more requests were answered well."""
        future = asyncio.get_running_loop().create_future()
        self.awaited = (self.counts["ok"] + count, future)
        await asyncio.wait_for(future, PATIENCE_S)

    async def during(self, act):
        """Run the load while the coroutine `act` runs; its result."""
        clients = [asyncio.create_task(self._client()) for _ in range(self.connections)]
        try:
            return await act
        finally:
            self.stopping = True
            await asyncio.gather(*clients)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("address")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--close", action="store_true")
    parser.add_argument("--path", default="/")
    options = parser.parse_args()
    host, _, port = options.address.rpartition(":")
    load = Load(host, int(port), options.connections, not options.close, options.path)
    asyncio.run(load.during(asyncio.sleep(options.seconds)))
    print(" ".join(f"{kind} {count}" for kind, count in load.counts.items()), f"lost {load.lost}")
    return 1 if load.lost or load.counts["stale"] else 0


if __name__ == "__main__":
    sys.exit(main())
