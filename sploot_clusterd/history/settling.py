"""Settling what is written with the albums as they are: pictures of some pets, in one transaction.

Events tell of each change, but not all of it, nor of what was before the first one. A picture mends that: intervals
that differ from its view end and begin with its version, a version that no event told of becomes a row, and versions
that Redis lost give way. The album is kept, for `restore`.
"""

from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

from sqlalchemy import Connection, exists, select, update

from sploot_clusterd.errors import BadStateError
from sploot_clusterd.history import statements
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

    def settle(self, pictures: Sequence[Picture], moving: Collection[str]) -> Settled:
        """`moving` pets had more commits than are written: of them the album is kept, and nothing is concluded."""
        asked = frozenset(each.pet_id for each in pictures)
        pictures = self._living(sorted(pictures, key=lambda each: each.pet_id))
        still = [each for each in pictures if each.pet_id not in moving]
        newest = self._newest([each.pet_id for each in pictures])
        for picture in still:
            known = newest.get(picture.pet_id)
            if known is None or known.token != picture.token:
                self._adopt(picture, known)
        self._reconcile(still)
        done = frozenset(each.pet_id for each in still)
        self._keep(pictures, done)
        return Settled(done, asked - done, self._superseded)

    def _living(self, pictures: Sequence[Picture]) -> list[Picture]:
        table = erased_pets.c
        pets = [each.pet_id for each in pictures]
        lately = table.erased_ms >= self._now_ms - _NEW_LIFE_MS
        erased = {
            row.pet_id for row in statements.rows_of(self._connection, [table.pet_id], table.pet_id, pets, lately)
        }
        return [each for each in pictures if each.pet_id not in erased]

    def _newest(self, pets: Sequence[str]) -> dict[str, Newest]:
        columns = [pet_latest.c[name] for name in ("pet_id", *Newest._fields)]
        rows = statements.rows_of(self._connection, columns, pet_latest.c.pet_id, pets)
        return {pet: Newest(*rest) for pet, *rest in rows}

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
        times = self._times(pets)
        for picture, shown in views:
            version = version_of(picture.token)
            at = At(picture.pet_id, picture.incarnation, version, times[picture.pet_id])
            intervals.bring(at, shown, unlisted(picture, shown))
        intervals.write()
        for some in statements.pages(pets):
            gaps = pet_latest.c.pet_id.in_(some), pet_latest.c.complete.is_(False)
            self._connection.execute(update(pet_latest).where(*gaps).values(complete=True))

    def _times(self, pets: Sequence[str]) -> dict[str, int]:
        columns = pet_latest.c.pet_id, pet_latest.c.at_ms
        return dict(map(tuple, statements.rows_of(self._connection, columns, pet_latest.c.pet_id, pets)))

    def _keep(self, pictures: Sequence[Picture], done: Collection[str]) -> None:
        pets = [each.pet_id for each in pictures]
        tokens = pet_latest.c.pet_id, pet_latest.c.token, pet_latest.c.at_ms
        at = {row.token: row.at_ms for row in statements.rows_of(self._connection, tokens, pet_latest.c.pet_id, pets)}
        known = [each.token for each in pictures]
        self._put_by(pets, known)
        for some in statements.pages(done):  # of another life, or lost
            others = newest_snapshots.c.pet_id.in_(some), newest_snapshots.c.token.not_in(known)
            self._connection.execute(newest_snapshots.delete().where(*others))
        rows = [
            {
                "pet_id": each.pet_id,
                "incarnation": each.incarnation,
                "version": version_of(each.token),
                "token": each.token,
                "at_ms": at.get(each.token, self._now_ms),
                "view": pack(each.view) if each.view else None,
                "album": pack(encode_snapshot(Snapshot(each.fields, each.rows))),
            }
            for each in pictures
        ]
        statements.upsert(self._connection, newest_snapshots, rows, newer_by="version")

    def _put_by(self, pets: Sequence[str], tokens: Sequence[str]) -> None:
        """Some of those that others come in place of stay, as former ones."""
        names = [column.name for column in newest_snapshots.c]
        now, former = newest_snapshots.c, cluster_snapshots.c
        for some in statements.pages(pets):
            lately = exists().where(former.pet_id == now.pet_id, former.at_ms > now.at_ms - KEPT_EVERY_MS)
            replaced = select(*(now[name] for name in names)).where(
                now.pet_id.in_(some), now.token.not_in(tokens), ~lately
            )
            statements.add_from(self._connection, cluster_snapshots, names, replaced)


def _shown(picture: Picture) -> Shown | None:
    """None where there is no view, or another hand's."""
    try:
        return shown_in(picture.view) if picture.view else None
    except BadStateError:
        return None
