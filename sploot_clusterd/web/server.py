"""A listening socket and what is served on it."""

import asyncio
import ipaddress
import logging
import resource
import socket
from collections.abc import Awaitable
from functools import partial
from typing import Any, Final, NamedTuple, cast

from aiohttp import HttpVersion11, StreamReader, hdrs, http_parser, web
from aiohttp.abc import AbstractStreamWriter

from sploot_clusterd.config import HttpSettings
from sploot_clusterd.errors import StartError
from sploot_clusterd.health import Health
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.web.answers import RefusedError, Response
from sploot_clusterd.web.connection import Connection
from sploot_clusterd.web.connections import Connections
from sploot_clusterd.web.routing import App

log = logging.getLogger(__name__)

_BACKLOG: Final = 1024
_OTHER_DESCRIPTORS: Final = 256
"""Room beside the connections: Redis, files, the other server."""


class Listening(NamedTuple):
    """Where a server listens and what it bears, for one that is not configured as a whole (the metrics port)."""

    host: str
    port: int
    reuse_port: bool = False
    keepalive_s: float = 30.0
    max_connections: int = 64


class HttpServer:
    """`start`, then `port`, then `stop`."""

    def __init__(
        self,
        app: App,
        listening: HttpSettings | Listening,
        *,
        name: str,
        metrics: Metrics,
        health: Health,
        shutdown_timeout: float = 10.0,
    ) -> None:
        """`name` stands for it in messages. `shutdown_timeout` seconds is what a request has to end in after `stop`."""
        self._name = name
        self._listening = listening
        self._connections = Connections(name, listening.max_connections, metrics, health)
        self._app = app
        self._route = app.router.handle
        self._shutdown_timeout = shutdown_timeout
        self._serving: tuple[asyncio.Server, web.Server] | None = None

    @property
    def port(self) -> int:
        """The port it listens on, the real one where 0 was asked for. 0 while it does not listen."""
        if self._serving is None or not self._serving[0].sockets:
            return 0
        port: int = self._serving[0].sockets[0].getsockname()[1]
        return port

    async def start(self) -> None:
        """Binds and serves. Raises StartError if it cannot."""
        _require_c_parser()
        _make_room(self._listening.max_connections)
        manager = web.Server(cast("Any", self._handle), request_factory=self._request)
        connect = partial(Connection, manager, self._connections, keepalive_s=self._listening.keepalive_s)
        host, port = self._listening.host, self._listening.port
        reuse_port = self._listening.reuse_port
        where: dict[str, Any] = {"host": host, "port": port, "reuse_port": reuse_port}
        try:
            if _is_everywhere(host):
                where = {"sock": _of_both_families(port, reuse_port=reuse_port)}
            server = await asyncio.get_running_loop().create_server(connect, **where, backlog=_BACKLOG)
        except OSError as error:
            raise StartError(
                f"{self._name}: cannot listen on {f'[{host}]' if ':' in host else host}:{port}: "
                f"{error.strerror or error}; {self._name}.host and {self._name}.port say where"
            ) from None
        self._serving = server, manager
        log.info("listening", extra={"data": {"server": self._name, "host": host, "port": self.port}})

    async def stop(self) -> None:
        """Takes no more connections, ends idle ones, waits for requests, cuts what is left. Again: nothing."""
        serving, self._serving = self._serving, None
        if serving is None:
            return
        server, manager = serving
        server.close()
        await asyncio.sleep(0)  # what has arrived is begun before idle connections are ended
        manager.pre_shutdown()
        await manager.shutdown(self._shutdown_timeout)
        for connection in tuple(self._connections.open):
            connection.drop()
        await server.wait_closed()
        await self._connections.empty.wait()  # an aborted connection leaves on a later turn of the loop

    def _handle(self, request: web.BaseRequest) -> Awaitable[Response]:
        if self._connections.crowded and not self._may_ask(request):
            return _refused(RefusedError(503, "too many connections", {hdrs.RETRY_AFTER: "1"}))
        version = request.version
        if version is not HttpVersion11 and version < HttpVersion11 and hdrs.TRANSFER_ENCODING in request.headers:
            self._connections.bad_requests.inc()
            return _refused(RefusedError(400, "not HTTP as it should be: HTTP/1.0 has no Transfer-Encoding"))
        return self._route(request)

    def _may_ask(self, request: web.BaseRequest) -> bool:
        connection = cast("Connection", request.protocol)
        return self._connections.have_room_for(connection) or request.rel_url.path_safe in self._app.probes

    def _request(
        self,
        message: http_parser.RawRequestMessage,
        payload: StreamReader,
        protocol: web.RequestHandler,
        writer: AbstractStreamWriter,
        task: asyncio.Task[None],
    ) -> web.BaseRequest:
        cast("Connection", protocol).begin(payload)
        loop = asyncio.get_running_loop()
        return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=self._app.max_body_bytes)


async def _refused(refusal: RefusedError) -> Response:
    """The connection ends with it: what comes after is of no use, or cannot be told from the body."""
    response = refusal.answer()
    response.force_close()
    return response


def _is_everywhere(host: str) -> bool:
    """Whether it is IPv6's `::`, however it is written."""
    try:
        return ipaddress.IPv6Address(host).is_unspecified
    except ValueError:
        return False


def _of_both_families(port: int, *, reuse_port: bool) -> socket.socket:
    """One that takes IPv4 as well, as people expect of `::`; the event loop's own would take IPv6 alone.

    IPv6 alone too where the system cannot do both. Raises OSError.
    """
    return socket.create_server(
        ("::", port),
        family=socket.AF_INET6,
        backlog=_BACKLOG,
        reuse_port=reuse_port,
        dualstack_ipv6=socket.has_dualstack_ipv6(),
    )


def _require_c_parser() -> None:
    """The parser in Python reads some requests differently from proxies in front of it, and is slow."""
    if http_parser.HttpRequestParser is http_parser.HttpRequestParserPy:
        raise StartError("aiohttp runs without its C parser: install its wheel and unset AIOHTTP_NO_EXTENSIONS")


def _make_room(connections: int) -> None:
    """Raises the process's soft limit of descriptors as far as it may: 1024 is less than our own limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + _OTHER_DESCRIPTORS
    reachable = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < reachable:
        resource.setrlimit(resource.RLIMIT_NOFILE, (reachable, hard))
    if reachable < wanted:
        log.warning("too few file descriptors", extra={"data": {"wanted": wanted, "limit": hard}})
