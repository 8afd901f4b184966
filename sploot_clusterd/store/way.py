"""The face of what lies between the gateway and Redis: one server, wherever it is now, or a cluster of them."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, Protocol

from sploot_clusterd.config import RedisSettings
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.store.connection import Connection, Pool
from sploot_clusterd.store.reasons import FAILURES, of_failure
from sploot_clusterd.store.whereabouts import Server, whereabouts_of

COMMAND_TIMEOUT: Final = 5.0
"""Seconds for a command where the settings give none: longer than any script, shorter than a caller's patience."""
POOL_WAIT: Final = 2.0
"""Seconds to wait for a free connection before the answer is 503."""


Request = tuple[str, bytes]
"""The key by which a command's server is found ('' where any will do), and the command as it is sent."""


class Way(Protocol):
    """Every method raises StoreUnavailableError, or one of its kinds, where Redis does not do it."""

    is_one: bool
    """Whether all keys are on one server."""

    async def exchange(
        self, requests: Sequence[Request], *, again: bool = False, patience: float | None = None
    ) -> list[Any]:
        """The replies in order, side by side where they come from several servers: errors in their places, a
        StoreUnavailableError where its server is away and others are not.

        `again`: these may happen twice, and are sent again at once where a connection broke. `patience`: seconds that
        one of several servers may keep the others' replies waiting.
        """
        ...

    async def server(self, key: str) -> Server:
        """The one that a connection of one's own is to be opened to."""
        ...

    def suspect(self, key: str) -> None:
        """The key's server may be another one by now: the next commands open new connections, where it is then."""
        ...

    def place(self, key: str) -> str:
        """What is alike for keys of one server, as far as is known: what is asked of it goes well together."""
        ...

    async def servers(self, *, primaries: bool = False) -> list[str]:
        """What all servers are called; with `primaries`, only of those that keys are written to."""
        ...

    async def ask(self, server: str, packed: bytes) -> Any:
        """A server's reply to a command that is about no key. Any one's, if the name is ''."""
        ...

    async def followed(self) -> str:
        """Leaves a server that is the primary no more. Host and port of the one of now, if Sentinels know."""
        ...

    async def close(self) -> None: ...


def pool_of(connect: Callable[[float], Awaitable[Connection]], settings: RedisSettings) -> Pool:
    """Connections for commands; `connect` is given the seconds that one waits for a reply."""
    timeout = command_timeout(settings)
    return Pool(
        lambda: connect(timeout),
        most=settings.pool_max_connections,
        patience=POOL_WAIT,
        trusted_seconds=settings.healthcheck_interval,
    )


def command_timeout(settings: RedisSettings) -> float:
    return settings.socket_timeout or COMMAND_TIMEOUT


class OneServer:
    """Where everything is on one server."""

    is_one = True

    def __init__(self, settings: RedisSettings, metrics: Metrics) -> None:
        self._whereabouts = whereabouts_of(settings, metrics)
        self._repeats = settings.retry_on_timeout
        self.pool = pool_of(self._connect, settings)

    async def exchange(
        self, requests: Sequence[Request], *, again: bool = False, patience: float | None = None
    ) -> list[Any]:
        del patience  # there are no others
        packed, count = b"".join([packed for _, packed in requests]), len(requests)
        try:
            return await self.pool.exchange(packed, count)
        except FAILURES as error:
            if not (again and self._repeats):
                raise of_failure(error) from error
        try:
            return await self.pool.exchange(packed, count)
        except FAILURES as error:
            raise of_failure(error) from error

    async def server(self, key: str) -> Server:
        del key
        try:
            return await self._whereabouts.primary()
        except FAILURES as error:
            raise of_failure(error) from error

    def suspect(self, key: str) -> None:
        del key
        self.pool.forget_idle()

    def place(self, key: str) -> str:
        del key
        return ""

    async def servers(self, *, primaries: bool = False) -> list[str]:
        del primaries
        return [""]

    async def ask(self, server: str, packed: bytes) -> Any:
        (reply,) = await self.exchange([(server, packed)])
        return reply

    async def followed(self) -> str:
        return await self._whereabouts.followed()

    async def close(self) -> None:
        await self.pool.close()

    async def _connect(self, patience: float) -> Connection:
        return await (await self._whereabouts.primary()).connect(patience)


def way_of(settings: RedisSettings, metrics: Metrics) -> Way:
    """The way to one server, or to a cluster."""
    if not settings.cluster:
        return OneServer(settings, metrics)
    from sploot_clusterd.store.cluster.cluster import Cluster  # noqa: PLC0415 - what is off costs no start anything

    return Cluster(settings)
