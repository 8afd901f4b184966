"""One TCP connection: what aiohttp leaves open to strangers is closed here, below the application.

Counted and bounded in number; one that asks for nothing ended soon; bytes that are no HTTP answered in our own form and
logged sparingly; a client that does not take its answer cut off; one that has closed its sending side answered all the
same.
"""

import asyncio
import logging
import socket
import struct
from typing import TYPE_CHECKING, Any, Final, cast

from aiohttp import StreamReader, web
from aiohttp.http_exceptions import HttpProcessingError, LineTooLong

from sploot_clusterd.web.answers import RefusedError
from sploot_clusterd.web.auth import NOBODY
from sploot_clusterd.web.connections import Connections

if TYPE_CHECKING:
    from sploot_clusterd.spans import Span

log = logging.getLogger(__name__)

_FIRST_REQUEST_S: Final = 5.0
"""How long a new connection may take to send the whole head of a request."""
_LONGEST_DETAIL: Final = 200
_LINGERING_S: Final = 2.0
"""How long an unwanted body is read and thrown away, so that its sender can see why it was not wanted."""
_TURNS: Final = 16
"""Of the loop, from an answer until the next request that has arrived is surely begun; aiohttp takes three."""
_AT_ONCE: Final = struct.pack("ii", 1, 0)
"""SO_LINGER, on, for no time: what the client has not taken is dropped, and it sees a reset."""
_BUSY_BODY: Final = b'{"detail":"too many connections"}'
_BUSY: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: 1\r\n"
    b"Connection: close\r\nContent-Length: %d\r\n\r\n%s"
) % (len(_BUSY_BODY), _BUSY_BODY)


class Connection(web.RequestHandler):
    """aiohttp's protocol with our limits and our errors."""

    __slots__ = (
        "_connections",
        "_content",
        "_cut_off",
        "_first_request",
        "_half_closed",
        "_link",
        "caller",
        "corrected",
        "is_callers",
        "span",
    )

    def __init__(self, manager: web.Server, connections: Connections, *, keepalive_s: float) -> None:
        super().__init__(
            manager,
            loop=asyncio.get_running_loop(),
            keepalive_timeout=keepalive_s,  # bounds unfinished headers too
            lingering_time=_LINGERING_S,
            auto_decompress=False,
            access_log=None,  # type: ignore[arg-type]  # this is how it is turned off
        )
        self._connections = connections
        self._link: asyncio.Transport | None = None
        self._cut_off: asyncio.TimerHandle | None = None
        self._first_request: asyncio.TimerHandle | None = None
        """Runs until it has come."""
        self._half_closed = False
        self._content: StreamReader | None = None
        """The body of the request under way."""
        self.is_callers = False
        self.corrected: tuple[str, ...] = ()
        """Pets that the jobs of the request under way correct."""
        self.caller = NOBODY
        """Whose request is under way, once that is known."""
        self.span: Span | None = None
        """Of the request under way, where requests are traced."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._link = link = cast("asyncio.Transport", transport)  # by duck: uvloop's is no subclass of it
        if self._connections.add(self):
            self._first_request = asyncio.get_running_loop().call_later(_FIRST_REQUEST_S, self.force_close)
            super().connection_made(transport)
        else:
            link.write(_BUSY)
            self.close()
            link.close()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._connections.discard(self)
        self._link = None
        self._keep()
        self._has_asked()
        super().connection_lost(exc)

    def admit(self) -> None:
        """The request under way has a live token."""
        self.is_callers = True
        self._connections.admit(self)

    def begin(self, content: StreamReader) -> None:
        """A request with this body is taken up."""
        self._connections.works(self)
        if self._first_request is not None:
            self._has_asked()
        self._content = content
        if self._half_closed:
            self._cut_body()

    def log_access(self, *_: Any) -> None:
        """What aiohttp does last with each request: it is answered, or its client is gone."""
        content, self._content = self._content, None
        self._connections.idles(self)
        if not self._half_closed:
            return
        if content is not None and not content.is_eof():
            self.force_close()  # the rest of the body never comes
        self._end_when_idle(_TURNS)

    def eof_received(self) -> bool:  # type: ignore[override]  # aiohttp narrows what asyncio asks for
        """The client sends no more, and may still read: what has arrived whole is answered, then the connection ends.

        One that has gone away altogether looks the same until something is written.
        """
        self._half_closed = True
        self._cut_body()
        self._end_when_idle(_TURNS)
        return True

    def _cut_body(self) -> None:
        if self._content is not None and not self._content.is_eof():
            self._content.set_exception(web.RequestPayloadError("the client closed before the end of the body"))

    def _end_when_idle(self, turns: int) -> None:
        """Ends the connection unless a request is begun within so many turns of the loop: its answer asks again."""
        if self._link is None or self._content is not None:
            return
        if turns:
            asyncio.get_running_loop().call_soon(self._end_when_idle, turns - 1)
            return
        self._link.close()  # what is written already still goes out
        if self._cut_off is None:
            self._await_taking()

    def pause_writing(self) -> None:
        """The client is slow in taking its answer: it has as long as an idle one."""
        super().pause_writing()
        self._connections.stalls(self)
        self._await_taking()

    def resume_writing(self) -> None:
        self._connections.resumes(self)
        self._keep()
        super().resume_writing()
        if self._half_closed:
            self._end_when_idle(_TURNS)

    def _await_taking(self) -> None:
        self._cut_off = asyncio.get_running_loop().call_later(self.keepalive_timeout, self._reset)

    def drop(self) -> None:
        """Ends it at once. What has not left this process is lost."""
        if self._link is None:
            return
        if self._link.get_write_buffer_size():
            self._reset()
        else:
            self._link.abort()

    def _has_asked(self) -> None:
        if self._first_request is not None:
            self._first_request.cancel()
            self._first_request = None

    def _reset(self) -> None:
        """Without SO_LINGER the kernel would go on for minutes to offer what it holds: megabytes for a connection."""
        assert self._link is not None  # noqa: S101 - the timer ends with the connection
        self._link.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        self._link.abort()

    def _keep(self) -> None:
        if self._cut_off is not None:
            self._cut_off.cancel()
            self._cut_off = None

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - `exc` says more
    ) -> web.StreamResponse:
        """The answer to bytes that are no HTTP. The connection ends with it."""
        if request.writer.output_size > 0:
            raise ConnectionError("half an answer is out already")
        if isinstance(exc, HttpProcessingError):
            self._connections.bad_requests.inc()
            refusal = _refusal(exc)
        else:
            refusal = RefusedError(status, "internal error")
        self.log_exception(refusal.detail, exc_info=exc)
        reply = refusal.answer()
        reply.force_close()
        return cast("web.StreamResponse", reply)

    def log_exception(self, *args: Any, exc_info: BaseException | None = None, **_: Any) -> None:
        """One line now and then, without a traceback: strangers cause these as often as they like."""
        held_back = self._connections.throttle.passes()
        if held_back is not None:
            data = {"error": type(exc_info).__name__, "held_back": held_back, "peer": _peer(self._link)}
            log.warning("a connection failed: %s", args[0], extra={"data": data})


def _refusal(error: HttpProcessingError) -> RefusedError:
    if isinstance(error, LineTooLong):
        return RefusedError(431, "the request line or a header is too long")
    reason = error.message.partition(":\n")[0]  # what follows repeats the bytes
    return RefusedError(400, f"not HTTP as it should be: {reason[:_LONGEST_DETAIL]}")


def _peer(link: asyncio.Transport | None) -> str | None:
    address = link.get_extra_info("peername") if link is not None else None
    return str(address[0]) if address else None
