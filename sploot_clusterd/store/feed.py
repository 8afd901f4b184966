"""The change feed: its events, what they take, and keeping that within bounds. Commits and erasures add to it."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import takewhile
from typing import Any, Final, NamedTuple, cast

import msgspec
from msgspec import Raw, Struct

from sploot_clusterd.changes import Change, DeadJob, Event, Events, Kind
from sploot_clusterd.config import FeedSettings
from sploot_clusterd.errors import BadStateError
from sploot_clusterd.keys import Keys, Layout
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.store import scripts
from sploot_clusterd.store.coalesce import Coalescer
from sploot_clusterd.store.gateway import Call, Gateway, pairs

_MOST_BYTES: Final = 2**20
_READ_A_PAGE: Final = 128
"""Events: of the largest there are, of 40 kB, Redis gives as many in some milliseconds."""
_PREVIOUS: Final = re.compile(rb'"previous":"([^"]*)"')
_TRIMMED_A_PAGE: Final = 100
_TOTAL: Final = "*"


class FeedFigures(NamedTuple):
    """What a partition's feed holds."""

    events: int
    bytes: int
    oldest_ms: int
    """Age of the oldest event."""


class FeedEntry(Struct):
    """An event as it is kept."""

    pet_id: str
    previous: str
    kind: Kind
    incarnation: str
    before: str
    after: str
    change: Raw
    """JSON, as `job` is."""
    job: Raw = Raw()
    id: str = ""
    """The entry's, which is not in its text."""

    def event(self) -> Event:
        """As it is given to others. Raises ValueError for an id that is none of ours."""
        sequence, ms = map(int, self.id.split("-"))
        return Event(
            self.id,
            sequence,
            _stamp(ms),
            self.previous,
            self.kind,
            self.pet_id,
            self.incarnation,
            self.before,
            self.after,
            cast("Change", self.change) if self.kind == "changed" else None,  # encoded already
            cast("DeadJob", self.job) if self.kind == "dead" else None,
        )


RawEntry = tuple[bytes, Sequence[bytes]]


class FeedEntries(NamedTuple):
    """Events of a partition as Redis has them. To decode many takes a while, which need not be the loop's."""

    feed: str
    """The key that they are of."""
    entries: Sequence[RawEntry]
    """Each event's id, and its entry's fields."""
    newest: str
    """As of `Events`; so is `is_whole`."""
    is_whole: bool

    @property
    def is_last(self) -> bool:
        """Whether none is behind them. Where the newest one was dropped, only the next read tells, as it finds none."""
        return not self.entries or self.entries[-1][0].decode() == self.newest

    def decoded(self) -> list[FeedEntry]:
        """Raises BadStateError for what another hand added."""
        try:
            return [_entry(key, pairs(flat)[b"event"]) for key, flat in self.entries]
        except (KeyError, ValueError) as error:
            text = f"{self.feed} holds what is no event of ours: UNLINK it, and it begins anew"
            raise BadStateError(text) from error


