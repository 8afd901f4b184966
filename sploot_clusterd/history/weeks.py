"""PostgreSQL's weekly partitions: made before their week comes, dropped when it is too long ago.

What lies in no week goes to a default partition, and from there to its week as soon as that is made. With a default one
there is no DETACH CONCURRENTLY: so a week is dropped only if that is possible at once, and else later. Who waited for
the lock would hold up every insert behind it.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Connection, Table, text

from sploot_clusterd.errors import HistoryUnavailableError
from sploot_clusterd.history.database import Database
from sploot_clusterd.history.schema import BY_WEEK

AHEAD: Final = 4
"""Weeks that are made before they come."""
WEEK_MS: Final = 7 * 86_400_000
_MONDAY_MS: Final = 4 * 86_400_000
"""The first Monday of 1970."""
_PATIENCE: Final = "200ms"
_LOCK: Final = 0x7765656B73
"""Of the advisory locks, the one of who makes and drops weeks: many processes would."""
_NAME: Final = re.compile(r"(\w+)_w(\d{8})\Z")


def monday(ms: int) -> int:
    """When the week of a time began."""
    return (ms - _MONDAY_MS) // WEEK_MS * WEEK_MS + _MONDAY_MS


def make(database: Database, begin_ms: int, end_ms: int) -> int:
    """Makes the weeks from one time to another that are not there; how many."""
    there = {name for table in BY_WEEK for name, _ in _weeks(database, table)}
    missing = [(table, week) for week in _mondays(begin_ms, end_ms) for table in BY_WEEK]
    return sum(_made(database, table, week) for table, week in missing if name_of(table, week) not in there)


def drop(database: Database, before_ms: int) -> tuple[int, int]:
    """Drops the weeks that were over before a time; how many, and how many are left for the next time, as one was in
    use.
    """
    dropped = put_off = 0
    for table in BY_WEEK:
        old = [name for name, week in _weeks(database, table) if week + WEEK_MS <= before_ms]
        for n, name in enumerate(old):
            try:
                dropped += _dropped(database, name)
            except HistoryUnavailableError:  # its lock was not to be had
                put_off += len(old) - n
                break
    return dropped, put_off


def stray_rows(connection: Connection) -> int:
    """Those in no week."""
    return sum(connection.scalar(text(f"SELECT count(*) FROM {table.name}_default")) or 0 for table in BY_WEEK)  # noqa: S608 - our own names


def name_of(table: Table, week: int) -> str:
    """Of a table's partition for the week that begins then."""
    return f"{table.name}_w{datetime.fromtimestamp(week / 1000, UTC):%Y%m%d}"


def _mondays(begin_ms: int, end_ms: int) -> range:
    return range(monday(begin_ms), end_ms, WEEK_MS)


def _weeks(database: Database, table: Table) -> Iterator[tuple[str, int]]:
    """Names of the table's partitions, and when their weeks began."""
    with database.read() as connection:
        names = connection.scalars(
            text("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = CAST(:parent AS regclass)"),
            {"parent": table.name},
        ).all()
    for name in sorted(names):
        if found := _NAME.search(name):
            yield name, int(datetime.strptime(found[2], "%Y%m%d").replace(tzinfo=UTC).timestamp() * 1000)


def _made(database: Database, table: Table, week: int) -> bool:
    name, parent, end = name_of(table, week), table.name, week + WEEK_MS
    with database.write() as connection:
        if not _is_alone(connection) or _is_there(connection, name):
            return False
        connection.execute(text(f"CREATE TABLE {name} (LIKE {parent} INCLUDING ALL)"))
        inside = f"at_ms >= {week} AND at_ms < {end}"
        moved = f"WITH moved AS (DELETE FROM {parent}_default WHERE {inside} RETURNING *)"  # noqa: S608 - as above
        connection.execute(text(f"{moved} INSERT INTO {name} SELECT * FROM moved"))  # noqa: S608
        connection.execute(text(f"ALTER TABLE {parent} ATTACH PARTITION {name} FOR VALUES FROM ({week}) TO ({end})"))
    return True


def _dropped(database: Database, name: str) -> bool:
    with database.write() as connection:
        if not _is_alone(connection) or not _is_there(connection, name):
            return False
        connection.execute(text(f"DROP TABLE {name}"))
    return True


def _is_alone(connection: Connection) -> bool:
    """Whether no other process makes or drops weeks, until the end of the transaction."""
    connection.execute(text(f"SET LOCAL lock_timeout = '{_PATIENCE}'"))
    return bool(connection.scalar(text("SELECT pg_try_advisory_xact_lock(:lock)"), {"lock": _LOCK}))


def _is_there(connection: Connection, name: str) -> bool:
    return connection.scalar(text("SELECT to_regclass(:name)"), {"name": name}) is not None
