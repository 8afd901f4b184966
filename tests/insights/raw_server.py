"""A server that answers any bytes, whatever is asked."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

DRIP_SECONDS = 0.05


@dataclass(frozen=True)
class Raw:
    """How a request is answered: `head`, and `times` times `data`; with `drips`, a byte at a time."""

    data: bytes
    head: bytes = b""
    times: int = 1
    drips: bool = False
    closes: bool = True


@asynccontextmanager
async def answering(raw: Raw) -> AsyncIterator[str]:
    """The URL of a server on loopback."""
    tasks: set[asyncio.Task[None]] = set()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        tasks.add(task)
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await reader.readuntil(b"\r\n\r\n")
            await _send(raw, writer)
            if not raw.closes:
                await reader.read()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _send(raw: Raw, writer: asyncio.StreamWriter) -> None:
    writer.write(raw.head)
    for _ in range(raw.times):
        for part in [raw.data] if not raw.drips else [raw.data[at : at + 1] for at in range(len(raw.data))]:
            writer.write(part)
            await writer.drain()
            if raw.drips:
                await asyncio.sleep(DRIP_SECONDS)
