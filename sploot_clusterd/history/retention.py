"""What is too old goes: former versions, stays, heroes, jobs and snapshots, in small steps that nobody waits for.

What is current stays, whatever its age: each pet's newest version and snapshot, and intervals that are open.
"""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from sqlalchemy import Column, Table, delete, select, tuple_

from sploot_clusterd.history import sqlite, weeks
from sploot_clusterd.history.database import Database
from sploot_clusterd.history.schema import (
    BY_WEEK,
    cluster_heroes,
    cluster_jobs,
    cluster_members,
    refused_events,
)

_DAY_MS: Final = 86_400_000
_ROWS: Final = 2000
"""Deleted in one transaction."""
_PAGES: Final = 1000
"""Of a SQLite file, given back in one transaction."""
_AGED: Final = (
    (cluster_members, cluster_members.c.until_ms),
    (cluster_heroes, cluster_heroes.c.until_ms),
    (cluster_jobs, cluster_jobs.c.finished_ms),
    (refused_events, refused_events.c.at_ms),
)


class Pruned(NamedTuple):
    """What was done. `weeks_*` are partitions of PostgreSQL; one that was in use is dropped the next time."""

    rows: int
    weeks_made: int = 0
    weeks_dropped: int = 0
    weeks_put_off: int = 0


def prune(
    database: Database, retention_days: int, now_ms: int, *, is_stopped: Callable[[], bool] = lambda: False
) -> Pruned:
    """Deletes what was over so many days ago, and makes room for what is to come. May be interrupted at any moment, and
    be done by several processes at once. `is_stopped` is asked between steps.
    """
    before = now_ms - retention_days * _DAY_MS
    rows = sum(_delete(database, table, age, before, is_stopped) for table, age in _AGED)
    if database.is_sqlite:
        rows += sum(_delete(database, table, table.c.at_ms, before, is_stopped) for table in BY_WEEK)
        _give_back(database, is_stopped)
        return Pruned(rows)
    made = make_weeks(database, retention_days, now_ms)
    dropped, put_off = weeks.drop(database, before)
    rows += sum(_delete(database, table, table.c.at_ms, before, is_stopped) for table in BY_WEEK)
    return Pruned(rows, made, dropped, put_off)


def make_weeks(database: Database, retention_days: int, now_ms: int) -> int:
    """PostgreSQL's partitions for what is kept and for what comes; how many were missing."""
    if database.is_sqlite:
        return 0
    return weeks.make(database, now_ms - retention_days * _DAY_MS, now_ms + weeks.AHEAD * weeks.WEEK_MS)


def _delete(database: Database, table: Table, age: Column[Any], before: int, is_stopped: Callable[[], bool]) -> int:
    """Keys are looked for by a reader, so that the writer is held up by the deletes alone."""
    key = tuple_(*table.primary_key.columns)
    old = select(*table.primary_key.columns).where(age < before).limit(_ROWS)
    deleted = 0
    while True:
        with database.read() as connection:
            keys = [tuple(row) for row in connection.execute(old)]
        if not keys or is_stopped():
            return deleted
        with database.write() as connection:
            # Still too old: what was looked at may have been written anew.
            deleted += connection.execute(delete(table).where(key.in_(keys), age < before)).rowcount


def _give_back(database: Database, is_stopped: Callable[[], bool]) -> None:
    """Free pages of the file go back to the file system, a few at a time."""
    while not is_stopped():
        with database.autocommit() as connection:
            if not sqlite.give_back(connection, _PAGES):
                return
