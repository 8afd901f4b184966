"""Settling what is written with the albums as they are: pictures of some pets, in one transaction.

Events tell of each change, but not all of it, nor of what was before the first one. A picture mends that: intervals
that differ from its view end and begin with its version, a version that no event told of becomes a row, and versions
that Redis lost give way. The album is kept, for `restore`.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Final, NamedTuple

from sqlalchemy import Connection, select, update

from sploot_clusterd.errors import BadStateError
from sploot_clusterd.history import bulk, statements
from sploot_clusterd.history.branching import Newest, Written, superseded
from sploot_clusterd.history.bulk import Row
from sploot_clusterd.history.intervals import At, Intervals
from sploot_clusterd.history.packing import pack
from sploot_clusterd.history.schema import (
    cluster_snapshots,
    erased_pets,
    newest_snapshots,
    pet_clusters,
    pet_latest,
)
from sploot_clusterd.history.shown import Shown, shown_in
from sploot_clusterd.history.told import Place, version_of
from sploot_clusterd.history.unlisted import unlisted
from sploot_clusterd.snapshot import Snapshot, encode_snapshot
from sploot_clusterd.store import Picture

KEPT_EVERY_MS: Final = 600_000
"""Of a pet that changes all the time, a former album is kept that often; of others the last one before a change."""
_NEW_LIFE_MS: Final = 60_000
"""So soon after a pet's erasure a picture may be of the life before it, by the clock of another host."""


class Settled(NamedTuple):
    """By pets: those that are as Redis has them, and those to be looked at again."""

    done: frozenset[str]
    left: frozenset[str]
    superseded: int


