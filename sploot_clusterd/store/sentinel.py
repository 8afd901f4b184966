"""The primary by Redis Sentinel's account: asked when a connection opens, and believed if the server says the same.

All Sentinels are asked at once, each within 0.8 s, for one after the other would add up their silences. What more than
half of them name counts; where so many do not answer, what most of those name that do.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Self
from weakref import WeakSet

from sploot_clusterd.errors import StoreUnavailableError
from sploot_clusterd.store.address import Address, Place
from sploot_clusterd.store.connection import Connection, ReplyError, pack
from sploot_clusterd.store.reasons import FAILURES, of_failure, of_reply, of_sentinel

_PATIENCE: Final = 0.8
"""Seconds that a Sentinel has to answer, from the first packet on."""
_ROLE_PATIENCE: Final = 1.0
"""Seconds that the named server has to say that it is the primary: it may be away, and another one chosen meanwhile."""
_ANSWER_LIVES: Final = 0.1
"""Seconds for which an answer serves all who open connections: else thousands of callers would ask in an outage."""


@dataclass(frozen=True, slots=True)
class Sentinel:
    """One that is asked. Of the address, the database does not matter: a Sentinel has none."""

    place: Place
    address: Address

    @classmethod
    def at(cls, place: Place, like: Address, username: str, password: str) -> Self:
        """TLS is as with Redis (`like`), the login is its own."""
        host, port = place
        address = replace(like, host=host, port=port, username=username, password=password, connect_seconds=_PATIENCE)
        return cls(place, address)

    async def names(self, service: str) -> Place | str:
        """Where the service's primary is, or in words why that is not told."""
        try:
            async with asyncio.timeout(_PATIENCE):
                reply = await self._asked(service)
        except FAILURES as error:
            return of_sentinel(error)
        if reply is None:
            return "knows no service of that name"
        return _place(reply) or "another server than a sentinel"

    async def _asked(self, service: str) -> object:
        """In one write. A login that it does not want is no failure: Sentinels get their passwords one by one."""
        packed = [pack(("SENTINEL", "GET-MASTER-ADDR-BY-NAME", service))]
        if self.address.password:
            packed.insert(0, self.address.login())
        connection = await self.address.open(_PATIENCE)
        try:
            *_, reply = await connection.exchange(b"".join(packed), len(packed))
        finally:
            connection.abort()
        if isinstance(reply, ReplyError):
            raise reply
        return reply


class Primary:
    """A server that is the primary by its own account too, until `left`."""

    def __init__(self, place: Place, address: Address) -> None:
        self.place = place
        self.address = address
        self._left = False
        self._connections: WeakSet[Connection] = WeakSet()

    async def connect(self, patience: float) -> Connection:
        connection = await self.address.connect(patience)
        if self._left:
            connection.abort()
            raise ConnectionResetError("another server is the primary by now")
        self._connections.add(connection)
        return connection

    def explained(self, error: Exception) -> Exception:
        return self.address.explained(error)

    def leave(self) -> None:
        """Closes all that was opened to it, also what waits for a reply."""
        self._left = True
        for connection in list(self._connections):
            connection.abort()


class Sentinels:
    """Those of one service."""

    def __init__(
        self, sentinels: Sequence[Sentinel], service: str, address: Address, *, changed: Callable[[], None]
    ) -> None:
        """`address`: the login, TLS and so on of whatever server they name; `changed` is told of each other primary."""
        self._sentinels = sentinels
        self._service = service
        self._address = address
        self._changed = changed
        self._asking = asyncio.Lock()
        self._asked_at = float("-inf")
        self._answer: Primary | Exception = StoreUnavailableError()
        self._primary: Primary | None = None

    async def primary(self) -> Primary:
        """The one of now. If it is another than before, connections to that one are closed: it may be alive, only cut
        off, and then takes what will be lost, while its readers see an empty stream for ever.

        Raises StoreUnavailableError where none is named, or the one that is does not say so itself.
        """
        clock = asyncio.get_running_loop().time
        async with self._asking:  # who waited takes the answer that came meanwhile
            if clock() - self._asked_at >= _ANSWER_LIVES:
                self._answer = await self._found()
                self._asked_at = clock()
        if isinstance(self._answer, Exception):
            raise self._answer.with_traceback(None)
        return self._answer

    async def followed(self) -> str:
        return str((await self.primary()).place)

    async def _found(self) -> Primary | Exception:
        """The primary, or why there is none."""
        try:
            address = await self._confirmed(await self._named())
        except FAILURES as error:
            return of_failure(error)
        except StoreUnavailableError as error:
            return error
        place = Place(address.host, address.port)
        before = self._primary
        if before and before.place == place:
            return before
        if before:
            before.leave()
            self._changed()
        self._primary = Primary(place, address)
        return self._primary

    async def _confirmed(self, place: Place) -> Address:
        """The server that is the primary by its own account: the one that was named, or the one that this follows. Of a
        FAILOVER nobody tells Sentinels, and it takes them half a minute to find out.
        """
        address = self._address_at(place)
        role = await _role(address)
        if role[:1] == [b"slave"] and (followed := _place(role[1:])):
            address = self._address_at(followed)
            role = await _role(address)
        if role[:1] == [b"master"]:
            return address
        raise StoreUnavailableError(f"sentinels name {place} as the primary of {self._service}, which says it is none")

    def _address_at(self, place: Place) -> Address:
        """The one of before where it is the same, for it has read its certificates."""
        if self._primary and self._primary.place == place:
            return self._primary.address
        return replace(self._address, host=place.host, port=place.port)

    async def _named(self) -> Place:
        answers = await self._answers()
        named = Counter(answer for answer in answers if isinstance(answer, Place))
        if named:
            return named.most_common(1)[0][0]
        told = "; ".join(f"{each.place}: {answer}" for each, answer in zip(self._sentinels, answers, strict=True))
        raise StoreUnavailableError(f"no sentinel names the primary of {self._service}: {told}")

    async def _answers(self) -> list[Place | str]:
        """Of all in their order, or what more than half of them agree on as soon as they do."""
        asked = [asyncio.create_task(each.names(self._service)) for each in self._sentinels]
        votes: Counter[Place | str] = Counter()
        try:
            for answer in asyncio.as_completed(asked):
                place = await answer
                votes[place] += isinstance(place, Place)
                if votes[place] * 2 > len(asked):
                    return [place]
            return [task.result() for task in asked]
        finally:
            for task in asked:
                task.cancel()
            await asyncio.wait(asked)


async def _role(address: Address) -> list[object]:
    """What the server says of itself: its role and, of a replica, host and port of what it follows."""
    async with asyncio.timeout(_ROLE_PATIENCE):
        connection = await address.connect(_ROLE_PATIENCE)
        try:
            (reply,) = await connection.exchange(pack(("ROLE",)))
        finally:
            connection.abort()
    if isinstance(reply, ReplyError):
        raise of_reply(reply)
    return [*reply] if isinstance(reply, list) else []


def _place(reply: object) -> Place | None:
    """Host and port at the head of a reply; None if that is not what it is."""
    match reply:
        case [bytes(host), bytes(port), *_] if port.isdigit():
            return Place(host.decode(errors="replace"), int(port))
        case [bytes(host), int(port), *_]:
            return Place(host.decode(errors="replace"), port)
    return None