class Feed:
    """The feeds of all partitions. Every method raises StoreUnavailableError."""

    def __init__(self, gateway: Gateway, layout: Layout, settings: FeedSettings, metrics: Metrics) -> None:
        self._gateway = gateway
        self._layout = layout
        self._life = settings.seconds
        self._most_bytes = -(-settings.bytes // len(layout.partitions))
        self._too_old, self._too_much = map(metrics.feed_trimmed.labels, ("age", "bytes"))
        self._newest = Coalescer(self._read_newest, most=128)

    @property
    def partitions(self) -> int:
        """How many there are pets in now, each with a feed."""
        return self._layout.placing.total

    async def read(self, partition: int, place: str, most: int) -> Events:
        """At most so many events behind the place: an event's id, or its sequence alone; "" is before all there are.
        Of large ones fewer: a megabyte. Raises BadStateError for what another hand added.
        """
        found = await self.entries(partition, place, most)
        return Events([each.event() for each in found.decoded()], found.newest, found.is_whole)

    async def entries(self, partition: int, place: str, most: int) -> FeedEntries:
        """As `read`, not decoded. They are read in pages, and end where events between two of these went meanwhile."""
        keys = self._layout.partitions[partition]
        found = last = await self._page(keys, place, most)
        entries, left = _cut(found.entries, _MOST_BYTES)
        while left > 0 and len(entries) < most and not last.is_last:
            last = await self._page(keys, entries[-1][0].decode(), most - len(entries))
            if not last.is_whole:
                break
            more, left = _cut(last.entries, left)
            entries += more
        return found._replace(entries=entries, newest=last.newest)

    async def newest(self, partition: int) -> str:
        """The id of its last event. Those who ask at one moment share a round trip."""
        return await self._newest(partition)

    async def figures(self) -> list[FeedFigures]:
        """Each partition's, in one round trip; of a cluster without those whose server is away."""
        calls = [Call({}, keys=keys) for keys in self._layout.partitions]
        replies = await self._gateway.run_each(scripts.FEED_FIGURES, calls)
        return [FeedFigures(*reply) for reply in replies if not isinstance(reply, Exception)]

    async def _page(self, keys: Keys, place: str, most: int) -> FeedEntries:
        """By plain commands: a script would take Redis five times as long, for each event becomes one of Lua's."""
        sequence = _sequence(place)
        asked = ("XRANGE", keys.feed, sequence, "+", "COUNT", min(most, _READ_A_PAGE) + 1)
        # The last id first: so what comes between the two commands is among the events, and is no gap.
        commands = [(keys, ("HGET", keys.feed_index, _TOTAL)), (keys, asked)]
        replies = await self._gateway.at(keys).read_each("feed", commands)
        for reply in replies:
            if isinstance(reply, Exception):
                raise reply
        found = replies[1]
        ids = [key.decode() for key, _ in takewhile(lambda entry: _sequence(entry[0].decode()) <= sequence, found)]
        entries = found[len(ids) : len(ids) + most]
        newest = max([_place(replies[0]), *[key.decode() for key, _ in found[-1:]]], key=_sequence)
        ids.append(_previous(entries[0]) if entries else newest)
        return FeedEntries(keys.feed, entries, newest, not place or any(_is_at(each, place) for each in ids))

    async def _read_newest(self, partitions: Sequence[int]) -> list[str | Exception]:
        several = [*dict.fromkeys(partitions)]
        keys = [self._layout.partitions[number] for number in several]
        replies = await self._gateway.read_each("feed", [(each, ("HGET", each.feed_index, _TOTAL)) for each in keys])
        known = {
            number: reply if isinstance(reply, Exception) else _place(reply)
            for number, reply in zip(several, replies, strict=True)
        }
        return [known[number] for number in partitions]

    async def trim(self, partition: int) -> int:
        """Drops events that are too old, and the oldest where all take too much; how many."""
        way, dropped = self._gateway.at(self._layout.partitions[partition]), 0
        bounds: Any = {"life": self._life, "most_bytes": self._most_bytes, "page_size": _TRIMMED_A_PAGE}
        while True:
            old, much = map(int, await way.run(scripts.TRIM_FEED, **bounds))
            self._too_old.inc(old)
            self._too_much.inc(much)
            dropped += old + much
            if old + much < _TRIMMED_A_PAGE:
                return dropped


_decode: Final = msgspec.json.Decoder(FeedEntry).decode


def _entry(key: bytes, raw: bytes) -> FeedEntry:
    """Raises ValueError for what another hand added."""
    entry = _decode(raw)
    entry.id = key.decode()
    return entry


def _cut(entries: Sequence[RawEntry], most_bytes: int) -> tuple[list[RawEntry], int]:
    """The first ones, up to where they have so many bytes; and how many are left."""
    for count, (_, fields) in enumerate(entries, 1):
        most_bytes -= len(fields[1])
        if most_bytes <= 0:
            return [*entries[:count]], 0
    return [*entries], most_bytes


def _previous(entry: RawEntry) -> str:
    """The id of the event before it, as its text says."""
    found = _PREVIOUS.search(entry[1][1])
    return found[1].decode() if found else ""


def _sequence(event_id: str) -> int:
    return int(event_id.partition("-")[0] or 0)


def _is_at(event_id: str, place: str) -> bool:
    """A place may be a sequence alone."""
    return event_id == place if "-" in place else _sequence(event_id) == _sequence(place)


def _place(total: bytes | None) -> str:
    return (total or b"").decode().partition(" ")[0]


def _stamp(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
