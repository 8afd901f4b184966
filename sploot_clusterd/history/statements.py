"""What the writer says to the database, in the words that both understand."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Table, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from sploot_clusterd.history import bulk
from sploot_clusterd.history.bulk import Row
from sploot_clusterd.history.folding import Rows
from sploot_clusterd.history.schema import (
    cluster_heroes,
    cluster_jobs,
    cluster_members,
    cluster_snapshots,
    newest_snapshots,
    pet_clusters,
    pet_latest,
)

_jobs: Final = msgspec.json.Decoder(list[str]).decode
MEMBER_KEY: Final = ("pet_id", "incarnation", "cluster_id", "image_id")
FACE_KEY: Final = ("pet_id", "incarnation", "cluster_id")
MOST_ASKED: Final = 500
"""Values in one IN: SQLite takes 32,766 parameters, and a plan for each number of them is kept."""


def upsert(connection: Connection, table: Table, rows: Sequence[Row], *, newer_by: str | None = None) -> None:
    """Inserts, in the place of rows of the same primary key; `newer_by`: only where that column is not lower."""
    if rows:
        key = [column.name for column in table.primary_key]
        values = ", ".join(f'"{name}" = excluded."{name}"' for name in rows[0] if name not in key)
        newer = f" WHERE {table.name}.{newer_by} <= excluded.{newer_by}" if newer_by else ""
        conflict = f"ON CONFLICT ({', '.join(key)}) DO UPDATE SET {values}{newer}"
        bulk.insert(connection, table, rows, key, conflict)


def add(connection: Connection, table: Table, rows: Sequence[Row], order: Sequence[str] = ()) -> None:
    """Inserts what is not there yet."""
    key = order or [column.name for column in table.primary_key]
    bulk.insert(connection, table, rows, key, "ON CONFLICT DO NOTHING")


def add_from(connection: Connection, table: Table, names: Sequence[str], rows: Any) -> None:
    """As `add`, what a SELECT gives."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    connection.execute(dialect.insert(table).from_select(names, rows).on_conflict_do_nothing())


def write(connection: Connection, rows: Rows) -> None:
    """In the order in which it takes effect; within a table by key, so that writers that meet wait for each other in
    one direction.
    """
    bulk.close(connection, cluster_members, MEMBER_KEY, [*rows.closed_members.values()])
    bulk.close(connection, cluster_heroes, FACE_KEY, [*rows.closed_faces.values()])
    add(connection, cluster_members, rows.members, (*MEMBER_KEY, "from_version"))
    add(connection, cluster_heroes, rows.faces, (*FACE_KEY, "from_version"))
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
    """What was written of versions after `kept` was lost by Redis: it stays, as a branch that lives no more. So are
    its jobs lost, unless they come again.
    """
    for some in pages(tokens):
        lost = pet_clusters.c.pet_id == pet_id, pet_clusters.c.token.in_(some)
        for jobs in connection.scalars(select(pet_clusters.c.jobs).where(*lost)).all():
            _lose_jobs(connection, pet_id, _jobs(jobs))
        connection.execute(update(pet_clusters).where(*lost).values(live=False))
    for table in (cluster_members, cluster_heroes):
        ours = table.c.pet_id == pet_id, table.c.incarnation == incarnation, table.c.live
        connection.execute(update(table).where(*ours, table.c.from_version > kept).values(live=False))
        closed = update(table).where(*ours, table.c.until_version > kept)
        connection.execute(closed.values(until_version=None, until_ms=None))


def _lose_jobs(connection: Connection, pet_id: str, jobs: Sequence[str]) -> None:
    table = cluster_jobs.c
    ours = table.pet_id == pet_id, table.job_id.in_(jobs), table.status == "applied"
    connection.execute(update(cluster_jobs).where(*ours).values(status="lost"))


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
