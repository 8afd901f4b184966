"""The stream that producers add to who know no partitions, and the step that moves its entries to theirs.

An entry is moved by a script of its partition, which remembers the last one that came: what is asked for again is not
done again. That only works in order. So whoever moves one has all that are older in hand: entries are delivered in
their order, and what others have taken is taken from them first.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sploot_clusterd.config import Settings
from sploot_clusterd.entry_ids import EntryId
from sploot_clusterd.errors import StoreUnavailableError
from sploot_clusterd.keys import Keys, Layout
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.store import scripts
from sploot_clusterd.store.connection import Argument
from sploot_clusterd.store.gateway import Call, Gateway, pairs
from sploot_clusterd.store.partition import share
from sploot_clusterd.store.stream import Entry, Stats, Stream
from sploot_clusterd.wire import first_place

if TYPE_CHECKING:
    from sploot_clusterd.store.dedicated import DedicatedConnection

_BLOCK_MS: Final = 500
_ENTRIES_A_READ: Final = 256
_TAKEN_A_PAGE: Final = 64
_SWEPT_A_PAGE: Final = 200
MOST_FIELDS: Final = 1000
"""Of an entry that is moved: no job has as many, and a script cannot add more."""


class Moving(NamedTuple):
    """An entry on its way: its id in the plain stream, its pet ('' where it names none), and what it holds."""

    key: bytes
    pet_id: str
    fields: Mapping[bytes, bytes]


class PlainStream:
    """Every method raises StoreUnavailableError."""

    def __init__(self, gateway: Gateway, layout: Layout, settings: Settings, metrics: Metrics) -> None:
        self._gateway = gateway
        self._plain = gateway.at(layout.plain)
        self._layout = layout
        self._group = settings.stream.group
        self._maxlen = share(settings, len(layout.partitions)).stream.maxlen
        self._stream = Stream(self._plain, settings.stream, metrics)
        self._connection: DedicatedConnection | None = None
        self._placing = layout.placing

    @property
    def is_stale(self) -> bool:
        """Whether pets are placed otherwise than when it was opened: then it is to be opened again."""
        return self._placing != self._layout.placing

    def partition_of(self, pet_id: str) -> int:
        return self._layout.number(pet_id)

    async def open(self) -> None:
        """Connects, and sees to the group."""
        await self.close()
        self._placing = self._layout.placing
        self._connection = await self._plain.dedicated(_BLOCK_MS)
        await self._stream.ensure_group()

    async def close(self) -> None:
        if self._connection:
            await self._connection.close()
            self._connection = None

    async def read(self, consumer: str) -> list[Entry]:
        """New entries; none after half a second without."""
        if self._connection is None:
            raise RuntimeError("not open")
        who = ("GROUP", self._group, consumer, "COUNT", _ENTRIES_A_READ, "BLOCK", _BLOCK_MS)
        reply = await self._connection.command("read", "XREADGROUP", *who, "STREAMS", self._stream.key, ">")
        return _entries(reply[0][1] if reply else ())

    async def is_others(self, consumer: str) -> bool:
        """Whether anybody else has entries of it."""
        reply = await self._plain.command("order", "XPENDING", self._stream.key, self._group, again=True)
        return any(name != consumer.encode() for name, _ in reply[3] or ())

    async def take_all(self, consumer: str) -> AsyncIterator[list[Entry]]:
        """All that was read and not settled, in its order, pages of it, whoever had it."""
        begin = b"-"
        while True:
            asked = (self._stream.key, self._group, begin, "+", _TAKEN_A_PAGE)
            pending = [key for key, *_ in await self._plain.command("order", "XPENDING", *asked, again=True)]
            if pending:
                taken = (self._stream.key, self._group, consumer, 0, *pending)
                yield _entries(await self._plain.command("claim", "XCLAIM", *taken))
            if len(pending) < _TAKEN_A_PAGE:
                return
            begin = b"(" + pending[-1]

    async def again(self, keys: Sequence[bytes]) -> list[Mapping[bytes, bytes]]:
        """What entries hold; nothing where they are gone."""
        commands = [(self._layout.plain, ("XRANGE", self._stream.key, key, key)) for key in keys]
        replies = await self._plain.read_each("submit", commands) if commands else []
        for reply in replies:
            if isinstance(reply, Exception):
                raise reply
        return [pairs(found[0][1]) if found else {} for found in replies]

    async def route(self, router: int, moving: Mapping[int, Sequence[Moving]]) -> dict[int, int]:
        """Moves entries to their partitions, in one round trip. Of each partition how many of them, the first ones,
        need not be moved any more; -1 where a later router was. None of those whose server is away, or that are in
        motion, and of none where this is stale.
        """
        if self.is_stale:
            return dict.fromkeys(moving, 0)
        calls = [
            Call(
                {"router": router, "most": self._maxlen, "entries": [part for each in some for part in _flat(each)]},
                keys=self._layout.partitions[number],
            )
            for number, some in moving.items()
        ]
        try:
            replies = await self._gateway.run_each(scripts.ROUTE, calls)
        except StoreUnavailableError:
            return dict.fromkeys(moving, 0)
        return {n: 0 if isinstance(reply, Exception) else int(reply) for n, reply in zip(moving, replies, strict=True)}

    async def settle(self, keys: Sequence[bytes]) -> None:
        """These were moved: they are acknowledged and deleted here."""
        await self._plain.run(scripts.SETTLE_ROUTED, group=self._group, entries=keys)

    async def take_back(self, partition: Keys, entry: Entry, pet_id: str) -> None:
        """An entry that was added to a partition which its pet has left: from here it is moved on as others are.

        Where that was broken off it is done again, and the second one is told from the first by its place.
        """
        way, place = self._gateway.at(partition), first_place(entry.id, entry.fields)
        mark = await way.read("submit", "HGET", partition.erased, pet_id)
        if not _is_erased(mark, place):
            fields: dict[bytes, Argument] = {b"first_id": str(place), **entry.fields}
            flat = [part for pair in fields.items() for part in pair]
            await self._plain.command("submit", "XADD", self._stream.key, "*", *flat)
        await way.command("submit", "HDEL", partition.attempts, entry.key)
        await way.run(scripts.SETTLE_ROUTED, group=self._group, entries=[entry.key])

    async def stats(self) -> Stats:
        """What is still to be moved."""
        (reply,) = await self._gateway.run_each(scripts.STATS, [Call({"group": self._group}, keys=self._layout.plain)])
        return Stats(*reply)

    async def upkeep(self, idle_ms: int, consumer: str) -> None:
        """Forgets routers that are gone, and what DELETEs noted that nothing is older than."""
        await self._stream.forget_idle_consumers(idle_ms, [consumer])
        oldest: list[Any] = await self._plain.command("upkeep", "XRANGE", self._stream.key, "-", "+", "COUNT", 1)
        first: bytes = oldest[0][0] if oldest else b""
        for keys in self._layout.partitions:
            with suppress(StoreUnavailableError):  # another time; the others' are swept now
                await self._sweep(keys, first)

    async def _sweep(self, keys: Keys, first: bytes) -> None:
        cursor: bytes = b"0"
        while True:
            cursor, _ = await self._gateway.at(keys).run(
                scripts.SWEEP_ORIGINS, first=first, cursor=cursor, page_size=_SWEPT_A_PAGE
            )
            if cursor == b"0":
                return


def _entries(told: Sequence[Any]) -> list[Entry]:
    return [Entry.of(key, pairs(flat)) for key, flat in told]


def _is_erased(mark: bytes | None, place: EntryId) -> bool:
    """Of a mark that cannot be read the pet's jobs tell, where they are."""
    try:
        return mark is not None and place <= EntryId.parse(mark.decode())
    except ValueError:
        return False


def _flat(moving: Moving) -> list[Argument]:
    fields = list(moving.fields.items())[:MOST_FIELDS]
    return [moving.key, moving.pet_id, 2 * len(fields), *(part for pair in fields for part in pair)]
