"""Between the nodes of a Redis Cluster: what one says to another goes through here, until it is cut off."""

import asyncio
from dataclasses import dataclass
from typing import Final

_HEAD: Final = 80
_SENDER: Final = slice(40, 80)
"""Where a message's first bytes name the node that it comes from."""
_CHUNK: Final = 1 << 16
_MOMENT: Final = 0.01
"""Seconds, in which the loop makes connections that it has accepted, and closes those that are aborted."""


@dataclass(eq=False)
class _Link:
    writers: list[asyncio.StreamWriter]
    ends: frozenset[str] = frozenset()
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
        self._serving: set[asyncio.Task[None]] = set()
        self._names: dict[int, str] = {}

    async def listen(self, bus_port: int) -> int:
        """A port that leads to that one."""

        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            link = _Link([writer])
            self._links.add(link)
            serving = asyncio.ensure_future(self._serve(bus_port, link, reader))
            self._serving.add(serving)

            def end(serving: asyncio.Task[None]) -> None:  # also of one that was cancelled before it began
                self._serving.discard(serving)
                self._links.discard(link)
                link.abort()

            serving.add_done_callback(end)

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

    async def close(self) -> None:
        for server in self._servers:
            server.close()
        await asyncio.sleep(_MOMENT)
        for serving in self._serving:
            serving.cancel()
        if self._serving:
            await asyncio.wait(self._serving)
        await asyncio.sleep(_MOMENT)

    async def _serve(self, bus_port: int, link: _Link, reader: asyncio.StreamReader) -> None:
        (writer,) = link.writers
        try:
            head = await reader.readexactly(_HEAD)
            link.ends = frozenset({head[_SENDER].decode(), self._names[bus_port]})
            there, onward = await asyncio.open_connection("127.0.0.1", bus_port)
            link.writers.append(onward)
            await asyncio.gather(self._carry(link, head, reader, onward), self._carry(link, b"", there, writer))
        except (OSError, asyncio.IncompleteReadError):
            pass  # a node is not there, or has gone

    async def _carry(
        self, link: _Link, data: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Until either end closes, which closes the other."""
        try:
            while data := data or await reader.read(_CHUNK):
                if self._off & link.ends:
                    link.swallowed = True
                else:
                    writer.write(data)
                    await writer.drain()
                data = b""
        finally:
            link.abort()