class Settling:
    """Of pictures of one partition's pets, with what the database has of them."""

    def __init__(self, connection: Connection, partition: int, place: Place, now_ms: int) -> None:
        """`place` is behind what is written; `now_ms`: not after the pictures were taken."""
        self._connection = connection
        self._partition = partition
        self._place = place
        self._now_ms = now_ms
        self._superseded = 0
        self._newest = dict[str, Newest]()
        self._times = dict[str, int]()
        """When the newest version was written, in ms."""

    def settle(self, pictures: Sequence[Picture], moving: Collection[str]) -> Settled:
        """`moving` pets had more commits than are written: of them the album is kept, and nothing is concluded."""
        asked = frozenset(each.pet_id for each in pictures)
        pictures = self._living(sorted(pictures, key=lambda each: each.pet_id))
        still = [each for each in pictures if each.pet_id not in moving]
        columns = "pet_id", "at_ms", *Newest._fields
        for pet, at_ms, *rest in bulk.fetch(self._connection, pet_latest, columns, [each.pet_id for each in pictures]):
            self._newest[pet], self._times[pet] = Newest(*rest), at_ms
        for picture in still:
            known = self._newest.get(picture.pet_id)
            if known is None or known.token != picture.token:
                self._adopt(picture, known)
        self._reconcile(still)
        done = frozenset(each.pet_id for each in still)
        self._keep(pictures, done)
        return Settled(done, asked - done, self._superseded)

    def _living(self, pictures: Sequence[Picture]) -> list[Picture]:
        pets = [each.pet_id for each in pictures]
        lately = "erased_ms", self._now_ms - _NEW_LIFE_MS
        erased = {row.pet_id for row in bulk.fetch(self._connection, erased_pets, ["pet_id"], pets, since=lately)}
        return [each for each in pictures if each.pet_id not in erased]

    def _adopt(self, picture: Picture, newest: Newest | None) -> None:
        """Makes its version the newest one."""
        pet, version = picture.pet_id, version_of(picture.token)
        table = pet_clusters.c
        found = select(table.token, table.before, table.version, table.at_ms).where(
            table.pet_id == pet, table.incarnation == picture.incarnation, table.version >= version - 1, table.live
        )
        rows = [*self._connection.execute(found)]
        at_ms = next((row.at_ms for row in rows if row.token == picture.token), None)
        if newest is not None and newest.incarnation != picture.incarnation:
            statements.close_all(self._connection, pet, newest.version + 1, self._now_ms)
        else:
            lost = superseded(picture.token, version, [Written(*row[:3]) for row in rows])
            kept = version - (at_ms is None)
            statements.supersede(self._connection, pet, picture.incarnation, lost, kept)
            self._superseded += len(lost)
        row = self._row(picture, version, self._now_ms if at_ms is None else at_ms)
        if at_ms is None:
            before = newest.token if newest is not None and newest.version < version else ""
            more = {"before": before, "live": True, "jobs": "[]", "change": b""}
            statements.add(self._connection, pet_clusters, [{**row, **more}])
        statements.upsert(self._connection, pet_latest, [{**row, "complete": False}])
        self._newest[pet] = Newest(picture.incarnation, version, picture.token, complete=False)
        self._times[pet] = row["at_ms"]

    def _row(self, picture: Picture, version: int, at_ms: int) -> Row:
        counts = (_shown(picture) or Shown()).metrics
        return {
            "pet_id": picture.pet_id,
            "incarnation": picture.incarnation,
            "version": version,
            "token": picture.token,
            "partition": self._partition,
            "sequence": self._place.sequence,
            "at_ms": at_ms,
            "num_clusters": counts.num_clusters,
            "num_images": counts.num_images,
            "num_unclustered": counts.num_unclustered,
        }

    def _reconcile(self, pictures: Sequence[Picture]) -> None:
        """The intervals with the views."""
        views = [(each, shown) for each in pictures if (shown := _shown(each)) is not None]
        pets = [picture.pet_id for picture, _ in views]
        intervals = Intervals(self._connection, pets)
        for picture, shown in views:
            version = version_of(picture.token)
            at = At(picture.pet_id, picture.incarnation, version, self._times[picture.pet_id])
            intervals.bring(at, shown, unlisted(picture, shown))
        intervals.write()
        for some in statements.pages([pet for pet in pets if not self._newest[pet].complete]):
            self._connection.execute(update(pet_latest).where(pet_latest.c.pet_id.in_(some)).values(complete=True))

    def _keep(self, pictures: Sequence[Picture], done: Collection[str]) -> None:
        self._put_by({each.pet_id: each.token for each in pictures})
        rows = {each.pet_id: self._snapshot(each) for each in pictures}
        # What others have in the place of a pet that is done is of another life, or lost, if it is not older.
        statements.upsert(self._connection, newest_snapshots, [row for pet, row in rows.items() if pet in done])
        moving = [row for pet, row in rows.items() if pet not in done]
        statements.upsert(self._connection, newest_snapshots, moving, newer_by="version")

    def _snapshot(self, picture: Picture) -> Row:
        newest = self._newest.get(picture.pet_id)
        is_newest = newest is not None and newest.token == picture.token
        return {
            "pet_id": picture.pet_id,
            "incarnation": picture.incarnation,
            "version": version_of(picture.token),
            "token": picture.token,
            "at_ms": self._times[picture.pet_id] if is_newest else self._now_ms,
            "view": pack(picture.view) if picture.view else None,
            "album": pack(encode_snapshot(Snapshot(picture.fields, picture.rows))),
        }

    def _put_by(self, tokens: Mapping[str, str]) -> None:
        """Some of those that others, of these tokens by pet, come in place of stay, as former ones."""
        kept = bulk.fetch(self._connection, newest_snapshots, ("pet_id", "token", "at_ms"), tokens)
        replaced = {row.pet_id: row.at_ms for row in kept if row.token != tokens[row.pet_id]}
        first = min(replaced.values(), default=0) - KEPT_EVERY_MS
        former = bulk.fetch(self._connection, cluster_snapshots, ("pet_id", "at_ms"), replaced, since=("at_ms", first))
        lately = {row.pet_id for row in former if row.at_ms > replaced[row.pet_id] - KEPT_EVERY_MS}
        names = [column.name for column in newest_snapshots.c]
        for some in statements.pages(sorted(replaced.keys() - lately)):
            staying = select(newest_snapshots).where(newest_snapshots.c.pet_id.in_(some))
            statements.add_from(self._connection, cluster_snapshots, names, staying)


def _shown(picture: Picture) -> Shown | None:
    """None where there is no view, or another hand's."""
    try:
        return shown_in(picture.view) if picture.view else None
    except BadStateError:
        return None
