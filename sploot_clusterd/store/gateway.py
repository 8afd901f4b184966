"""The one way to Redis: scripts and commands go out here, are counted, repeated where that is safe, and come back as
replies or as the daemon's errors.

Nothing is repeated but reads that say so: a command whose reply was lost may have happened, and only the caller knows
which ones may happen twice. Each call names the key or the pet that it is about, so that where it goes can be told.
"""

import copy
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, NamedTuple, Self, get_args

from sploot_clusterd.config import RedisSettings
from sploot_clusterd.errors import StoreUnavailableError
from sploot_clusterd.keys import Keys
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.store.connection import Argument, Connection, Pool, ReplyError, pack
from sploot_clusterd.store.inspection import KeyFault, faults, is_symptom
from sploot_clusterd.store.reasons import FAILURES, leads_elsewhere, of_failure, of_reply, of_stored
from sploot_clusterd.store.scripts import INSPECT, Kind, Script
from sploot_clusterd.store.whereabouts import Server, whereabouts_of

_COMMAND_TIMEOUT: Final = 5.0
"""Seconds for a command where the settings give none: longer than any script, shorter than a caller's patience."""
_READ_MARGIN: Final = 5.0
"""Seconds beyond its block time after which a blocked read is taken for dead."""
_POOL_WAIT: Final = 2.0
"""Seconds to wait for a free connection before the answer is 503."""


class Call(NamedTuple):
    """One of many calls of a script."""

    values: Mapping[str, Any]
    more_keys: Sequence[str] = ()
    keys: Keys | None = None
    """Those of the partition that it is about, where that is not the gateway's own."""


