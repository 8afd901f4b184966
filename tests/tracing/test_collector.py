"""How a request goes to the collector: piece by piece, on a connection that is kept."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from sploot_clusterd.config import SecretUrl
from sploot_clusterd.spans import Kind, Sort
from sploot_clusterd.tracing import collector as collector_module
from sploot_clusterd.tracing.collector import Collector, CollectorRefusesError
from sploot_clusterd.tracing.encoding import Piece, request
from sploot_clusterd.tracing.rows import Rows
from tests.support.collector import collecting

VISIT = Rows(Sort("GET /x", Kind.SERVER), [1.0], [2.0], [b"a"])


def some(pieces: int) -> list[bytes | bytearray]:
    """A request of so many pieces."""
    made = [Piece() for _ in range(pieces)]
    for piece in made:
        piece.add(VISIT)
    return request({}, made)


async def test_others_have_their_turn_between_pieces():
    async with collecting() as there:
        collector = Collector(SecretUrl(there.url))
        sending = asyncio.create_task(collector.take(some(500)))
        turns = 0
        while not sending.done():
            turns += 1
            await asyncio.sleep(0)
        assert await sending == 0
        assert turns > 500
        assert len(there.spans) == 500
        await collector.close()


async def test_the_connection_is_kept():
    async with collecting() as there:
        collector = Collector(SecretUrl(there.url))
        for status in (200, 400, 200):
            there.status = status
            if status == 200:
                await collector.take(some(3))
            else:
                with pytest.raises(CollectorRefusesError, match="400"):
                    await collector.take(some(3))
        assert len(there.connections) == 1
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
    endless = [b"x" * 2**20] * 64
    for _ in range(2):
        async with asyncio.timeout(30.0):
            with pytest.raises(CollectorRefusesError, match="413"):
                await collector.take(endless)
    await collector.close()
