"""How a request goes to the collector: on a connection that is kept."""

import asyncio
from collections.abc import AsyncIterator

import numpy as np
import pytest

from sploot_clusterd.config import SecretUrl
from sploot_clusterd.spans import Kind, Sort
from sploot_clusterd.tracing import collector as collector_module
from sploot_clusterd.tracing.collector import Collector, CollectorRefusesError
from sploot_clusterd.tracing.encoding import Batch, request
from sploot_clusterd.tracing.pace import PAUSE
from sploot_clusterd.tracing.rows import Rows
from tests.support.collector import collecting

VISIT = Rows(Sort("GET /x", Kind.SERVER), 1, np.array([1.0, 2.0]))


SLICE = 32 * 1024


def one() -> bytes:
    """A request with one span."""
    batch = Batch()
    batch.add(VISIT)
    return b"".join(request({}, batch))


def large() -> tuple[bytes, int]:
    """One of many slices, and how many these are."""
    batch = Batch()
    while len(batch.encoded) < 20 * SLICE:
        batch.add(VISIT)
    made = b"".join(request({}, batch))
    return made, -(-len(made) // SLICE)


async def test_the_connection_is_kept():
    whole, _ = large()
    async with collecting() as there:
        collector = Collector(SecretUrl(there.url))
        for made in (one(), whole, one()):
            await collector.take(made)
            there.status = 400
            with pytest.raises(CollectorRefusesError, match="400"):
                await collector.take(made)
            there.status = 200
        assert (len(there.connections), there.largest) == (1, len(whole))
        await collector.close()


async def test_between_two_slices_of_a_request_others_have_the_core(monkeypatch: pytest.MonkeyPatch):
    whole, slices = large()
    pauses = 0
    sleep = asyncio.sleep

    async def counted(seconds: float) -> None:
        nonlocal pauses
        pauses += seconds == PAUSE
        await sleep(0)

    monkeypatch.setattr(asyncio, "sleep", counted)
    async with collecting() as there:
        collector = Collector(SecretUrl(there.url))
        await collector.take(whole)
        assert pauses == slices - 1
        await collector.close()


@pytest.fixture
async def unread() -> AsyncIterator[str]:
    """Where one answers 413 by the head of a request, and reads no further."""
    gone = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n")
        await gone.wait()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, limit=2**12)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        gone.set()


async def test_a_refusal_comes_before_the_rest_of_a_request(unread: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(collector_module, "_PATIENCE", 60.0)
    collector = Collector(SecretUrl(unread))
    endless = b"x" * 2**26
    for _ in range(2):
        async with asyncio.timeout(30.0):
            with pytest.raises(CollectorRefusesError, match="413"):
                await collector.take(endless)
    await collector.close()
