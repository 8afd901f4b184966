"""Between a daemon and PostgreSQL: passes bytes on, and at a COMMIT can lose it, or its reply."""

import asyncio
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Self

_CHUNK = 1 << 16
_COMMIT = b"COMMIT\x00"


class AtCommit(Enum):
    PASS = "pass"
    LOSE = "lose"
    """It never arrives, and its connection ends."""
    LOSE_REPLY = "lose_reply"
    """It is carried out, and who asked never hears of it."""


class PgWire:
    """Listens in a directory, as a server would; `url` leads there."""

    def __init__(self, directory: Path, target: Path) -> None:
        self._directory = directory
        self._target = target
        self._next = AtCommit.PASS
        self._hook: Callable[[], None] | None = None
        self._sprung = asyncio.Event()
        self._talks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._directory.mkdir(exist_ok=True)
        self._server = await asyncio.start_unix_server(self._accept, self._directory / ".s.PGSQL.5432")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for talk in self._talks:
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)

    async def spring(self, at: AtCommit, hook: Callable[[], None] | None = None, within: float = 20.0) -> bool:
        """Does so to the next COMMIT, and calls the hook there; whether there was one in time."""
        self._next, self._hook = at, hook
        self._sprung.clear()
        try:
            async with asyncio.timeout(within):
                await self._sprung.wait()
        except TimeoutError:
            self.calm()
            return False
        return True

    def calm(self) -> None:
        """Does nothing to the next COMMIT."""
        self._next, self._hook = AtCommit.PASS, None

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talk = asyncio.ensure_future(self._talk(reader, writer))
        self._talks.add(talk)
        talk.add_done_callback(self._talks.discard)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends = [writer]
        try:
            back, onward = await asyncio.open_unix_connection(self._target)
            ends.append(onward)
            silent = asyncio.Event()
            pumps = [
                asyncio.ensure_future(each)
                for each in (self._asked(reader, onward, silent), self._answered(back, writer, silent))
            ]
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
        except OSError:
            pass  # its end is all there is to say
        finally:
            for end in ends:
                end.close()

    async def _asked(self, reader: asyncio.StreamReader, onward: asyncio.StreamWriter, silent: asyncio.Event) -> None:
        while data := await reader.read(_CHUNK):
            if _COMMIT in data and self._next is not AtCommit.PASS:
                fate, self._next = self._next, AtCommit.PASS
                if self._hook:
                    self._hook()
                    self._hook = None
                self._sprung.set()
                if fate is AtCommit.LOSE:
                    return
                silent.set()
            onward.write(data)
            await onward.drain()

    async def _answered(self, back: asyncio.StreamReader, writer: asyncio.StreamWriter, silent: asyncio.Event) -> None:
        while data := await back.read(_CHUNK):
            if silent.is_set():
                return
            writer.write(data)
            await writer.drain()
