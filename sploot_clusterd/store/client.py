"""The only module that makes connections to Redis, and the only one that reads its errors.

Two kinds of client: one pool for commands, and for each consumer a reader of its own, whose blocked reads would
otherwise starve the commands. Neither lets the library retry: a command whose reply was lost may have happened, and
only the caller knows which ones may happen twice.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final, TypeVar

from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    AskError,
    AuthenticationError,
    ClusterError,
    ConnectionError,  # noqa: A004 - the library's own name for it
    InvalidResponse,
    MasterDownError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TimeoutError,  # noqa: A004
    TryAgainError,
)

from sploot_clusterd.config import RedisSettings
from sploot_clusterd.errors import (
    BadStateError,
    GroupMissingError,
    StartError,
    StoreRefusesError,
    StoreUnavailableError,
)
from sploot_clusterd.store.connection import Pool, connection_options
from sploot_clusterd.store.server import Finding, findings

T = TypeVar("T")

_COMMAND_TIMEOUT: Final = 5.0
"""Seconds for a command where the settings give none: longer than any script, shorter than a caller's patience."""
_READ_MARGIN: Final = 5.0
"""Seconds beyond its block time after which a blocked read is taken for dead."""
_POOL_WAIT: Final = 2.0
"""Seconds to wait for a free connection before the answer is 503."""
_LONGEST: Final = 200
_OTHER_NAME: Final = (62, 64)
"""X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH of OpenSSL."""

_MEANINGS: Final[Sequence[tuple[tuple[type[RedisError], ...], tuple[str, ...], Callable[[str], Exception]]]] = (
    (
        (NoPermissionError,),
        ("NOPERM",),
        lambda _: StoreUnavailableError("redis refuses a command to our user: see the ACL in docs/operations.md"),
    ),
    (
        (OutOfMemoryError, ReadOnlyError, MasterDownError),
        ("MISCONF", "NOREPLICAS", "OOM", "READONLY", "MASTERDOWN"),
        lambda text: StoreRefusesError(f"redis refuses writes: {text}"),
    ),
    (
        (ClusterError, AskError, TryAgainError),
        ("BUSY", "LOADING", "CLUSTERDOWN", "UNKILLABLE"),
        lambda text: StoreUnavailableError(f"redis cannot answer now: {text}"),
    ),
    ((), ("NOGROUP", "UNBLOCKED"), GroupMissingError),
    ((), ("WRONGTYPE",), BadStateError),
)
"""What Redis replies, by class and by its first word, and what is to be done about it. All else is a bug of ours."""


class Clients:
    """The process's way to Redis."""

    def __init__(self, settings: RedisSettings) -> None:
        self._settings = settings
        self._commands = self._pool(settings.pool_max_connections, self._timeout(0.0))
        self.commands = Redis(connection_pool=self._commands)
        self._readers: set[Redis] = set()
        self._accepted = False

    def reader(self, block_ms: int) -> Redis:
        """A client with a single connection for reads that block up to `block_ms`. Close it with `drop`.

        It connects once: what was done on a connection, such as taking a name, is not there on the next one, so a lost
        one has to be noticed.
        """
        connected = False

        async def connect_once(connection: AbstractConnection) -> None:
            nonlocal connected
            if connected:
                raise ConnectionError("the reader's connection was lost")
            connected = True
            await _greet(connection)

        pool = self._pool(1, self._timeout(block_ms / 1000), redis_connect_func=connect_once)
        client = Redis(connection_pool=pool)
        self._readers.add(client)
        return client

    async def drop(self, reader: Redis) -> None:
        """Close a reader's connection. Finishes even if the caller is cancelled: else the connection would leak."""
        self._readers.discard(reader)
        await asyncio.shield(_close(reader))

    async def close(self) -> None:
        for reader in list(self._readers):
            await self.drop(reader)
        await asyncio.shield(_close(self.commands))

    async def forget_connections(self) -> None:
        """Lets the next commands open new connections: after a failover the old ones lead to the demoted node, which
        refuses writes for ever.
        """
        await self._commands.forget_idle()

    async def look(self) -> list[Finding]:
        """What is wrong with the server. Raises StartError for what the daemon does not start with.

        Once a server was accepted, such a finding is one of the others: to end then would help nobody.
        """
        with translated():
            found = findings(await self.commands.info())
        fatal = [finding.text for finding in found if finding.fatal]
        if fatal and not self._accepted:
            raise StartError("; ".join(fatal))
        self._accepted = True
        return found

    def _timeout(self, block: float) -> float:
        base = self._settings.socket_timeout or _COMMAND_TIMEOUT
        return base if not block else block + max(base, _READ_MARGIN)

    def _pool(self, connections: int, timeout: float, **more: Any) -> Pool:
        s = self._settings
        options: dict[str, Any] = {
            "socket_timeout": timeout,
            "socket_connect_timeout": s.socket_connect_timeout,
            "health_check_interval": s.healthcheck_interval,
            "retry": Retry(NoBackoff(), 0),
            "protocol": 2,  # flat replies; nothing here needs RESP3's types
            "redis_connect_func": _greet,
            **more,
            "username": s.username,
            "password": s.password.reveal() if s.password else None,
        }
        if s.ssl_ca_certs:
            options["ssl_ca_certs"] = s.ssl_ca_certs
        url = s.url.reveal()
        if s.ssl and url.startswith("redis://"):
            url = "rediss" + url.removeprefix("redis")
        given = {name: value for name, value in options.items() if value is not None} | connection_options(url)
        return Pool(max_connections=connections, patience=_POOL_WAIT, **given)


