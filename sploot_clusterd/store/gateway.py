"""The one way to Redis: scripts and commands go out here, are counted, repeated where that is safe, and come back as
replies or as the daemon's errors.

Nothing is repeated but reads that say so: a command whose reply was lost may have happened, and only the caller knows
which ones may happen twice. Each call names the key or the pet that it is about, so that where it goes can be told.
"""

import copy
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Final, Self, get_args

from msgspec import Struct

from sploot_clusterd.config import RedisSettings
from sploot_clusterd.errors import StoreUnavailableError
from sploot_clusterd.keys import Keys
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.store.connection import Argument, ReplyError, pack
from sploot_clusterd.store.dedicated import DedicatedConnection
from sploot_clusterd.store.inspection import KeyFault, faults, is_symptom
from sploot_clusterd.store.reasons import FAILURES, leads_elsewhere, of_reply, of_stored
from sploot_clusterd.store.script import Kind, Script
from sploot_clusterd.store.scripts import INSPECT
from sploot_clusterd.store.way import Request, command_timeout, way_of

_READ_MARGIN: Final = 5.0
"""Seconds beyond its block time after which a blocked read is taken for dead."""
_ONE_PAIR: Final = 2
_PATIENCE: Final = 1.0
"""Seconds for which one server may keep what others replied waiting, in calls about all partitions."""


class Call(Struct, frozen=True, gc=False):
    """One of many calls of a script."""

    values: Mapping[str, Any]
    more_keys: Sequence[str] = ()
    keys: Keys | None = None
    """Those of the partition that it is about, where that is not the gateway's own."""


