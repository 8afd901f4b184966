"""A storage service that costs next to nothing: every image has the same insight, and no pet has a list.

`python -m tests.bench.storage` prints its port and serves until its standard input ends.
"""

# ruff: noqa: T201 - it says where it listens

import asyncio
import sys

import msgspec
import numpy as np

from tests.bench.jobs import DIMENSION

_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"


def _answer(body: object) -> bytes:
    raw = msgspec.json.encode(body)
    return _HEAD % len(raw) + raw


_EMBEDDING = np.random.default_rng(1).normal(size=DIMENSION).round(6).tolist()
_INSIGHT = _answer({"has_embedding": True, "embedding": _EMBEDDING, "quality_score": 0.5, "processor_version": "m@1"})
_LIST = _answer({"image_ids": []})


class _Service(asyncio.Protocol):
    """Requests without bodies, one after the other."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._bytes = b""

    def data_received(self, data: bytes) -> None:
        *requests, self._bytes = (self._bytes + data).split(b"\r\n\r\n")
        for request in requests:
            self._transport.write(_LIST if b"/pets/" in request.partition(b"\r\n")[0] else _INSIGHT)


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Service, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_serve())
