"""Writing a batch of events: all that it comes to and the place behind it, in one transaction."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from sqlalchemy import Connection, bindparam, exc, insert, select, update

from sploot_clusterd.errors import ClusterdError
from sploot_clusterd.history import bulk, statements
from sploot_clusterd.history.branching import Newest, Standing, Written, at_first_sight, judged
from sploot_clusterd.history.folding import Face, Fold, half_told
from sploot_clusterd.history.schema import (
    OF_A_PET,
    cluster_heroes,
    erased_pets,
    feed_places,
    newest_snapshots,
    pet_clusters,
    pet_latest,
)
from sploot_clusterd.history.told import Place, Told, version_of

_MOVE: Final = update(feed_places).where(
    feed_places.c.partition == bindparam("which"), feed_places.c.event_id == bindparam("behind")
)


class OvertakenError(ClusterdError):
    """Another process wrote on from this place, or this one did and was not told: read the place again."""


class Done(NamedTuple):
    """What became of a batch, by pets: those with other albums now, and those that were erased."""

    changed: frozenset[str]
    erased: frozenset[str]
    superseded: int
    """Versions that Redis lost, and that others came in place of."""


def place_of(connection: Connection, partition: int) -> Place:
    """Behind what is written of the partition."""
    row = connection.execute(
        select(feed_places.c.event_id, feed_places.c.sequence).where(feed_places.c.partition == partition)
    ).one_or_none()
    return Place(*row) if row else Place()


def move_place(connection: Connection, partition: int, place: Place, to: Place, now_ms: int) -> None:
    """First of all that a transaction does: whoever else writes waits for it. Raises OvertakenError."""
    values = {"event_id": to.event_id, "sequence": to.sequence, "updated_ms": now_ms}
    if connection.execute(_MOVE, {**values, "which": partition, "behind": place.event_id}).rowcount:
        return
    overtaken = OvertakenError(f"partition {partition} is written beyond {place.event_id or 'its beginning'}")
    if place_of(connection, partition) != Place() or place != Place():
        raise overtaken
    try:
        connection.execute(insert(feed_places), [{"partition": partition, **values}])
    except exc.IntegrityError:  # whoever was first had not committed a moment ago
        raise overtaken from None


class Batch:
    """Events of one partition, in their order."""

    def __init__(self, connection: Connection, events: Sequence[Told]) -> None:
        self._connection = connection
        self._events = events
        pets = sorted({event.pet_id for event in events})
        self._fold = Fold(self._newest(pets), self._faces(sorted(half_told(events))))
        self._changed, self._erased = set[str](), set[str]()
        self._superseded = 0

    def write(self) -> Done:
        """The rows; the place is moved by the caller. Raises what the database makes of them."""
        for event in self._events:
            if event.kind == "erased":
                self._erase(event)
            elif event.change is not None:
                self._apply(event)
            else:
                self._fold.dead(event)
        self._flush()
        return Done(frozenset(self._changed), frozenset(self._erased), self._superseded)

    def _flush(self) -> None:
        statements.write(self._connection, self._fold.take())

    def _apply(self, event: Told) -> None:
        newest = self._fold.newest.get(event.pet_id)
        standing = at_first_sight(event, newest)
        if standing is None and newest is not None:
            standing = self._settled(event, newest)
        if standing is Standing.REPEATED or event.change is None:
            return
        self._changed.add(event.pet_id)
        if standing is Standing.LATE:
            self._fold.remember(event, event.change)
        else:
            self._fold.apply(event, event.change)

    def _settled(self, event: Told, newest: Newest) -> Standing:
        """How it stands, by what is written; the way is made free for it."""
        self._flush()
        at = pet_latest.c.at_ms
        latest_ms = self._connection.scalar(select(at).where(pet_latest.c.pet_id == event.pet_id)) or 0
        verdict = judged(event, newest, self._written(event), is_older=event.at_ms < latest_ms)
        if verdict.standing is Standing.NEW_LIFE:
            statements.close_all(self._connection, event.pet_id, newest.version + 1, event.at_ms)
            self._fold.forget(event.pet_id)
        elif verdict.standing is Standing.NAMED:
            statements.name_life(self._connection, event.pet_id, event.incarnation)
            self._fold.newest[event.pet_id] = newest._replace(incarnation=event.incarnation)
        elif verdict.standing is Standing.BRANCH:
            self._superseded += len(verdict.superseded)
            self._go_back(event, newest, verdict.superseded, verdict.kept)
        return verdict.standing

    def _go_back(self, event: Told, newest: Newest, lost: Sequence[str], kept: int) -> None:
        pet = event.pet_id
        statements.supersede(self._connection, pet, event.incarnation, lost, kept)
        for some in statements.pages(lost):
            snapshot = newest_snapshots.c.pet_id == pet, newest_snapshots.c.token.in_(some)
            self._connection.execute(newest_snapshots.delete().where(*snapshot))
        self._fold.forget(pet)
        self._fold.newest[pet] = Newest(event.incarnation, kept, event.before, newest.complete)
        for key, face in self._faces([pet]).items():
            self._fold.know(*key, face)

    def _erase(self, event: Told) -> None:
        """What came after that erasure, and was read before it from another partition, comes back from the album."""
        self._flush()
        known = select(erased_pets.c.event_id, erased_pets.c.erased_ms).where(erased_pets.c.pet_id == event.pet_id)
        tombstone = self._connection.execute(known).one_or_none()
        if tombstone and (tombstone.event_id == event.place.event_id or tombstone.erased_ms > event.at_ms):
            return
        erase_pet(self._connection, event.pet_id, event.at_ms, event.place.event_id)
        self._fold.forget(event.pet_id)
        self._changed.discard(event.pet_id)
        self._erased.add(event.pet_id)

    def _newest(self, pets: Sequence[str]) -> dict[str, Newest]:
        rows = bulk.fetch(self._connection, pet_latest, ("pet_id", *Newest._fields), pets)
        return {pet: Newest(*rest) for pet, *rest in rows}

    def _faces(self, pets: Sequence[str]) -> dict[tuple[str, str], Face]:
        columns = "pet_id", "cluster_id", "hero_image_id", "label"
        rows = bulk.fetch(self._connection, cluster_heroes, columns, pets, bulk.IS_OPEN)
        return {(pet, cluster): Face(hero, label) for pet, cluster, hero, label in rows}

    def _written(self, event: Told) -> list[Written]:
        table = pet_clusters.c
        found = (
            select(table.token, table.before, table.version)
            .where(table.pet_id == event.pet_id, table.version >= version_of(event.before))
            .where(table.incarnation == event.incarnation, table.live)
        )
        return [Written(*row) for row in self._connection.execute(found)]


def erase_pet(connection: Connection, pet_id: str, at_ms: int, event_id: str) -> int:
    """Deletes all rows of a pet, and notes when, in the caller's transaction; how many there were. SQLite's file is
    rid of them by the next checkpoint.
    """
    gone = statements.delete_pet(connection, OF_A_PET, pet_id)
    tombstone = {"pet_id": pet_id, "erased_ms": at_ms, "event_id": event_id}
    statements.upsert(connection, erased_pets, [tombstone], newer_by="erased_ms")
    return gone
