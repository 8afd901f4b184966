"""Rebuilding a Redis that was lost: in the order in which each needs what is before it, as far as history knows it.

What is there is left as it is, so it may be broken off anywhere and begun again: it goes on behind the last pet that
was put back.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

from msgspec import json
from sqlalchemy import Connection, Row, delete, select

from sploot_clusterd.entry_ids import EntryId
from sploot_clusterd.errors import ClusterdError
from sploot_clusterd.history import bulk, statements
from sploot_clusterd.history.database import Database
from sploot_clusterd.history.marks import ERASED, LAST_ID, PROFILE, RECORD
from sploot_clusterd.history.packing import unpack
from sploot_clusterd.history.schema import (
    erased_pets,
    feed_places,
    newest_snapshots,
    pet_clusters,
    pet_latest,
    profile_generations,
    stream_marks,
)
from sploot_clusterd.partitioning import Placing
from sploot_clusterd.snapshot import decode_snapshot
from sploot_clusterd.store import Feed, LostPet, PutBack, Rebuilding, Store

_PETS_A_PAGE: Final = 32
_EVENTS_A_PAGE: Final = 500
_NO_PARTITION: Final = -1
_CURSOR: Final = "restore"
_NO_ID: Final = EntryId(0, 0)


class Missing(NamedTuple):
    """A pet whose last versions no album tells of: it is as it was at `restored`, or not at all where that is 0. `jobs`
    are those of the versions in between, as far as history has them.
    """

    pet_id: str
    restored: int
    newest: int
    jobs: Sequence[str]


@dataclass
class Rebuilt:
    """How it went: `there` are pets that have an album in Redis, `erased` those whose erasure is newer than theirs."""

    pets: int = 0
    restored: int = 0
    there: int = 0
    erased: int = 0
    missing: list[Missing] = field(default_factory=list)


class Rebuild:
    """One run. `run` raises HistoryUnavailableError, StoreUnavailableError, BadStateError; StartError where what is
    recorded in Redis, or was, is another number of partitions than is set.
    """

    def __init__(self, store: Store, feed: Feed, rebuilding: Rebuilding, database: Database) -> None:
        self._store = store
        self._feed = feed
        self._rebuilding = rebuilding
        self._database = database

    async def run(self, show: Callable[[Rebuilt], None]) -> Rebuilt:
        """`show` is told how far it has come. Raises ClusterdError where history has not read of erasures."""
        marks = self._marks()
        if not self._store.layout.is_one and (recorded := _record_of(marks)):
            # What was in motion is where it was: the command that changes the number begins with that group again.
            await self._rebuilding.put_placing(replace(Placing.parse(recorded), moving=False))
        await self._store.check_partitions()
        await self._require_read()
        await self._put_profiles(marks)
        await self._begin_partitions(marks)
        rebuilt = Rebuilt()
        for page in self._pages():
            await self._put_back(page, rebuilt)
            show(rebuilt)
        self._keep_cursor("")
        rebuilt.missing = self._missing()
        return rebuilt

    async def _require_read(self) -> None:
        """Events of erasures that history has not read would let their pets come back."""
        for partition in self._store.partitions:
            place = self._places().get(partition.number, "")
            found = await self._feed.read(partition.number, place, _EVENTS_A_PAGE)
            if not found.is_whole:
                found = await self._feed.read(partition.number, place := "", _EVENTS_A_PAGE)
            while found.events:
                if any(event.kind == "erased" for event in found.events):
                    raise ClusterdError(
                        f"partition {partition.number}'s feed tells of erasures that history has not read: run a "
                        "daemon with history.url first, until media_cluster_history_lag_seconds is 0"
                    )
                found = await self._feed.read(partition.number, found.events[-1].id, _EVENTS_A_PAGE)

    async def _put_profiles(self, marks: Sequence[Row[Any]]) -> None:
        models = dict[str, dict[int, bytes]]()
        with self._database.read() as connection:
            rows = connection.execute(select(profile_generations)).all()
        for row in rows:
            models.setdefault(row.model_version, {})[row.generation] = row.body
        states = dict[str, str]()
        for row in (row for row in marks if row.kind == PROFILE):
            states[row.name] = max(states.get(row.name, ""), row.value, key=_generation)
        known = {model: state for model, state in states.items() if model in models}
        await self._rebuilding.put_profiles(models, known)

    async def _begin_partitions(self, marks: Sequence[Row[Any]]) -> None:
        places = self._places()
        for partition in self._store.partitions:
            ours = [row for row in marks if row.partition == partition.number]
            last_id = next((row.value for row in ours if row.kind == LAST_ID), "")
            erased = {row.name: row.value for row in ours if row.kind == ERASED}
            latest = max([EntryId.parse(each) for each in (last_id, *erased.values()) if each], default=_NO_ID)
            above = str(latest) if latest > _NO_ID else ""
            await self._rebuilding.begin(partition.keys, above, places.get(partition.number, ""), erased)

    async def _put_back(self, page: Sequence[Row[Any]], rebuilt: Rebuilt) -> None:
        rebuilt.pets += len(page)
        living = [row for row in page if row.erased_ms is None or row.erased_ms < row.at_ms]
        pets = [_pet(row) for row in living]
        done = await self._rebuilding.put_pets(pets) if pets else []
        back = [row for row, what in zip(living, done, strict=True) if what is PutBack.RESTORED]
        late = self._erased_since(back)
        for pet_id in late:
            await self._store.views.erase(pet_id)
        rebuilt.restored += len(back) - len(late)
        rebuilt.there += done.count(PutBack.THERE)
        rebuilt.erased += len(page) - len(living) + done.count(PutBack.ERASED) + len(late)
        self._keep_cursor(page[-1].pet_id)

    def _erased_since(self, rows: Sequence[Row[Any]]) -> list[str]:
        """Pets of these that were erased since they were read, and forgotten so soon that Redis did not say so when
        they were put back.
        """
        before = {row.pet_id: row.erased_ms for row in rows}
        with self._database.read() as connection:
            now = bulk.fetch(connection, erased_pets, ("pet_id", "erased_ms"), before)
        return [row.pet_id for row in now if row.erased_ms != before[row.pet_id]]

    def _pages(self) -> Iterator[Sequence[Row[Any]]]:
        """Albums by their pets' ids, behind the one that an earlier run came to."""
        kept = newest_snapshots.c
        albums = (
            select(newest_snapshots, erased_pets.c.erased_ms)
            .outerjoin(erased_pets, erased_pets.c.pet_id == kept.pet_id)
            .outerjoin(pet_latest, pet_latest.c.pet_id == kept.pet_id)
            # One of a life before is not the pet's any more.
            .where(pet_latest.c.incarnation.is_(None) | (pet_latest.c.incarnation == kept.incarnation))
            .order_by(kept.pet_id)
            .limit(_PETS_A_PAGE)
        )
        with self._database.read() as connection:
            cursor = connection.scalar(select(stream_marks.c.value).where(*_cursor())) or ""
        while True:
            with self._database.read() as connection:
                page = connection.execute(albums.where(kept.pet_id > cursor)).all()
            if not page:
                return
            yield page
            cursor = page[-1].pet_id

    def _missing(self) -> list[Missing]:
        kept, latest = newest_snapshots.c, pet_latest.c
        same_life = (kept.pet_id == latest.pet_id) & (kept.incarnation == latest.incarnation)
        behind = (
            select(latest.pet_id, latest.incarnation, latest.version, kept.version.label("kept"))
            .outerjoin(newest_snapshots, same_life)
            .where(kept.version.is_(None) | (kept.version < latest.version))
            .order_by(latest.pet_id)
        )
        with self._database.read() as connection:
            rows = connection.execute(behind).all()
            return [Missing(row.pet_id, row.kept or 0, row.version, _jobs_of(connection, row)) for row in rows]

    def _marks(self) -> Sequence[Row[Any]]:
        with self._database.read() as connection:
            return connection.execute(select(stream_marks)).all()

    def _places(self) -> dict[int, str]:
        with self._database.read() as connection:
            rows = connection.execute(select(feed_places.c.partition, feed_places.c.event_id))
            return {row.partition: row.event_id for row in rows}

    def _keep_cursor(self, pet_id: str) -> None:
        with self._database.write() as connection:
            if not pet_id:
                connection.execute(delete(stream_marks).where(*_cursor()))
                return
            row = {"partition": _NO_PARTITION, "kind": _CURSOR, "name": "", "value": pet_id, "seen_ms": 0}
            statements.upsert(connection, stream_marks, [row])


def _cursor() -> tuple[Any, ...]:
    return stream_marks.c.partition == _NO_PARTITION, stream_marks.c.kind == _CURSOR, stream_marks.c.name == ""


def _record_of(marks: Sequence[Row[Any]]) -> str:
    """As it was kept last."""
    kept = [row for row in marks if row.kind == RECORD]
    return max(kept, key=lambda row: row.seen_ms).value if kept else ""


def _generation(state: str) -> tuple[int, str]:
    """A settled one is above the same generation before."""
    return int(state.partition(" ")[0] or 0), state


def _pet(row: Row[Any]) -> LostPet:
    snapshot = decode_snapshot(unpack(row.album))
    return LostPet(row.pet_id, snapshot.fields, snapshot.rows, unpack(row.view) if row.view is not None else b"")


def _jobs_of(connection: Connection, row: Any) -> list[str]:
    """Of versions above the one that is kept."""
    table = pet_clusters.c
    versions = (
        select(table.jobs)
        .where(table.pet_id == row.pet_id, table.incarnation == row.incarnation, table.live)
        .where(table.version > (row.kept or 0))
        .order_by(table.version)
    )
    return [job for jobs in connection.scalars(versions) for job in json.decode(jobs, type=list[str])]
