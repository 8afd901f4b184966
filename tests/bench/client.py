"""`python -m tests.bench.client PORT CONNECTIONS SECONDS RATE`: sends the request on stdin over and over, and
prints counts.

RATE is requests a second of all connections together, 0: as fast as they are answered. What a request that is sent late
had to wait for the answer before it counts as its own. `{number}` in the request stands for a number of twelve digits,
never the same twice.
"""

import asyncio
import sys
import time

import msgspec
import uvloop

_MARK = b"{number}".ljust(12, b"_")


class Caller(asyncio.Protocol):
    """One connection: the next request goes out when the answer to the last one is whole."""

    def __init__(self, request: bytes, first: int, *, due: float, until: float, every: float) -> None:
        """`due`: when the first one is, by `time.perf_counter`. `every`: seconds between two, 0: as fast as it goes."""
        self._request = request
        self._number = first
        self._due = due
        self._until = until
        self._every = every
        self._buffer = b""
        self._sent = 0.0
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.seconds: list[float] = []
        self.statuses: dict[str, int] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._next()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if not found or len(body) < _length(head):
            return
        now = time.perf_counter()
        self.seconds.append(now - self._sent)
        status = head[9:12].decode()
        self.statuses[status] = self.statuses.get(status, 0) + 1
        self._buffer = b""
        self._due += self._every
        if max(now, self._due) < self._until:
            self._next()
        else:
            self._transport.close()

    def connection_lost(self, _exc: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_result(None)

    def _next(self) -> None:
        early = self._due - time.perf_counter() if self._every else 0.0
        if early > 0:
            asyncio.get_running_loop().call_later(early, self._send)
        else:
            self._send(self._due if self._every else None)

    def _send(self, since: float | None = None) -> None:
        """`since`: when it was due, if that was earlier."""
        self._number += 1
        self._sent = time.perf_counter() if since is None else since
        self._transport.write(self._request.replace(_MARK, b"%012d" % self._number))


def marked(text: str) -> str:
    """The text with the mark for each `{number}`, of the length that the numbers will have."""
    return text.replace("{number}", _MARK.decode())


def _length(head: bytes) -> int:
    _, found, rest = head.lower().partition(b"content-length:")
    return int(rest.partition(b"\r\n")[0]) if found else 0


async def _run(port: int, connections: int, seconds: float, rate: float, request: bytes) -> dict[str, object]:
    loop = asyncio.get_running_loop()
    began = time.perf_counter()
    base = time.time_ns() // 1_000_000 % 10**6 * 10**6
    callers, every = [], connections / rate if rate else 0.0
    for number in range(connections):
        due = began + every * (1 + number / connections)
        make = Caller(request, base + number * 10**4, due=due, until=began + seconds, every=every)
        await loop.create_connection(lambda make=make: make, "127.0.0.1", port)
        callers.append(make)
    await asyncio.gather(*(caller.ended for caller in callers))
    took = time.perf_counter() - began
    times = sorted(second for caller in callers for second in caller.seconds)
    statuses: dict[str, int] = {}
    for caller in callers:
        for status, count in caller.statuses.items():
            statuses[status] = statuses.get(status, 0) + count
    return {"rate": len(times) / took, "p99_ms": 1000 * times[int(len(times) * 0.99)], "statuses": statuses}


if __name__ == "__main__":
    port, connections, seconds, rate = sys.argv[1:]
    answer = uvloop.run(_run(int(port), int(connections), float(seconds), float(rate), sys.stdin.buffer.read()))
    sys.stdout.buffer.write(msgspec.json.encode(answer))
