"""A listening socket and the application behind it."""

import asyncio
import logging
import resource
from typing import Final, NamedTuple

from aiohttp import http_parser, web

from sploot_clusterd.config import HttpSettings
from sploot_clusterd.errors import StartError
from sploot_clusterd.health import Health
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.web.connection import Connection, Door

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
        app: web.Application,
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
        self._door = Door(name, listening.max_connections, metrics, health)
        self._runner = web.AppRunner(app, shutdown_timeout=shutdown_timeout)
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        """The port it listens on, the real one where 0 was asked for. 0 while it does not listen."""
        if self._server is None or not self._server.sockets:
            return 0
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def start(self) -> None:
        """Binds and serves. Raises StartError if it cannot."""
        _require_c_parser()
        _make_room(self._listening.max_connections)
        await self._runner.setup()
        host, port = self._listening.host, self._listening.port
        try:
            self._server = await asyncio.get_running_loop().create_server(
                self._connect, host, port, reuse_port=self._listening.reuse_port, backlog=_BACKLOG
            )
        except OSError as error:
            await self._runner.cleanup()
            raise StartError(f"{self._name}: cannot listen on {host}:{port}: {error.strerror or error}") from None
        log.info("listening", extra={"data": {"server": self._name, "host": host, "port": self.port}})

    async def stop(self) -> None:
        """Takes no more connections, ends idle ones, waits for requests, cuts what is left. Again: nothing."""
        server, self._server = self._server, None
        if server is None:
            return
        server.close()
        await self._runner.cleanup()
        for connection in tuple(self._door.open):
            connection.abort()
        await server.wait_closed()
        await self._door.empty.wait()  # an aborted connection leaves on a later turn of the loop

    def _connect(self) -> Connection:
        manager = self._runner.server
        assert manager is not None  # noqa: S101 - set up before the socket exists
        return Connection(manager, self._door, keepalive_s=self._listening.keepalive_s)


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
