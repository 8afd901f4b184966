"""Between a daemon and Redis: sees each command and its reply go by, and can lose one, be slow, or fall silent."""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from enum import Enum
from functools import partial
from pathlib import Path
from typing import NamedTuple, Self

from tests.faults.resp import end_of, name_of

_CHUNK = 1 << 16
Address = Path | int
"""A unix socket, or a port of 127.0.0.1."""


class Message(NamedTuple):
    """A command on its way to Redis (`reply` is None), or its reply on its way back."""

    name: str
    reply: bytes | None


class Fate(Enum):
    PASS = "pass"
    CUT = "cut"
    """Thrown away, and its connection with it: nobody can know what became of it."""


Rule = Callable[[Message], Fate]


class Proxy:
    """Listens at `path` and passes on to `target`. Without a rule it looks into nothing and passes on bytes."""

    def __init__(self, path: Address, target: Address, rule: Rule | None = None) -> None:
        self.path = path
        self.target = target
        self.rule = rule
        self.latency = 0.0
        """Seconds that each piece takes, either way."""
        self.bytes_per_second = 0.0
        """How much a connection carries, either way; 0 for any amount."""
        self._silent = False
        self._pairs: set[asyncio.Task[None]] = set()
        self._talks: dict[asyncio.Task[None], asyncio.Event] = {}
        """Of the pairs that are not ending."""
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        if isinstance(self.path, Path):
            self._server = await asyncio.start_unix_server(self._accept, self.path)
        else:
            self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.path)
            self.path = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        await self.cut()

    async def cut(self) -> None:
        """Ends all connections."""
        for pair in list(self._talks):
            pair.cancel()
        if self._pairs:
            await asyncio.wait(self._pairs)

    def silence(self) -> None:
        """From now on nothing is passed on and nothing is closed; new connections are taken and heard of no more."""
        self._silent = True
        for talks in self._talks.values():
            talks.clear()

    def speak(self, *, old: bool) -> None:
        """Passes on again; what went silent only if `old`, else those connections lead nowhere for ever."""
        self._silent = False
        if old:
            for talks in self._talks.values():
                talks.set()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pair = asyncio.ensure_future(self._pair(reader, writer))
        self._pairs.add(pair)
        pair.add_done_callback(self._pairs.discard)
        talks = self._talks[pair] = asyncio.Event()
        if not self._silent:
            talks.set()

    async def _pair(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        this = asyncio.current_task()
        assert this is not None
        ends, pumps = [writer], []
        try:
            await self._talks[this].wait()
            onward_reader, onward_writer = await _connect(self.target)
            ends.append(onward_writer)
            asked: deque[str] = deque()
            for source, sink, look in ((reader, onward_writer, _asked), (onward_reader, writer, _answered)):
                pump = self._pump(source, sink, self._talks[this], partial(look, asked=asked))
                pumps.append(asyncio.ensure_future(pump))
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        except (OSError, asyncio.CancelledError):
            pass  # its end is all there is to say
        finally:
            del self._talks[this]  # from here on it ends by itself
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            for end in ends:
                await _close(end)

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        talks: asyncio.Event,
        look: Callable[[bytes], Message],
    ) -> None:
        """Until one of the two ends closes, or the rule says so."""
        rest = b""
        while data := await reader.read(_CHUNK):
            await talks.wait()
            if self.rule is None:
                await self._carry(writer, data)
                continue
            rest += data
            while (end := end_of(rest)) > 0:
                piece, rest = rest[:end], rest[end:]
                if self.rule(look(piece)) is Fate.CUT:
                    return
                writer.write(piece)
            await writer.drain()

    async def _carry(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        """As slowly as this network is."""
        await asyncio.sleep(self.latency)
        step = max(1, int(self.bytes_per_second / 100)) if self.bytes_per_second else len(data)
        for at in range(0, len(data), step):
            writer.write(data[at : at + step])
            await writer.drain()
            if self.bytes_per_second:
                await asyncio.sleep(step / self.bytes_per_second)


async def _close(writer: asyncio.StreamWriter) -> None:
    """At once: what was not sent is lost."""
    writer.transport.abort()
    with suppress(OSError):
        await writer.wait_closed()


def _asked(piece: bytes, asked: deque[str]) -> Message:
    asked.append(name_of(piece))
    return Message(asked[-1], None)


def _answered(piece: bytes, asked: deque[str]) -> Message:
    return Message(asked.popleft(), piece)


async def _connect(target: Address) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if isinstance(target, Path):
        return await asyncio.open_unix_connection(target)
    return await asyncio.open_connection("127.0.0.1", target)
