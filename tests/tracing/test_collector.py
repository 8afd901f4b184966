"""How a request goes to the collector: on a connection that is kept."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from sploot_clusterd.config import SecretUrl
from sploot_clusterd.spans import Kind, Sort
from sploot_clusterd.tracing import collector as collector_module
from sploot_clusterd.tracing.collector import Collector, CollectorRefusesError
from sploot_clusterd.tracing.encoding import Batch, request
from sploot_clusterd.tracing.rows import Rows
from tests.support.collector import collecting

VISIT = Rows(Sort("GET /x", Kind.SERVER), [1.0], [2.0], [b"a"])


def one() -> bytes:
    """A request with one span."""
    batch = Batch()
    batch.add(VISIT)
    return request({}, batch)


async def test_the_connection_is_kept():
    async with collecting() as there:
        collector = Collector(SecretUrl(there.url))
        for status in (200, 400, 200):
            there.status = status
            if status == 200:
                await collector.take(one())
            else:
                with pytest.raises(CollectorRefusesError, match="400"):
                    await collector.take(one())
        assert (len(there.connections), len(there.spans)) == (1, 2)
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
