"""Between the nodes of a Redis Cluster: what one says to another goes through here, until it is cut off."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

_HEAD: Final = 80
_SENDER: Final = slice(40, 80)
"""Where a message's first bytes name the node that it comes from."""
_CHUNK: Final = 1 << 16


@dataclass(eq=False)
class _Link:
    sender: str
    to: str
    writers: list[asyncio.StreamWriter] = field(default_factory=list)
    swallowed: bool = False
    """Something is missing in it: it can never be used again."""

    def abort(self) -> None:
        for writer in self.writers:
            writer.transport.abort()


class Bus:
    """Listens in place of nodes' bus ports. Of a node that is cut off nothing gets through, either way, and nothing is
    closed, as in a network that falls silent.
    """

    def __init__(self) -> None:
        self._off: set[str] = set()
        self._links: set[_Link] = set()
        self._servers: list[asyncio.Server] = []
        self._names: dict[int, str] = {}

    async def listen(self, bus_port: int) -> int:
        """A port that leads to that one."""

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(OSError, asyncio.IncompleteReadError):
                await self._serve(bus_port, reader, writer)
            writer.transport.abort()

        server = await asyncio.start_server(accept, "127.0.0.1", 0)
        self._servers.append(server)
        port: int = server.sockets[0].getsockname()[1]
        return port

    def name(self, bus_port: int, node: str) -> None:
        """The id of the node behind that port."""
        self._names[bus_port] = node

    def cut_off(self, node: str) -> None:
        self._off.add(node)

    def join(self, node: str) -> None:
        """It is there again: nodes open the links anew that were used meanwhile."""
        self._off.discard(node)
        for link in self._links:
            if link.swallowed:
                link.abort()

    def close(self) -> None:
        for server in self._servers:
            server.close()
        for link in self._links:
            link.abort()

    async def _serve(self, bus_port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readexactly(_HEAD)
        link = _Link(head[_SENDER].decode(), self._names[bus_port], [writer])
        self._links.add(link)
        try:
            there, onward = await asyncio.open_connection("127.0.0.1", bus_port)
            link.writers.append(onward)
            back = asyncio.ensure_future(self._carry(link, b"", there, writer))
            await self._carry(link, head, reader, onward)
            await back
        finally:
            self._links.discard(link)
            link.abort()

    async def _carry(
        self, link: _Link, data: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Until either end closes, which closes the other."""
        with suppress(OSError):
            while data := data or await reader.read(_CHUNK):
                if self._off & {link.sender, link.to}:
                    link.swallowed = True
                else:
                    writer.write(data)
                    await writer.drain()
                data = b""
        link.abort()