class Gateway:
    """One process's. Every method raises StoreUnavailableError, or one of its kinds, when Redis does not do it."""

    def __init__(self, settings: RedisSettings, keys: Keys, metrics: Metrics) -> None:
        self.keys = keys
        self._whereabouts = whereabouts_of(settings, metrics)
        self._timeout = settings.socket_timeout or _COMMAND_TIMEOUT
        self._repeats = settings.retry_on_timeout
        self._round_trips = {kind: metrics.redis_round_trips.labels(kind) for kind in get_args(Kind)}
        self._pool = Pool(
            self._connection,
            most=settings.pool_max_connections,
            patience=_POOL_WAIT,
            trusted_seconds=settings.healthcheck_interval,
        )

    def at(self, keys: Keys) -> Self:
        """The same way to Redis, for calls about another partition."""
        other = copy.copy(self)
        other.keys = keys
        return other

    async def run(self, script: Script, *, more_keys: Sequence[str] = (), **values: Any) -> Any:
        """A script's reply. Raises TypeError for values that it does not take."""
        call = Call(values, more_keys)
        (reply,) = await self._replies(script, [call])
        if isinstance(reply, ReplyError):
            raise await self._call_error(script, call, reply, of_reply)
        return reply

    async def run_each(self, script: Script, calls: Sequence[Call]) -> list[Any]:
        """Many calls in one round trip, each about a partition or what one has: replies in order.

        Raises the first one's error where Redis refused one: others may have happened.
        """
        replies = await self._replies(script, calls) if calls else []
        for call, reply in zip(calls, replies, strict=True):
            if isinstance(reply, ReplyError):
                raise await self._call_error(script, call, reply, of_reply)
        return replies

    async def run_for_pets(self, script: Script, calls: Sequence[Call]) -> list[Any]:
        """Many calls in one round trip, each about a pet: replies in order, of a call that was refused the error.

        Raises only what ends all of them: then any of them may or may not have happened.
        """
        replies = await self._replies(script, calls) if calls else []
        return [
            await self._call_error(script, call, reply, of_stored) if isinstance(reply, ReplyError) else reply
            for call, reply in zip(calls, replies, strict=True)
        ]

    async def command(self, kind: Kind, name: str, key: str, *arguments: Argument, again: bool = False) -> Any:
        """The reply to a command whose first argument is `key`; a `name` of two words is sent as two.

        `again`: it may happen twice, and is sent again at once if the connection broke.
        """
        (reply,) = await self._exchange(kind, pack((*name.split(), key, *arguments)), again=again)
        if isinstance(reply, ReplyError):
            raise await self._error(reply, [key], of_reply)
        return reply

    async def read(self, kind: Kind, name: str, key: str, *arguments: Argument) -> Any:
        """As `command`, and again at once if the connection broke: for what may happen twice.

        Raises BadStateError, too, where something else is stored under the key.
        """
        (reply,) = await self._exchange(kind, pack((name, key, *arguments)), again=True)
        if isinstance(reply, ReplyError):
            raise await self._error(reply, [key], of_stored)
        return reply

    async def read_each(self, kind: Kind, commands: Sequence[tuple[Keys, tuple[Argument, ...]]]) -> list[Any]:
        """As `read`, many in one round trip: each with its partition's keys, and with name, key and arguments. Raises
        the first one's error.
        """
        packed = b"".join([pack(command) for _, command in commands])
        replies = await self._exchange(kind, packed, len(commands), again=True)
        for (keys, command), reply in zip(commands, replies, strict=True):
            if isinstance(reply, ReplyError):
                raise await self._error(reply, [str(command[1])], of_stored, keys)
        return replies

    async def inspect(self, names: Sequence[str]) -> list[KeyFault]:
        """What is wrong with these keys of ours. Raises StoreUnavailableError."""
        replies = await self.run(INSPECT, more_keys=names)
        return list(faults(self.keys, names, replies))

    async def scan(self, kind: Kind, key: str, page_size: int) -> AsyncIterator[dict[bytes, bytes]]:
        """A hash in pages: what comes and goes meanwhile may or may not be among them. Raises as `read`."""
        cursor: bytes = b"0"
        while True:
            cursor, page = await self.read(kind, "HSCAN", key, cursor, "COUNT", page_size)
            yield pairs(page)
            if cursor == b"0":
                return

    async def ask_server(self, _key: str, *command: Argument) -> Any:
        """The reply to a command that is about the server that holds the key, and not about any key."""
        (reply,) = await self._exchange("upkeep", pack(command))
        if isinstance(reply, ReplyError):
            raise await self._error(reply, [], of_reply)
        return reply

    async def session(self, block_ms: int) -> "Session":
        """A connection apart, for reads that block up to `block_ms`."""
        seconds = block_ms / 1000 + max(self._timeout, _READ_MARGIN)
        try:
            server = await self._whereabouts.primary()
            return Session(server, await server.connect(seconds), self._round_trips)
        except FAILURES as error:
            raise of_failure(error) from error

    async def followed_primary(self) -> str:
        """Leaves a server that is the primary no more. Host and port of the one of now, if Sentinels know."""
        return await self._whereabouts.followed()

    def forget_connections(self) -> None:
        """Lets the next commands open new connections: the old ones may lead nowhere, or to a demoted server, which
        refuses writes for ever.
        """
        self._pool.forget_idle()

    async def close(self) -> None:
        await self._pool.close()

    async def _call_error(
        self, script: Script, call: Call, reply: ReplyError, of: Callable[[ReplyError], Exception]
    ) -> Exception:
        return await self._error(reply, self._named_keys(script, call), of, call.keys)

    async def _error(
        self,
        reply: ReplyError,
        names: Sequence[str],
        of: Callable[[ReplyError], Exception],
        keys: Keys | None = None,
    ) -> Exception:
        """The daemon's error, by what is under the keys of the call where that tells more than the reply."""
        if leads_elsewhere(reply):
            self.forget_connections()
        if not is_symptom(reply):
            return of(reply)
        try:
            faults = await self.at(keys or self.keys).inspect(names)
        except StoreUnavailableError:
            faults = []
        return faults[0].error() if faults else of(reply)

    def _named_keys(self, script: Script, call: Call) -> list[str]:
        """What the script finds in KEYS. Raises ValueError for keys of two partitions: a cluster would refuse them."""
        keys = call.keys or self.keys
        named = script.named_keys(keys, call.more_keys, call.values)
        if keys.tag and len(named) > 1 and not all(key.startswith(keys.tag) for key in named):
            raise ValueError(f"{script.name}.lua: not all keys begin with {keys.tag!r}: {named}")
        return named

    def _packed(self, script: Script, call: Call, *, whole: bool = False) -> bytes:
        fence = (call.keys or self.keys).fence
        return script.packed(self._named_keys(script, call), call.values, whole=whole, fence=fence)

    async def _replies(self, script: Script, calls: Sequence[Call]) -> list[Any]:
        packed = [self._packed(script, call) for call in calls]
        replies = await self._exchange(script.kind, b"".join(packed), len(calls), again=script.repeatable)
        unknown = [n for n, reply in enumerate(replies) if isinstance(reply, ReplyError) and _is_unknown(reply)]
        if unknown:  # nothing of these ran, so sending them again cannot do them twice
            packed = [self._packed(script, calls[n], whole=True) for n in unknown]
            again = await self._exchange(script.kind, b"".join(packed), len(unknown))
            for n, reply in zip(unknown, again, strict=True):
                replies[n] = reply
        return replies

    async def _connection(self) -> Connection:
        return await (await self._whereabouts.primary()).connect(self._timeout)

    async def _exchange(self, kind: Kind, packed: bytes, count: int = 1, *, again: bool = False) -> list[Any]:
        self._round_trips[kind].inc()
        try:
            return await self._pool.exchange(packed, count)
        except FAILURES as error:
            if not (again and self._repeats):
                raise of_failure(error) from error
        try:
            return await self._pool.exchange(packed, count)
        except FAILURES as error:
            raise of_failure(error) from error


class Session:
    """One connection, opened once: what was done on it, such as taking a name, is not there on another one."""

    def __init__(self, server: Server, connection: Connection, round_trips: Mapping[str, Any]) -> None:
        self._server = server
        self._connection = connection
        self._round_trips = round_trips

    async def command(self, kind: Kind, *command: Argument) -> Any:
        """The reply. Raises StoreUnavailableError, or one of its kinds."""
        self._round_trips[kind].inc()
        try:
            return _reply(await self._connection.exchange(pack(command)))
        except FAILURES as error:
            raise of_failure(error) from error

    @asynccontextmanager
    async def beside(self) -> AsyncIterator["Session"]:
        """Another connection to the same server, by which this one's can be seen and woken."""
        try:
            connection = await self._server.connect(_COMMAND_TIMEOUT)
        except FAILURES as error:
            raise of_failure(error) from error
        other = Session(self._server, connection, self._round_trips)
        try:
            yield other
        finally:
            await other.close()

    async def close(self) -> None:
        """Closed even if the caller is cancelled."""
        self._connection.abort()
        await self._connection.wait_closed()


def pairs(flat: Sequence[bytes]) -> dict[bytes, Any]:
    """What Redis sends as name, value, name, value."""
    return dict(zip(flat[::2], flat[1::2], strict=True))


def _reply(replies: Iterable[Any]) -> Any:
    (reply,) = replies
    if isinstance(reply, ReplyError):
        raise of_reply(reply)
    return reply


def _is_unknown(reply: ReplyError) -> bool:
    return str(reply).startswith("NOSCRIPT")