@contextmanager
def translated() -> Iterator[None]:
    """Turns what redis-py raises into the daemon's errors, by what is to be done about it.

    The library's own classes do not tell: a wrong password and a server that is loading are connection errors, and a
    full memory, a full disk and a demoted primary are plain replies.
    """
    try:
        yield
    except ResponseError as error:
        raise as_ours(error) from error
    except (ConnectionError, TimeoutError, OSError, InvalidResponse) as error:
        raise _out_of_reach(error) from error


def _out_of_reach(error: BaseException | None) -> StoreUnavailableError:
    """Why there is no connection, as far as we can tell: the library says it here and there in the context only."""
    while error and not isinstance(error, (AuthenticationError, InvalidResponse, ssl.SSLError)):
        error = error.__cause__ or error.__context__
    match error:
        case AuthenticationError():
            return StoreUnavailableError("redis refuses our username or password")
        case InvalidResponse():
            return StoreUnavailableError("redis.url leads to no Redis, or to one that speaks TLS: look at its port")
        case ssl.SSLCertVerificationError(verify_code=code, verify_message=said) if code in _OTHER_NAME:
            return StoreUnavailableError(
                f"redis shows a certificate of another host, write one that it names in redis.url: {said}"
            )
        case ssl.SSLCertVerificationError(verify_message=said):
            return StoreUnavailableError(
                f"redis shows a certificate that is not trusted, set redis.ssl_ca_certs to its CA: {said}"
            )
        case ssl.SSLError(reason=said):
            return StoreUnavailableError(
                f"redis and we find no common TLS, look at the port in redis.url and the ssl_ settings' files: {said}"
            )
    return StoreUnavailableError()


def as_ours(error: RedisError) -> Exception:
    """The daemon's error for one that Redis replied; itself if it is a bug of ours."""
    text = str(error)[:_LONGEST]
    for classes, prefixes, ours in _MEANINGS:
        if isinstance(error, classes) or text.startswith(prefixes):
            return ours(text)
    return error


async def _greet(connection: AbstractConnection) -> None:
    """Logs in. Raises what the library does, except where the reply of a server without AUTH repeats the password."""
    try:
        await connection.on_connect()
    except ResponseError as error:
        if not str(error).lower().startswith("unknown command"):
            raise
        raise AuthenticationError("the server does not know AUTH") from None


async def send(client: Redis, *command: bytes | str | float) -> Any:
    """The reply to one command, in the library's form of it. Raises what Redis or the connection raises."""
    return await client.execute_command(*command)  # type: ignore[no-untyped-call]


async def once_more(call: Callable[[], Awaitable[T]], *, enabled: bool) -> T:
    """`call`, and again at once if the connection broke: only for what may happen twice, such as reads.

    Raises StoreUnavailableError if both fail.
    """
    try:
        with translated():
            return await call()
    except StoreRefusesError:
        raise
    except StoreUnavailableError:
        if not enabled:
            raise
        with translated():
            return await call()


async def _close(client: Redis) -> None:
    await _ended(client.aclose())
    await _ended(client.connection_pool.disconnect())


async def _ended(closing: Awaitable[None]) -> None:
    """Over TLS a close waits for the other end. One that fell silent is given up after a while, and is no error."""
    with suppress(TimeoutError):
        await closing
