"""Nodes of a Redis Cluster that say what a test wants, and keep what they were asked, in which write."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import hiredis

from sploot_clusterd.config import RedisSettings, SecretUrl
from sploot_clusterd.keys import Keys, Layout
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.partitioning import SLOTS
from sploot_clusterd.store.gateway import Call, Gateway

Words = tuple[str, ...]
LAYOUT = Layout("ns", "jobs", "jobs:dead", 8)
LAYOUT.follow(LAYOUT.placing)
LOW, HIGH = LAYOUT.partitions[0], LAYOUT.partitions[1]
"""Partitions in the lower and the upper half of the slots."""


class Hangs(Exception):  # noqa: N818 - it is no error of a test's
    """In the place of a reply: none comes."""


class Dies(Exception):  # noqa: N818
    """In the place of a reply: the connection is closed."""


@dataclass(eq=False)
class ScriptedNode:
    """Answers what is not of the cluster itself by `answer`; what that raises is an error reply."""

    slots: Sequence[tuple[int, int]] = ()
    answer: Callable[[Words], Any] = lambda _: "OK"
    others: Collection["ScriptedNode"] = ()
    """Those that its map tells of, besides itself."""
    state: str = "ok"
    writes: list[list[Words]] = field(default_factory=list)
    """Commands but those that open a connection and ask for the map, as they came together."""
    looks: int = 0
    """How often it was asked for its map."""
    opened: int = 0
    port: int = 0

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None):
        self.close()

    async def start(self) -> None:
        self._writers = set[asyncio.StreamWriter]()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    def close(self) -> None:
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()

    @property
    def commands(self) -> list[Words]:
        return [command for write in self.writes for command in write]

    @property
    def connections(self) -> int:
        """That are open now."""
        return len(self._writers)

    def told(self) -> list[list[object]]:
        """Its own part of the reply to CLUSTER SLOTS."""
        return [[begin, end, ["127.0.0.1", self.port, f"id{self.port}"]] for begin, end in self.slots]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        self.opened += 1
        parser = hiredis.Reader()
        with suppress(OSError, Dies):
            while data := await reader.read(1 << 20):
                parser.feed(data)
                write: list[Words] = []
                while parts := parser.gets():
                    write.append(tuple(part.decode(errors="replace") for part in parts))
                kept = [command for command in write if command[0] not in ("PING", "CLUSTER")]
                if kept:
                    self.writes.append(kept)
                for command in write:
                    writer.write(_packed(await self._reply(command)))
                await writer.drain()
        writer.transport.abort()
        self._writers.discard(writer)

    async def _reply(self, command: Words) -> object:
        match command:
            case ("PING",):
                return "PONG"
            case ("CLUSTER", "INFO"):
                return f"cluster_state:{self.state}\r\n"
            case ("CLUSTER", "SLOTS"):
                self.looks += 1
                return [part for node in (self, *self.others) for part in node.told()]
        try:
            return self.answer(command)
        except Hangs:
            await asyncio.Event().wait()
        except Dies:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a test has it say
            return error
        return None


def halves(*more: ScriptedNode) -> tuple[ScriptedNode, ScriptedNode]:
    """Two nodes that know each other and have half of the slots each; `more` are known to both."""
    one, other = ScriptedNode([(0, SLOTS // 2 - 1)]), ScriptedNode([(SLOTS // 2, SLOTS - 1)])
    one.others, other.others = (other, *more), (one, *more)
    return one, other


def gateway_to(*seeds: ScriptedNode, **given: Any) -> Gateway:
    """Keywords change the settings."""
    url = SecretUrl(f"redis://{','.join(f'127.0.0.1:{node.port}' for node in seeds)}")
    return Gateway(RedisSettings(url=url, cluster=True, **given), LOW, Metrics())


def _packed(reply: object) -> bytes:
    match reply:
        case None:
            return b"$-1\r\n"
        case int():
            return b":%d\r\n" % reply
        case str() if reply.isascii() and "\r" not in reply and len(reply) < 9:
            return b"+%s\r\n" % reply.encode()
        case str():
            return b"$%d\r\n%s\r\n" % (len(reply.encode()), reply.encode())
        case list() | tuple():
            return b"*%d\r\n" % len(reply) + b"".join(map(_packed, reply))
    return b"-%s\r\n" % str(reply).encode()


@asynccontextmanager
async def opened(*nodes: ScriptedNode, seeds: int = 2, **given: object) -> AsyncIterator[Gateway]:
    """A way over these nodes, of which so many are named."""
    for node in nodes:
        await node.start()
    gateway = gateway_to(*nodes[:seeds], **given)
    try:
        yield gateway
    finally:
        await gateway.close()
        for node in nodes:
            node.close()


async def xlen(gateway: Gateway, keys: Keys = LOW) -> object:
    return await gateway.command("upkeep", "XLEN", keys.stream)


def stats(*which: Keys) -> list[Call]:
    return [Call({"group": "g"}, keys=keys) for keys in which]


def names(node: ScriptedNode) -> list[str]:
    return [name for name, *_ in node.commands]
