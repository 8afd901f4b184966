"""Open intervals of some pets, and bringing them to what their albums say."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Table, bindparam, insert, update

from sploot_clusterd.history import bulk
from sploot_clusterd.history.bulk import Row
from sploot_clusterd.history.folding import Face
from sploot_clusterd.history.schema import cluster_heroes, cluster_members
from sploot_clusterd.history.shown import Shown


class At(NamedTuple):
    """A version of a pet, from which on intervals begin, and before which others end."""

    pet_id: str
    incarnation: str
    version: int
    at_ms: int


class Intervals:
    """`write` sends what `bring` found different."""

    def __init__(self, connection: Connection, pets: Sequence[str]) -> None:
        self._connection = connection
        self._members: dict[str, dict[tuple[str, str, bool], int]] = {pet: {} for pet in pets}
        """By pet: the rows by cluster, image, and whether it is shown there."""
        self._faces: dict[str, dict[tuple[str, Face], int]] = {pet: {} for pet in pets}
        columns = "pet_id", "cluster_id", "image_id", "shown", "id"
        for pet, cluster, image, shown, row in bulk.fetch(connection, cluster_members, columns, pets, bulk.IS_OPEN):
            self._members[pet][cluster, image, shown] = row
        columns = "pet_id", "cluster_id", "hero_image_id", "label", "id"
        for pet, cluster, hero, label, row in bulk.fetch(connection, cluster_heroes, columns, pets, bulk.IS_OPEN):
            self._faces[pet][cluster, Face(hero, label)] = row
        self._closed: dict[Table, list[Row]] = {cluster_members: [], cluster_heroes: []}
        self._opened: dict[Table, list[Row]] = {cluster_members: [], cluster_heroes: []}

    def bring(self, at: At, shown: Shown, unlisted: Collection[tuple[str, str]] = ()) -> None:
        """To what a view shows at this version; `unlisted` are images by cluster that are in it and not shown."""
        listed = set(shown.members())
        places = {(*each, True) for each in listed} | {(*each, False) for each in unlisted if each not in listed}
        self._bring(cluster_members, self._members[at.pet_id], places, at)
        self._bring(cluster_heroes, self._faces[at.pet_id], set(shown.faces().items()), at)

    def write(self) -> int:
        """How many intervals were other than the pictures."""
        for table, rows in self._closed.items():
            if rows:
                self._connection.execute(_CLOSE[table], rows)
        for table, rows in self._opened.items():
            if rows:
                self._connection.execute(insert(table), rows)
        return sum(map(len, (*self._closed.values(), *self._opened.values())))

    def _bring(self, table: Table, there: Mapping[Any, int], wanted: set[Any], at: At) -> None:
        until = {"until_version": at.version, "until_ms": at.at_ms}
        self._closed[table] += [{"row": row, **until} for key, row in there.items() if key not in wanted]
        for key in sorted(wanted - there.keys(), key=repr):
            self._opened[table].append(
                {
                    "pet_id": at.pet_id,
                    "incarnation": at.incarnation,
                    **_VALUES[table](*key),
                    "from_version": at.version,
                    "from_ms": at.at_ms,
                    "until_version": None,
                    "until_ms": None,
                    "live": True,
                }
            )


def _member(cluster: str, image: str, shown: bool) -> Row:
    return {"cluster_id": cluster, "image_id": image, "shown": shown}


def _face(cluster: str, face: Face) -> Row:
    return {"cluster_id": cluster, "hero_image_id": face.hero, "label": face.label}


_VALUES: Final[Mapping[Table, Callable[..., Row]]] = {cluster_members: _member, cluster_heroes: _face}
_CLOSE: Final = {
    table: update(table)
    .where(table.c.id == bindparam("row"))
    .values(until_version=bindparam("until_version"), until_ms=bindparam("until_ms"))
    for table in _VALUES
}
