"""Connections to Redis: an asyncio protocol around hiredis, and a pool in which a broken connection is a lesson about
the others.

A general client's ways around a command cost several times what the command does, and turns of the event loop besides.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any, Final, cast

import hiredis

Argument = bytes | str | int

# The library's own types know tuples of one part only.
pack: Final = cast("Callable[[tuple[Argument, ...]], bytes]", hiredis.pack_command)
"""A command's bytes. Raises TypeError for a part that is nothing of the kind."""

_PING: Final = pack(("PING",))
_MORE: Final = object()
_KEEP_ALIVE: Final = (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3))
_CLOSE_SECONDS: Final = 1.0


class ReplyError(Exception):
    """An error that the server replied; the text is its own."""


class Connection(asyncio.Protocol):
    """One connection, for one exchange at a time. Whatever disturbs an exchange closes it: replies may be left that
    would be taken for those of the next one.
    """

    def __init__(self, patience: float) -> None:
        """`patience`: seconds without a reply after which the server counts as gone."""
        self.closed = False
        self.used_at = 0.0
        self._patience = patience
        self._loop = asyncio.get_running_loop()
        self._gone = self._loop.create_future()
        self._reader = hiredis.Reader(replyError=ReplyError, notEnoughData=_MORE)
        self._replies: list[Any] = []
        self._wanted = 0
        self._waiter: asyncio.Future[list[Any]] | None = None
        self._cause: Exception | None = None
        self._deadline = 0.0
        self._timer: asyncio.TimerHandle | None = None

    async def exchange(self, packed: bytes, count: int = 1) -> list[Any]:
        """Sends commands and gives their `count` replies, errors in place.

        Raises OSError (TimeoutError, ConnectionError) or hiredis.ProtocolError; ReplyError if the server said why it
        hung up. What was asked may have happened.
        """
        if self.closed or self._replies:
            self.abort()
            raise self._last_words()
        self._waiter = self._loop.create_future()
        self._wanted = count
        self._deadline = self._loop.time() + self._patience
        if self._timer is None:  # one for many exchanges: to set and cancel it costs more than to read a reply
            self._timer = self._loop.call_later(self._patience, self._look_at_the_clock)
        self._transport.write(packed)  # not waited for: nothing more is sent before the replies
        try:
            return await self._waiter
        except BaseException:
            self.abort()
            raise

    async def answers(self) -> bool:
        """Whether the server is still there."""
        try:
            await self.exchange(_PING)
        except (OSError, hiredis.ProtocolError, ReplyError):
            return False
        return True

    def abort(self) -> None:
        """Closes at once, without waiting for the other end, which over TLS may take its time."""
        self.closed = True
        self._transport.abort()

    async def wait_closed(self) -> None:
        await asyncio.wait({self._gone}, timeout=_CLOSE_SECONDS)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        sock = transport.get_extra_info("socket")
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for name, value in _KEEP_ALIVE:
                if number := getattr(socket, name, None):
                    sock.setsockopt(socket.IPPROTO_TCP, number, value)

    def data_received(self, data: bytes) -> None:
        try:
            self._reader.feed(data)
            while (reply := self._reader.gets()) is not _MORE:
                self._replies.append(reply)
        except hiredis.ProtocolError as error:
            self._end(error)
            self.abort()
            return
        if self._waiter is None:
            return  # unasked: why it hangs up, most likely
        if len(self._replies) < self._wanted:
            self._deadline = self._loop.time() + self._patience
            return
        waiter, self._waiter = self._waiter, None
        replies, self._replies = self._replies[: self._wanted], self._replies[self._wanted :]
        if not waiter.done():
            waiter.set_result(replies)

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        if self._timer:
            self._timer.cancel()
        self._cause = exc
        self._end(self._last_words())
        if not self._gone.done():
            self._gone.set_result(None)

    def _look_at_the_clock(self) -> None:
        self._timer = None
        if self._waiter is None:
            return
        left = self._deadline - self._loop.time()
        if left > 0:
            self._timer = self._loop.call_later(left, self._look_at_the_clock)
        else:
            self._end(TimeoutError("no reply in time"))

    def _end(self, error: Exception) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter and not waiter.done():
            waiter.set_exception(error)

    @property
    def said(self) -> ReplyError | None:
        """The error that the server told unasked: why it hangs up, most likely."""
        return next((reply for reply in self._replies[:1] if isinstance(reply, ReplyError)), None)

    def _last_words(self) -> Exception:
        return self.said or self._cause or ConnectionResetError("the connection was lost")


class Pool:
    """Up to `most` connections; who comes when all are in use waits for one, at most `patience` seconds.

    Where one connection broke, the idle ones most likely lead nowhere either: closes them too. Else each would be found
    out by a command of its own, which waits for its timeout.
    """

    def __init__(
        self, connect: Callable[[], Awaitable[Connection]], *, most: int, patience: float, trusted_seconds: float
    ) -> None:
        """A connection that was idle for more than `trusted_seconds` is tried before it is used (0: never tried)."""
        self._connect = connect
        self._patience = patience
        self._trusted_seconds = trusted_seconds or float("inf")
        self._room = asyncio.Semaphore(most)
        self._idle: list[Connection] = []
        self._busy: set[Connection] = set()
        self._closed = False

    async def exchange(self, packed: bytes, count: int = 1) -> list[Any]:
        """As a connection's. Raises TimeoutError, too, if none becomes free, and what opening one raises."""
        if self._room.locked():
            async with asyncio.timeout(self._patience):
                await self._room.acquire()
        else:
            await self._room.acquire()  # at once: a timer for each command would cost as much as the rest
        try:
            connection = await self._ready()
            try:
                return await connection.exchange(packed, count)
            finally:
                self._give_back(connection)
        except (OSError, hiredis.ProtocolError):
            self.forget_idle()
            raise
        finally:
            self._room.release()

    @property
    def in_use(self) -> bool:
        """Whether something is asked for over one of them now."""
        return bool(self._busy)

    def forget_idle(self) -> list[Connection]:
        """Closes the idle connections: commands to come open new ones."""
        idle, self._idle = self._idle, []
        for connection in idle:
            connection.abort()
        return idle

    async def close(self) -> None:
        """For good. Finishes even if the caller is cancelled: else connections would leak."""
        self._closed = True
        gone = [*self.forget_idle(), *self._busy]
        for connection in gone:
            connection.abort()
        for connection in gone:
            await connection.wait_closed()

    async def _ready(self) -> Connection:
        if self._closed:
            raise ConnectionResetError("closed")
        now = asyncio.get_running_loop().time()
        while self._idle:
            connection = self._idle.pop()
            if connection.closed:
                continue
            if now - connection.used_at <= self._trusted_seconds or await connection.answers():
                self._busy.add(connection)
                return connection
            self.forget_idle()
        connection = await self._connect()
        self._busy.add(connection)
        return connection

    def _give_back(self, connection: Connection) -> None:
        self._busy.discard(connection)
        if self._closed:
            connection.abort()
        elif not connection.closed:
            connection.used_at = asyncio.get_running_loop().time()
            self._idle.append(connection)