class Gateway:
    """One process's. Every method raises StoreUnavailableError, or one of its kinds, when Redis does not do it."""

    def __init__(self, settings: RedisSettings, keys: Keys, metrics: Metrics) -> None:
        self.keys = keys
        self._way = way_of(settings, metrics)
        self._timeout = command_timeout(settings)
        self._round_trips = {kind: metrics.redis_round_trips.labels(kind) for kind in get_args(Kind)}

    def at(self, keys: Keys) -> Self:
        """The same way to Redis, for calls about another partition."""
        other = copy.copy(self)
        other.keys = keys
        return other

    async def run(self, script: Script, *, more_keys: Sequence[str] = (), **values: Any) -> Any:
        """A script's reply. Raises TypeError for values that it does not take."""
        call = Call(values, more_keys)
        (reply,) = await self._replies(script, [call])
        if isinstance(reply, Exception):
            raise await self._call_error(script, call, reply, of_reply)
        return reply

    async def run_each(self, script: Script, calls: Sequence[Call], *, patience: float | None = _PATIENCE) -> list[Any]:
        """Many calls in one round trip, each about a partition or what one has: replies in order, of a call that was
        not done the error.

        Raises the first one's error where none was done. `patience`: seconds for which a server may keep what others
        replied waiting; what it was asked may happen yet.
        """
        replies = await self._replies(script, calls, patience) if calls else []
        replies = [
            await self._call_error(script, call, reply, of_reply) if isinstance(reply, Exception) else reply
            for call, reply in zip(calls, replies, strict=True)
        ]
        if replies and all(isinstance(reply, Exception) for reply in replies):
            raise replies[0]
        return replies

    async def run_all(self, script: Script, calls: Sequence[Call]) -> list[Any]:
        """As `run_each`, where only all of them will do: raises the first one's error where any was not done."""
        replies = await self.run_each(script, calls, patience=None)
        for reply in replies:
            if isinstance(reply, Exception):
                raise reply
        return replies

    async def run_for_pets(self, script: Script, calls: Sequence[Call]) -> list[Any]:
        """Many calls in one round trip, each about a pet: replies in order, of a call that was not done the error.

        Raises only what ends all of them: then any of them may or may not have happened, and so may one whose error is
        a StoreUnavailableError.
        """
        replies = await self._replies(script, calls) if calls else []
        if not _have_errors(replies):
            return replies
        return [
            await self._call_error(script, call, reply, of_stored) if isinstance(reply, Exception) else reply
            for call, reply in zip(calls, replies, strict=True)
        ]

    async def command(self, kind: Kind, name: str, key: str, *arguments: Argument, again: bool = False) -> Any:
        """The reply to a command whose first argument is `key`; a `name` of two words is sent as two.

        `again`: it may happen twice, and is sent again at once if the connection broke.
        """
        request = key, pack((*name.split(), key, *arguments))
        (reply,) = await self._exchange(kind, [request], again=again)
        if isinstance(reply, Exception):
            raise await self._error(reply, [key], of_reply)
        return reply

    async def read(self, kind: Kind, name: str, key: str, *arguments: Argument) -> Any:
        """As `command`, and again at once if the connection broke: for what may happen twice.

        Raises BadStateError, too, where something else is stored under the key.
        """
        (reply,) = await self._exchange(kind, [(key, pack((name, key, *arguments)))], again=True)
        if isinstance(reply, Exception):
            raise await self._error(reply, [key], of_stored)
        return reply

    async def read_each(
        self, kind: Kind, commands: Sequence[tuple[Keys, tuple[Argument, ...]]], *, patience: float | None = None
    ) -> list[Any]:
        """As `read`, many in one round trip: each with its partition's keys, and with name, key and arguments. Of one
        that was not done the error; raises only what ends all of them. `patience` as of `run_each`.
        """
        requests = [(str(command[1]), pack(command)) for _, command in commands]
        replies = await self._exchange(kind, requests, again=True, patience=patience)
        if not _have_errors(replies):
            return replies
        return [
            await self._error(reply, [str(command[1])], of_stored, keys) if isinstance(reply, Exception) else reply
            for (keys, command), reply in zip(commands, replies, strict=True)
        ]

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

    async def servers(self, *, primaries: bool = False) -> list[str]:
        """What the servers are called that `ask_server` can ask; with `primaries`, without replicas."""
        return await self._way.servers(primaries=primaries)

    async def ask_server(self, server: str, *command: Argument) -> Any:
        """The reply to a command that is about a server and not about any key; '' stands for any of them."""
        self._round_trips["upkeep"].inc()
        reply = await self._way.ask(server, pack(command))
        if isinstance(reply, ReplyError):
            raise await self._error(reply, [""], of_reply)
        return reply

    async def dedicated(self, block_ms: int) -> DedicatedConnection:
        """A connection apart to the server of the stream, for reads that block up to `block_ms`."""
        seconds = block_ms / 1000 + max(self._timeout, _READ_MARGIN)
        server = await self._way.server(self.keys.stream)
        try:
            connection = await server.connect(seconds)
        except FAILURES as error:
            raise server.explained(error) from error
        return DedicatedConnection(server, connection, self._round_trips)

    @property
    def is_one_server(self) -> bool:
        """Whether all keys are on one."""
        return self._way.is_one

    def place(self, keys: Keys) -> str:
        """What is alike for partitions of one server: what is asked of these goes well together."""
        return self._way.place(keys.stream)

    async def followed_primary(self) -> str:
        """Leaves a server that is the primary no more. Host and port of the one of now, if Sentinels know."""
        return await self._way.followed()

    def forget_connections(self) -> None:
        """Lets the next commands open new connections: the old ones may lead nowhere, or to a demoted server, which
        refuses writes for ever.
        """
        self._way.suspect(self.keys.stream)

    async def close(self) -> None:
        await self._way.close()

    async def _call_error(
        self, script: Script, call: Call, reply: Exception, of: Callable[[ReplyError], Exception]
    ) -> Exception:
        return await self._error(reply, self._named_keys(script, call), of, call.keys)

    async def _error(
        self,
        reply: Exception,
        names: Sequence[str],
        of: Callable[[ReplyError], Exception],
        keys: Keys | None = None,
    ) -> Exception:
        """The daemon's error, by what is under the keys of the call where that tells more than the reply."""
        if not isinstance(reply, ReplyError):
            return reply
        if leads_elsewhere(reply):
            self._way.suspect(names[0])
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
        if not named:
            raise ValueError(f"{script.name}.lua: a call names no key, by which its server is found")
        if keys.tag and len(named) > 1 and not all(key.startswith(keys.tag) for key in named):
            raise ValueError(f"{script.name}.lua: not all keys begin with {keys.tag!r}: {named}")
        return named

    def _request(self, script: Script, call: Call, *, whole: bool = False) -> Request:
        named, fence = self._named_keys(script, call), (call.keys or self.keys).fence
        return named[0], script.packed(named, call.values, whole=whole, fence=fence)

    async def _replies(self, script: Script, calls: Sequence[Call], patience: float | None = None) -> list[Any]:
        requests = [self._request(script, call) for call in calls]
        replies = await self._exchange(script.kind, requests, again=script.repeatable, patience=patience)
        if not _have_errors(replies):
            return replies
        unknown = [n for n, reply in enumerate(replies) if isinstance(reply, ReplyError) and _is_unknown(reply)]
        if unknown:  # nothing of these ran, so sending them again cannot do them twice
            taught = set[str]()
            for n in unknown:  # the text once to each server: it takes the calls in their order
                place = self._way.place(requests[n][0])
                if place not in taught:
                    requests[n] = self._request(script, calls[n], whole=True)
                    taught.add(place)
            again = await self._exchange(script.kind, [requests[n] for n in unknown], patience=patience)
            for n, reply in zip(unknown, again, strict=True):
                replies[n] = reply
        return replies

    async def _exchange(
        self, kind: Kind, requests: Sequence[Request], *, again: bool = False, patience: float | None = None
    ) -> list[Any]:
        self._round_trips[kind].inc()
        return await self._way.exchange(requests, again=again, patience=patience)


def pairs(flat: Sequence[bytes]) -> dict[bytes, Any]:
    """What Redis sends as name, value, name, value."""
    if len(flat) == _ONE_PAIR:  # as an entry of ours, of which there are most
        return {flat[0]: flat[1]}
    parts = iter(flat)
    return dict(zip(parts, parts, strict=True))


def _have_errors(replies: Sequence[Any]) -> bool:
    """As they mostly have not, and are of few types, they are not looked through one by one."""
    return any(issubclass(kind, Exception) for kind in {*map(type, replies)})


def _is_unknown(reply: ReplyError) -> bool:
    return str(reply).startswith("NOSCRIPT")
