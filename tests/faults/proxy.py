"""Between a daemon and Redis: passes everything on, but now and then loses the reply to what was carried out."""

import asyncio
import random
from pathlib import Path
from typing import Self

_CHUNK = 1 << 16


class LossyProxy:
    """A unix socket before another. One piece of reply in `one_in` is thrown away, and its connection with it."""

    def __init__(self, path: Path, target: Path, one_in: int, seed: int) -> None:
        self.path = path
        self.lost = 0
        self._target = target
        self._one_in = one_in
        self._random = random.Random(seed)
        self._pairs: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_unix_server(self._accept, self.path)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for pair in tuple(self._pairs):
            pair.cancel()
        if self._pairs:
            await asyncio.wait(self._pairs)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._pairs.add(task)
        task.add_done_callback(self._pairs.discard)
        try:
            await self._pair(reader, writer)
        except (OSError, asyncio.CancelledError):
            writer.transport.abort()

    async def _pair(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        onward_reader, onward_writer = await asyncio.open_unix_connection(self._target)
        pumps = {
            asyncio.ensure_future(_pump(reader, onward_writer)),
            asyncio.ensure_future(self._lossy_pump(onward_reader, writer)),
        }
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            for end in (writer, onward_writer):
                end.transport.abort()

    async def _lossy_pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(_CHUNK):
            if self._random.randrange(self._one_in) == 0:
                self.lost += 1
                return
            writer.write(data)
            await writer.drain()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(_CHUNK):
        writer.write(data)
        await writer.drain()
