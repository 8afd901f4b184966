"""The writer's transactions, for one partition: each is whole or is not, and moves the partition's place."""

import logging
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec
from sqlalchemy import ColumnElement, Connection, exc, select

from sploot_clusterd.errors import BadStateError
from sploot_clusterd.history import bulk, statements
from sploot_clusterd.history.branches import give_up
from sploot_clusterd.history.database import Database
from sploot_clusterd.history.schema import newest_snapshots, pet_clusters, pet_latest, refused_events, stream_marks
from sploot_clusterd.history.settling import Settled, Settling
from sploot_clusterd.history.texts import clean
from sploot_clusterd.history.told import Place, told
from sploot_clusterd.history.writing import Batch, move_place, place_of
from sploot_clusterd.store import FeedEntries, FeedEntry, Picture

log = logging.getLogger(__name__)

_REFUSES: Final = (exc.DataError, exc.IntegrityError, ValueError, OverflowError, BadStateError)
"""What the database, or our reading of it, makes of an event that it cannot hold; not that it is away."""
_SURVEY: Final = "survey"
_PENDING: Final = "pending"
_DONE: Final = "done"
_LONGEST_ERROR: Final = 512


@dataclass
class Begun:
    """Where a partition's writer begins."""

    place: Place
    surveys: bool
    """Its pets are still to be compared with what is written, all of them."""
    due: list[str]
    """Pets whose newest album is not kept yet."""


@dataclass
class Written:
    """What became of events."""

    place: Place
    changed: set[str] = field(default_factory=set)
    erased: set[str] = field(default_factory=set)
    superseded: int = 0
    refused: int = 0


class Ledger:
    """Every method blocks; raises HistoryUnavailableError, and OvertakenError where another process wrote. It holds no
    database, so that it can be handed to the process that writes.
    """

    def __init__(self, partition: int) -> None:
        self._partition = partition

    def begin(self, database: Database) -> Begun:
        with database.write() as connection:
            place = place_of(connection, self._partition)
            mark = select(stream_marks.c.value).where(*self._mark())
            surveys = connection.scalar(mark) != _DONE
            ours = pet_latest.c.partition == self._partition
            kept = newest_snapshots.c.token == pet_latest.c.token
            behind = select(pet_latest.c.pet_id).outerjoin(
                newest_snapshots, (newest_snapshots.c.pet_id == pet_latest.c.pet_id) & kept
            )
            due = connection.scalars(behind.where(ours, newest_snapshots.c.pet_id.is_(None)))
            return Begun(place, surveys, [*due])

    def place(self, database: Database) -> Place:
        """Behind what is written."""
        with database.read() as connection:
            return place_of(connection, self._partition)

    def write(self, database: Database, place: Place, found: FeedEntries) -> Written:
        """Events behind the place, which are some; one that cannot be written is set aside with its bytes, found by
        halving. Raises BadStateError, too, for what another hand added.
        """
        written = Written(place)
        self._write(database, found.decoded(), written)
        return written

    def _write(self, database: Database, events: Sequence[FeedEntry], written: Written) -> None:
        to = Place.of(events[-1].id)
        try:
            with database.write() as connection:
                move_place(connection, self._partition, written.place, to, _now_ms())
                done = Batch(connection, [told(self._partition, event) for event in events]).write()
        except _REFUSES as error:
            if len(events) == 1:
                self._refuse(database, events[0], error, written)
            else:
                middle = len(events) // 2
                self._write(database, events[:middle], written)
                self._write(database, events[middle:], written)
            return
        written.place = to
        written.changed = (written.changed - done.erased) | done.changed
        written.erased = (written.erased - done.changed) | done.erased
        written.superseded += done.superseded

    def _refuse(self, database: Database, event: FeedEntry, error: Exception, written: Written) -> None:
        text = clean(f"{type(error).__name__}: {error}")[:_LONGEST_ERROR]
        log.error("an event cannot be written", extra={"data": {"event": event.id, "error": text}})
        to = Place.of(event.id)
        row = {
            "partition": self._partition,
            "event_id": event.id,
            "event": msgspec.json.encode(event.event()),
            "error": text,
            "at_ms": to.at_ms,
        }
        with database.write() as connection:
            move_place(connection, self._partition, written.place, to, _now_ms())
            statements.add(connection, refused_events, [row])
        written.place = to
        written.refused += 1
        written.changed.add(event.pet_id)

    def settle(self, database: Database, place: Place, pictures: Sequence[Picture], moving: Collection[str]) -> Settled:
        """See `Settling`. The place stays, and nobody else moves it meanwhile."""
        now_ms = _now_ms()
        with database.write() as connection:
            if place != Place():
                move_place(connection, self._partition, place, place, now_ms)
            return Settling(connection, self._partition, place, now_ms).settle(pictures, moving)

    def go_to(self, database: Database, place: Place, to: Place, living: Collection[str] | None = None) -> int:
        """Begins again from another place, and has all pets surveyed. `living` are the ids of all events behind it that
        are not lost, where others that are written are; how many were.
        """
        with database.write() as connection:
            move_place(connection, self._partition, place, to, _now_ms())
            self._put_mark(connection, _PENDING)
            return 0 if living is None else give_up(connection, self._partition, to.sequence, living)

    def end_survey(self, database: Database) -> None:
        """All pets are as Redis has them."""
        with database.write() as connection:
            self._put_mark(connection, _DONE)

    def known(self, database: Database, tokens: Mapping[str, str]) -> set[str]:
        """Of tokens by pet, the pets of which such a version is written, on the branch that lives."""
        with database.read() as connection:
            rows = bulk.fetch(connection, pet_clusters, ("pet_id", "token"), tokens, "live")
            return {row.pet_id for row in rows if tokens[row.pet_id] == row.token}

    def differing(self, database: Database, tokens: Mapping[str, str]) -> set[str]:
        """Of Redis' tokens by pet, the pets whose newest version, or album, is another one here."""
        with database.read() as connection:
            pairs = [
                {(row.pet_id, row.token) for row in bulk.fetch(connection, table, ("pet_id", "token"), tokens)}
                for table in (pet_latest, newest_snapshots)
            ]
        return {pet for pet, token in tokens.items() if not all((pet, token) in each for each in pairs)}

    def forget_deleted(self, database: Database) -> bool:
        """What was erased is in no file of SQLite's then; False if readers were in the way."""
        return database.checkpoint()

    def _mark(self) -> tuple[ColumnElement[bool], ...]:
        marks = stream_marks.c
        return marks.partition == self._partition, marks.kind == _SURVEY, marks.name == ""

    def _put_mark(self, connection: Connection, value: str) -> None:
        row = {"partition": self._partition, "kind": _SURVEY, "name": "", "value": value, "seen_ms": _now_ms()}
        statements.upsert(connection, stream_marks, [row])


def _now_ms() -> int:
    return int(time.time() * 1000)
