"""A Sentinel that is scripted."""

import asyncio
import ssl
from typing import Self


class Teller:
    """A Sentinel that says what it is told to."""

    def __init__(
        self,
        names: int | None,
        *,
        host: str = "127.0.0.1",
        password: str = "",
        reply: bytes = b"",
        context: ssl.SSLContext | None = None,
    ) -> None:
        """`names`: the primary's port, at that host; `reply` is what it says in place of that."""
        self.names = names
        self._host = host
        self._context = context
        self.asked = 0
        self.silent = False
        self._password = password.encode()
        self._reply = reply

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._answer, "127.0.0.1", 0, ssl=self._context)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await reader.read(4096)
        self.asked += 1
        if b"AUTH" in asked:
            writer.write(b"+OK\r\n" if self._password and self._password in asked else b"-WRONGPASS no\r\n")
        if not self.silent:
            writer.write(self._told() if self._password in asked else b"-NOAUTH Authentication required.\r\n")
        await reader.read(1)  # until the asker hangs up
        writer.close()

    def _told(self) -> bytes:
        if self._reply or self.names is None:
            return self._reply or b"*-1\r\n"
        port = str(self.names)
        return f"*2\r\n${len(self._host)}\r\n{self._host}\r\n${len(port)}\r\n{port}\r\n".encode()
