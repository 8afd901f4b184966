"""How answers look: JSON bodies, and `{"detail": ...}` for everything that is refused."""

import time
from collections.abc import AsyncIterator, Mapping
from email.utils import formatdate
from functools import lru_cache
from http.client import responses
from typing import Final

import msgspec
from aiohttp import hdrs, web

from sploot_clusterd.errors import (
    BacklogFullError,
    BadJobError,
    BadStateError,
    BusyError,
    ClusterdError,
    HistoryUnavailableError,
    StoreUnavailableError,
)

_encoder: Final = msgspec.json.Encoder()

JSON: Final = "application/json"
NDJSON: Final = "application/x-ndjson"
"""A JSON value a line."""
TEXT: Final = "text/plain"
NO_STORE: Final = "Cache-Control: no-store\r\n"
"""No cache on the way keeps what is told of a pet, also after it was erased; nor that there is nothing yet."""
_JSON_FIELDS: Final = f"Content-Type: {JSON}\r\n{NO_STORE}"
_ACCEPTED: Final = _encoder.encode({"status": "accepted"})
_RETRY_AFTER_S: Final = "1"
"""Redis is back within a second or two, and a full backlog drains by thousands a second."""
_NOT_MODIFIED: Final = 304


class Response:
    """One answer, which goes out head and body in one write; by duck all that aiohttp's protocol asks of a response.

    Its own responses build, fill and fold up a dictionary of headers each, of which only one or two ever differ: with
    its resolver they were a third of a read's CPU time.
    """

    __slots__ = ("body", "fields", "keep_alive", "status")

    def __init__(self, status: int, body: bytes = b"", fields: str = _JSON_FIELDS) -> None:
        """`fields` are header lines, each with its line end. They must hold nothing that came from outside."""
        self.status = status
        self.body = body
        self.fields = fields
        self.keep_alive = True

    def force_close(self) -> None:
        """The connection ends with this answer."""
        self.keep_alive = False

    async def prepare(self, request: web.BaseRequest) -> None:
        """Sends all of it. Raises ConnectionError if the client is gone."""
        self.keep_alive = self.keep_alive and request.keep_alive
        head = self._head(request.version)
        await request.writer.write(head if request.method == hdrs.METH_HEAD else head + self.body)
        await request.writer.drain()

    async def write_eof(self) -> None:
        """Nothing is left to send."""

    def _head(self, version: tuple[int, int]) -> bytes:
        length = self._length()
        old = version < (1, 1)  # then a connection ends with its answer, unless both sides say otherwise
        connection = "" if self.keep_alive is not old else f"Connection: {'keep-alive' if old else 'close'}\r\n"
        return (
            f"HTTP/{version[0]}.{version[1]} {self.status} {responses[self.status]}\r\n{self.fields}{length}"
            f"Date: {_date(int(time.time()))}\r\nServer: clusterd\r\n{connection}\r\n"
        ).encode("ascii")

    def _length(self) -> str:
        return "" if self.status == _NOT_MODIFIED else f"Content-Length: {len(self.body)}\r\n"


class EventStream(Response):
    """Server-sent events, for as long as there are any; the connection ends with them."""

    __slots__ = ("_events",)

    def __init__(self, events: AsyncIterator[object]) -> None:
        """`events` become JSON. Proxies are asked to hold nothing back."""
        super().__init__(200, fields=f"Content-Type: text/event-stream\r\n{NO_STORE}X-Accel-Buffering: no\r\n")
        self._events = events
        self.keep_alive = False

    async def prepare(self, request: web.BaseRequest) -> None:
        """Sends all of it. Raises ConnectionError if the client is gone, which is seen at the next event."""
        head = self._head(request.version)
        await request.writer.write(head)
        if request.method == hdrs.METH_HEAD:
            return
        async for event in self._events:
            await request.writer.write(b"data: %s\n\n" % _encoder.encode(event))
            await request.writer.drain()

    def _length(self) -> str:
        return ""


class RefusedError(ClusterdError):
    """An answer that is not what was asked for: a status, and a detail that a person understands."""

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers or {}

    def answer(self) -> Response:
        return answer({"detail": self.detail}, self.status, self.headers)


def answer(data: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """`data` as JSON."""
    more = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
    return Response(status, _encoder.encode(data), _JSON_FIELDS + more)


def accepted() -> Response:
    """What is said of a job that Redis has."""
    return Response(202, _ACCEPTED)


def refusal_of(error: Exception) -> RefusedError | None:
    """What a caller is told of an error that is known to happen; None for one that is not."""
    match error:
        case RefusedError():
            return error
        case BadJobError(reason="malformed"):
            return RefusedError(400, error.detail)
        case BadJobError():
            return RefusedError(422, error.detail)
        case BacklogFullError() | BadStateError() | BusyError() | StoreUnavailableError() | HistoryUnavailableError():
            return RefusedError(503, str(error), {"Retry-After": _RETRY_AFTER_S})
        case _:
            return None


@lru_cache(maxsize=1)
def _date(second: int) -> str:
    return formatdate(second, usegmt=True)
