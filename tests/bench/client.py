"""`python -m tests.bench.client PORT CONNECTIONS LEAD SECONDS RATE`: sends the request on stdin over and over, and
prints counts: of all answers by status, and how many took how long of those to what was sent after the first LEAD
seconds.

RATE is requests a second of all connections together, 0: as fast as they are answered. What a request that is sent late
had to wait for the answer before it counts as its own. `{number}` in the request stands for a number of twelve digits,
never the same twice.
"""

import asyncio
import sys
import time
from collections import Counter

import msgspec
import uvloop

_MARK = b"{number}".ljust(12, b"_")


class Caller(asyncio.Protocol):
    """One connection: the next request goes out when the answer to the last one is whole."""

    def __init__(self, request: bytes, first: int, *, due: float, since: float, until: float, every: float) -> None:
        """`due`: when the first one is, by `time.perf_counter`; it is timed what is sent from `since` on. `every`:
        seconds between two, 0: as fast as it goes.
        """
        self._request = request
        self._number = first
        self._due = due
        self._since = since
        self._until = until
        self._every = every
        self._buffer = b""
        self._sent = 0.0
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.seconds: list[float] = []
        self.statuses = Counter[str]()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._next()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if not found or len(body) < _length(head):
            return
        now = time.perf_counter()
        if self._sent >= self._since:
            self.seconds.append(now - self._sent)
        self.statuses[head[9:12].decode()] += 1
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


async def _run(
    port: int, connections: int, rate: float, request: bytes, *, lead: float, seconds: float
) -> dict[str, object]:
    loop = asyncio.get_running_loop()
    began = time.perf_counter()
    since = began + lead
    base = time.time_ns() // 1_000_000 % 10**6 * 10**6
    callers, every = [], connections / rate if rate else 0.0
    for number in range(connections):
        due = began + every * (1 + number / connections)
        first = base + number * 10**4
        make = Caller(request, first, due=due, since=since, until=since + seconds, every=every)
        await loop.create_connection(lambda make=make: make, "127.0.0.1", port)
        callers.append(make)
    await asyncio.gather(*(caller.ended for caller in callers))
    took = time.perf_counter() - since
    statuses, micros = Counter[str](), Counter[int]()
    for caller in callers:
        statuses.update(caller.statuses)
        micros.update(round(1e6 * each) for each in caller.seconds)
    return {"seconds": took, "statuses": statuses, "micros": micros}


if __name__ == "__main__":
    port, connections, lead, seconds, rate = sys.argv[1:]
    request = sys.stdin.buffer.read()
    running = _run(int(port), int(connections), float(rate), request, lead=float(lead), seconds=float(seconds))
    sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(running)))
