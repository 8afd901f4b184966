"""The change feed: its events, what they take, and keeping that within bounds. Commits and erasures add to it."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple, cast

import msgspec
from msgspec import Raw, Struct

from sploot_clusterd.changes import Change, DeadJob, Event, Events, Kind
from sploot_clusterd.config import FeedSettings
from sploot_clusterd.errors import BadStateError
from sploot_clusterd.keys import Layout
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.store import scripts
from sploot_clusterd.store.coalesce import Coalescer
from sploot_clusterd.store.gateway import Call, Gateway, pairs

_MOST_BYTES: Final = 2**20
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


class FeedEntries(NamedTuple):
    """Events of a partition as Redis has them. To decode many takes a while, which need not be the loop's."""

    feed: str
    """The key that they are of."""
    entries: Sequence[tuple[bytes, Sequence[bytes]]]
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
        """As `read`, not decoded."""
        keys = self._layout.partitions[partition]
        way = self._gateway.at(keys)
        entries, newest, is_whole = await way.run(scripts.READ_FEED, place=place, most=most, most_bytes=_MOST_BYTES)
        return FeedEntries(keys.feed, entries, newest.decode(), bool(is_whole))

    async def newest(self, partition: int) -> str:
        """The id of its last event. Those who ask at one moment share a round trip."""
        return await self._newest(partition)

    async def figures(self) -> list[FeedFigures]:
        """Each partition's, in one round trip; of a cluster without those whose server is away."""
        calls = [Call({}, keys=keys) for keys in self._layout.partitions]
        replies = await self._gateway.run_each(scripts.FEED_FIGURES, calls)
        return [FeedFigures(*reply) for reply in replies if not isinstance(reply, Exception)]

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


def _place(total: bytes | None) -> str:
    return (total or b"").decode().partition(" ")[0]


def _stamp(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
