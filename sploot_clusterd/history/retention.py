"""What is too old goes: former versions, stays, heroes, jobs and snapshots, in small steps that nobody waits for.

What is current stays, whatever its age: each pet's newest version and snapshot, and intervals that are open.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Column, Table, delete, select, tuple_

from sploot_clusterd.history import sqlite, weeks
from sploot_clusterd.history.database import Database
from sploot_clusterd.history.schema import (
    BY_WEEK,
    cluster_heroes,
    cluster_jobs,
    cluster_members,
    metadata,
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

Ask = Callable[..., Any]
"""`ask(work, *arguments)` is what `work(database, *arguments)` gives, or raises, where it is written."""


class Pruned(NamedTuple):
    """What was done. `weeks_*` are partitions of PostgreSQL; one that was in use is dropped the next time."""

    rows: int
    weeks_made: int = 0
    weeks_dropped: int = 0
    weeks_put_off: int = 0


def prune(
    database: Database,
    retention_days: int,
    now_ms: int,
    *,
    ask: Ask | None = None,
    is_stopped: Callable[[], bool] = lambda: False,
) -> Pruned:
    """Deletes what was over so many days ago, and makes room for what is to come. May be interrupted at any moment, and
    be done by several processes at once. `ask` is there where another process writes; `is_stopped` is asked between
    steps.
    """
    before = now_ms - retention_days * _DAY_MS
    steps = _Steps(database, before, ask or _here(database), is_stopped)
    rows = sum(steps.delete(table, age) for table, age in _AGED)
    if database.is_sqlite:
        rows += sum(steps.delete(table, table.c.at_ms) for table in BY_WEEK)
        steps.give_back()
        return Pruned(rows)
    made = steps.ask(make_weeks, retention_days, now_ms)
    dropped, put_off = steps.ask(weeks.drop, before)
    rows += sum(steps.delete(table, table.c.at_ms) for table in BY_WEEK)
    return Pruned(rows, made, dropped, put_off)


def make_weeks(database: Database, retention_days: int, now_ms: int) -> int:
    """PostgreSQL's partitions for what is kept and for what comes; how many were missing."""
    if database.is_sqlite:
        return 0
    return weeks.make(database, now_ms - retention_days * _DAY_MS, now_ms + weeks.AHEAD * weeks.WEEK_MS)


class _Steps(NamedTuple):
    database: Database
    before: int
    ask: Ask
    is_stopped: Callable[[], bool]

    def delete(self, table: Table, age: Column[Any]) -> int:
        """Keys are looked for by a reader, so that the writer is held up by the deletes alone."""
        old = select(*table.primary_key.columns).where(age < self.before).limit(_ROWS)
        deleted = 0
        while True:
            with self.database.read() as connection:
                keys = [tuple(row) for row in connection.execute(old)]
            if not keys or self.is_stopped():
                return deleted
            deleted += self.ask(_delete, table.name, age.name, keys, self.before)

    def give_back(self) -> None:
        """Free pages of the file go back to the file system, a few at a time."""
        while not self.is_stopped() and self.ask(_give_back):
            pass


def _here(database: Database) -> Ask:
    def ask(work: Callable[..., Any], *arguments: object) -> Any:
        return work(database, *arguments)

    return ask


def _delete(database: Database, name: str, age: str, keys: Sequence[tuple[Any, ...]], before: int) -> int:
    """Rows of a table, if they are still too old: what was looked at may have been written anew."""
    table = metadata.tables[name]
    with database.write() as connection:
        old = tuple_(*table.primary_key.columns).in_(keys), table.c[age] < before
        return connection.execute(delete(table).where(*old)).rowcount


def _give_back(database: Database) -> bool:
    """Whether more pages may follow."""
    with database.autocommit() as connection:
        return sqlite.give_back(connection, _PAGES)
