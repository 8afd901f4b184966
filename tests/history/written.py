"""What history says, read from its tables as plainly as can be."""

from collections.abc import Sequence

from sqlalchemy import Table, select

from sploot_clusterd.history.database import Database
from sploot_clusterd.history.schema import cluster_heroes, cluster_members, pet_clusters, pet_latest
from sploot_clusterd.history.told import Place, Told
from sploot_clusterd.history.writing import Batch, Done, move_place, place_of

NOW_MS = 1_764_300_000_000


def write(database: Database, events: Sequence[Told], partition: int = 0) -> Done:
    """One batch, behind what is written."""
    with database.write() as connection:
        place = place_of(connection, partition)
        move_place(connection, partition, place, events[-1].place, NOW_MS)
        return Batch(connection, events).write()


def place(database: Database, partition: int = 0) -> Place:
    with database.read() as connection:
        return place_of(connection, partition)


def rows(database: Database, table: Table, **where: object) -> list:
    asked = select(table).where(*(table.c[name] == value for name, value in where.items()))
    with database.read() as connection:
        return [*connection.execute(asked)]


def tokens(database: Database, pet_id: str, *, live: bool = True) -> list[str]:
    """In the order of their versions."""
    found = rows(database, pet_clusters, pet_id=pet_id, live=live)
    return [row.token for row in sorted(found, key=lambda row: (row.version, row.sequence))]


def members(database: Database, pet_id: str, version: int | None = None) -> set[tuple[str, str]]:
    """(cluster, image) at a version, or now."""
    found = rows(database, cluster_members, pet_id=pet_id, live=True, shown=True)
    assert len({row.id for row in found if _holds(row, version)}) == len(
        {(row.cluster_id, row.image_id) for row in found if _holds(row, version)}
    )
    return {(row.cluster_id, row.image_id) for row in found if _holds(row, version)}


def faces(database: Database, pet_id: str, version: int | None = None) -> set[tuple[str, str | None, str]]:
    """(cluster, hero, label) at a version, or now."""
    found = [row for row in rows(database, cluster_heroes, pet_id=pet_id, live=True) if _holds(row, version)]
    assert len(found) == len({row.cluster_id for row in found})
    return {(row.cluster_id, row.hero_image_id, row.label) for row in found}


def latest(database: Database, pet_id: str):
    found = rows(database, pet_latest, pet_id=pet_id)
    return found[0] if found else None


def _holds(row, version: int | None) -> bool:
    if version is None:
        return row.until_version is None
    return row.from_version <= version and (row.until_version is None or version < row.until_version)
