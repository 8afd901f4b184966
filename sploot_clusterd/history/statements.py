"""What the writer says to the database, in the words that both understand."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Table, bindparam, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import Update

from sploot_clusterd.history.folding import Row, Rows
from sploot_clusterd.history.schema import (
    cluster_heroes,
    cluster_jobs,
    cluster_members,
    cluster_snapshots,
    newest_snapshots,
    pet_clusters,
    pet_latest,
)

MOST_ASKED: Final = 500
"""Values in one IN: SQLite takes 32,766 parameters, and a plan for each number of them is kept."""


def upsert(connection: Connection, table: Table, rows: Sequence[Row], *, newer_by: str | None = None) -> None:
    """Inserts, in the place of rows of the same primary key; `newer_by`: only where that column is not lower."""
    if not rows:
        return
    statement = _insert(connection, table)
    key = [column.name for column in table.primary_key]
    values = {name: statement.excluded[name] for name in rows[0] if name not in key}
    newer = None if newer_by is None else table.c[newer_by] <= statement.excluded[newer_by]
    _many(connection, statement.on_conflict_do_update(index_elements=key, set_=values, where=newer), rows, key)


def add(connection: Connection, table: Table, rows: Sequence[Row], order: Sequence[str] = ()) -> None:
    """Inserts what is not there yet."""
    if rows:
        key = order or [column.name for column in table.primary_key]
        _many(connection, _insert(connection, table).on_conflict_do_nothing(), rows, key)


def add_from(connection: Connection, table: Table, names: Sequence[str], rows: Any) -> None:
    """As `add`, what a SELECT gives."""
    connection.execute(_insert(connection, table).from_select(names, rows).on_conflict_do_nothing())


def write(connection: Connection, rows: Rows) -> None:
    """In the order in which it takes effect; within a table by key, so that writers that meet wait for each other in
    one direction.
    """
    if rows.closed_members:
        connection.execute(_CLOSE_MEMBERS, sorted(rows.closed_members, key=lambda row: tuple(map(str, row.values()))))
    if rows.closed_faces:
        connection.execute(_CLOSE_FACES, sorted(rows.closed_faces, key=lambda row: tuple(map(str, row.values()))))
    add(connection, cluster_members, rows.members, ("pet_id", "cluster_id", "image_id", "from_version"))
    if rows.faces:
        connection.execute(insert(cluster_heroes), rows.faces)
    add(connection, pet_clusters, rows.versions)
    upsert(connection, cluster_jobs, [*rows.jobs.values()], newer_by="finished_ms")
    upsert(connection, pet_latest, [*rows.newest.values()])


def close_all(connection: Connection, pet_id: str, version: int, at_ms: int) -> None:
    """Whatever of the pet is open ends at this version."""
    for table in (cluster_members, cluster_heroes):
        connection.execute(
            update(table)
            .where(table.c.pet_id == pet_id, table.c.until_version.is_(None), table.c.live)
            .values(until_version=version, until_ms=at_ms)
        )


def supersede(connection: Connection, pet_id: str, incarnation: str, tokens: Collection[str], kept: int) -> None:
    """What was written of versions after `kept` was lost by Redis: it stays, as a branch that lives no more."""
    for some in pages(tokens):
        connection.execute(
            update(pet_clusters)
            .where(pet_clusters.c.pet_id == pet_id, pet_clusters.c.token.in_(some))
            .values(live=False)
        )
    for table in (cluster_members, cluster_heroes):
        ours = table.c.pet_id == pet_id, table.c.incarnation == incarnation, table.c.live
        connection.execute(update(table).where(*ours, table.c.from_version > kept).values(live=False))
        closed = update(table).where(*ours, table.c.until_version > kept)
        connection.execute(closed.values(until_version=None, until_ms=None))


def name_life(connection: Connection, pet_id: str, incarnation: str) -> None:
    """Rows of a life that was not known by its name yet."""
    for table in (pet_clusters, pet_latest, cluster_members, cluster_heroes, newest_snapshots, cluster_snapshots):
        unnamed = table.c.pet_id == pet_id, table.c.incarnation == ""
        connection.execute(update(table).where(*unnamed).values(incarnation=incarnation))


def delete_pet(connection: Connection, tables: Iterable[Table], pet_id: str) -> int:
    """How many rows there were."""
    return sum(connection.execute(delete(table).where(table.c.pet_id == pet_id)).rowcount for table in tables)


def pages(values: Collection[Any]) -> Iterable[list[Any]]:
    each = [*values]
    return (each[first : first + MOST_ASKED] for first in range(0, len(each), MOST_ASKED))


def rows_of(connection: Connection, columns: Sequence[Any], by: Any, values: Collection[Any], *where: Any) -> list[Any]:
    """Rows of many keys, some hundred of them at a time."""
    return [row for some in pages(values) for row in connection.execute(select(*columns).where(by.in_(some), *where))]


def _insert(connection: Connection, table: Table) -> Any:
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    return dialect.insert(table)


def _many(connection: Connection, statement: Any, rows: Sequence[Row], order: Sequence[str]) -> None:
    connection.execute(statement, sorted(rows, key=lambda row: tuple(row[name] for name in order)))


def _closing(table: Table, **keys: str) -> Update:
    where = [table.c[column] == bindparam(name) for name, column in keys.items()]
    return update(table).where(*where, table.c.until_version.is_(None), table.c.live)


_CLOSE_MEMBERS: Final = _closing(
    cluster_members, of_pet="pet_id", of_life="incarnation", in_cluster="cluster_id", image="image_id"
).values(until_version=bindparam("until_version"), until_ms=bindparam("until_ms"))
_CLOSE_FACES: Final = _closing(cluster_heroes, of_pet="pet_id", of_life="incarnation", in_cluster="cluster_id").values(
    until_version=bindparam("until_version"), until_ms=bindparam("until_ms")
)
