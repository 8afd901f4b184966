"""Writing one partition's history: its events as they come, the albums of pets that changed, and what was missed."""

import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, Final, NamedTuple

from sploot_clusterd.changes import Event
from sploot_clusterd.history.due_pets import DuePets, Pace
from sploot_clusterd.history.ledger import Ledger, Written
from sploot_clusterd.history.told import Place
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.store import Feed, FeedEntries, Picture, Pictures

log = logging.getLogger(__name__)

BATCH: Final = 500
"""Events in a transaction, at most: of large ones fewer are read at once."""
_PICTURES_BYTES: Final = 8 * 2**20
_MOST_PICTURES: Final = 64
_AFTER_ERASURE: Final = 65.0
"""Seconds until a pet that was erased is looked at: it may live again."""
_BACKWARDS: Final = 4

Ask = Callable[..., Awaitable[Any]]
"""`await ask(work, *arguments)` is what `work(database, *arguments)` gives, or raises, where it is written."""


class Parts(NamedTuple):
    """What a partition's writer works with."""

    feed: Feed
    pictures: Pictures
    ledger: Ledger
    ask: Ask
    metrics: Metrics
    pace: Pace = Pace()


class PartitionWriter:
    """`step` goes on from wherever the partition's history stands; it raises what keeps it from that, and may be
    called again.
    """

    def __init__(self, number: int, parts: Parts) -> None:
        self._number = number
        self._feed, self._pictures, self._ledger, self._ask, self._metrics, self._pace = parts
        self._written, self._refused = map(parts.metrics.history_events.labels, ("written", "refused"))
        self._place: Place | None = None
        self._due: DuePets | None = None
        self._surveys = False
        self._scan: AsyncIterator[list[str]] | None = None
        self._scanned = False
        self._surveyed = set[str]()
        """Pets that the survey found to differ, and that are not settled yet."""
        self._pictured_at = self._pictures_took = 0.0
        self._pictures_at_once = _MOST_PICTURES // 4
        self._has_deleted = False
        self._is_calm = False
        self._is_told_to_survey = False
        self.looked_at = 0
        """Pets that the survey has compared."""
        self.kept = 0
        """Albums that were kept."""
        self.unwritten_ms = 0
        """When the oldest event came that is known and not written, or a little before; 0 where there is none."""

    @property
    def pets_waiting(self) -> int:
        return len(self._due or ())

    @property
    def is_surveying(self) -> bool:
        return self._surveys

    def survey(self) -> None:
        """Has all pets compared with what is written, whatever is known of them."""
        self._is_told_to_survey = True

    def forget_place(self) -> None:
        """What was to be written may have been: the database is asked before anything else."""
        self._place = None

    async def step(self) -> bool:
        """Whether there is more to be done at once."""
        place, due = await self._begun()
        found = await self._feed.entries(self._number, place.event_id, BATCH)
        if not found.is_whole:
            await self._bridge(place, found.newest)
            return True
        if found.entries:
            await self._write(found, due)
        else:
            self.unwritten_ms = 0
        self._is_calm = not found.entries
        if not found.is_last:
            return True
        if self._has_deleted:
            self._has_deleted = not await self._ask(self._ledger.forget_deleted)
        if self._surveys:
            await self._survey(due)
        return await self._keep_albums(due)

    async def _begun(self) -> tuple[Place, DuePets]:
        if self._due is None:
            begun = await self._ask(self._ledger.begin)
            self._place, self._due = begun.place, DuePets(self._pace)
            self._surveys = begun.surveys or self._is_told_to_survey
            self._due.add(begun.due, time.monotonic())
        if self._place is None:
            self._place = await self._ask(self._ledger.place)
        return self._place, self._due

    async def _write(self, found: FeedEntries, due: DuePets) -> Written:
        place = self._place or Place()
        self.unwritten_ms = Place.of(found.entries[0][0].decode()).at_ms
        began = time.perf_counter()
        written: Written = await self._ask(self._ledger.write, place, found)
        self._metrics.history_write_seconds.observe(time.perf_counter() - began)
        # None of what is behind them is older.
        self._place, self.unwritten_ms = written.place, 0 if found.is_last else written.place.at_ms
        self._written.inc(len(found.entries) - written.refused)
        self._refused.inc(written.refused)
        self._metrics.history_superseded.inc(written.superseded)
        now = time.monotonic()
        due.add(written.changed, now)
        due.discard(written.erased)
        due.add(written.erased, now, _AFTER_ERASURE)
        self._has_deleted |= bool(written.erased)
        return written

    async def _bridge(self, place: Place, newest: str) -> None:
        """Events behind the place are missing, or it is one of a branch that Redis lost: goes on from the last one that
        both know, or the oldest there is, and has all pets surveyed.
        """
        to, is_known = await self._common(place, newest)
        living = await self._living(to, place) if is_known else None
        missing = max(0, to.sequence - place.sequence)
        told = {"partition": self._number, "place": place.event_id, "from": to.event_id, "missing": missing}
        log.warning("history has a gap", extra={"data": told})
        self._metrics.history_gaps.inc()
        self._metrics.history_missed_events.inc(missing)
        lost = await self._ask(self._ledger.go_to, place, to, living)
        self._metrics.history_superseded.inc(lost)
        self._place, self._surveys, self._scan, self._scanned = to, True, None, False

    async def _common(self, place: Place, newest: str) -> tuple[Place, bool]:
        """Where to go on; and whether what is before it is written, so that what is written after it and is not there
        was lost. Of a feed that was begun anew nothing is: that says nothing of the albums.
        """
        last = Place.of(newest) if newest else Place()
        back, oldest = BATCH, ""
        while True:
            sequence = max(0, min(place.sequence, last.sequence) - back)
            page = await self._feed.read(self._number, str(sequence) if sequence else "", BATCH)
            if not page.events:
                return last, False
            first = page.events[0]
            is_known = await self._knows(page.events)
            if is_known or sequence == 0 or first.id == oldest:
                return Place(first.previous, first.sequence - 1 if first.previous else 0), is_known
            back, oldest = back * _BACKWARDS, first.id

    async def _living(self, after: Place, until: Place) -> set[str]:
        """The ids of the events between the two, as the feed has them now."""
        living, at = set[str](), after
        while at.sequence < until.sequence:
            page = await self._feed.read(self._number, at.event_id, BATCH)
            if not page.events:
                break
            living |= {event.id for event in page.events}
            at = Place(page.events[-1].id, page.events[-1].sequence)
        return living

    async def _knows(self, events: Sequence[Event]) -> bool:
        """Whether the first change of these is written."""
        changed = next((each for each in events if each.kind == "changed"), None)
        if changed is None:
            return False
        return bool(await self._ask(self._ledger.known, {changed.pet_id: changed.after}))

    async def _survey(self, due: DuePets) -> None:
        """Looks for pets that are other than what is written, some at a time."""
        if self._scanned:
            if not self._surveyed:
                await self._ask(self._ledger.end_survey)
                self._surveys = self._scanned = False
                log.info("history has caught up", extra={"data": {"partition": self._number}})
            return
        scan, self._scan = self._scan or self._pictures.named(), None  # one that fails begins anew
        pets = await anext(scan, None)
        if pets is None:
            self._scanned = True
            return
        tokens = await self._pictures.tokens(pets)
        self.looked_at += len(tokens)
        differing = await self._ask(self._ledger.differing, tokens)
        self._surveyed |= differing
        due.add(differing, time.monotonic(), 0.0)
        self._scan = scan

    async def _keep_albums(self, due: DuePets) -> bool:
        """Whether there were as many as may be done at once."""
        began = time.monotonic()
        share = self._pace.calm if self._is_calm else self._pace.share
        if began < self._pictured_at + self._pictures_took * (1 / share - 1):
            return False
        pets = due.take(began, self._pictures_at_once)
        if not pets:
            return False
        try:
            pictures, torn = await self._pictures.take(pets)
            moving = await self._moving(due)
            if moving is None:
                due.add(pets, began)
                return True
            settled = await self._ask(self._ledger.settle, self._place, pictures, moving)
        except BaseException:
            due.add(pets, began)
            raise
        now = time.monotonic()
        due.add((*settled.left, *torn), now)
        self._surveyed -= settled.done | (set(pets) - {each.pet_id for each in pictures} - set(torn))
        self.kept += len(pictures)
        self._metrics.history_snapshots.inc(len(pictures))
        self._metrics.history_superseded.inc(settled.superseded)
        self._pictured_at, self._pictures_took = now, now - began
        self._pictures_at_once = _as_many(pictures)
        return False

    async def _moving(self, due: DuePets) -> set[str] | None:
        """The pets with commits since what is written, which is brought up to them: of others the album that was read
        just now is what is written, or should be. None where events are missing: the next step goes on from there.
        """
        moving = set[str]()
        while True:
            place = self._place or Place()
            found = await self._feed.entries(self._number, place.event_id, BATCH)
            if not found.is_whole:
                return None
            if found.entries:
                written = await self._write(found, due)
                moving |= written.changed | written.erased
            if found.is_last:
                return moving


def _as_many(pictures: Sequence[Picture]) -> int:
    """Albums to be read together, by how large the last ones were."""
    if not pictures:
        return _MOST_PICTURES // 4
    size = sum([each.nbytes for each in pictures]) / len(pictures)
    return max(1, min(_MOST_PICTURES, int(_PICTURES_BYTES / (size + 1))))
