"""What is in the database, in figures that cost no scan of it, for who looks after it."""

import sqlite3
from typing import Any, Final

from sqlalchemy import Connection, func, select, text

from sploot_clusterd.history import weeks
from sploot_clusterd.history.database import Database
from sploot_clusterd.history.reading import stamp
from sploot_clusterd.history.schema import (
    REVISION,
    erased_pets,
    feed_places,
    newest_snapshots,
    pet_latest,
    profile_generations,
    refused_events,
)

_SOUND: Final = (3, 51, 3)
"""SQLite before it may damage a file to which two connections write or make checkpoints at once."""


def figures(database: Database) -> dict[str, Any]:
    """By what they are called. Raises HistoryUnavailableError."""
    with database.read() as connection:
        found: dict[str, Any] = {"database": _server(connection), "revision": REVISION}
        for name, table in (
            ("pets", pet_latest),
            ("pets_with_a_snapshot", newest_snapshots),
            ("pets_erased", erased_pets),
            ("profile_generations", profile_generations),
            ("events_refused", refused_events),
        ):
            found[name] = connection.scalar(select(func.count()).select_from(table))
        found["pets_incomplete"] = connection.scalar(
            select(func.count()).select_from(pet_latest).where(~pet_latest.c.complete)
        )
        newest = connection.scalar(select(func.max(pet_latest.c.at_ms)))
        found["newest_version"] = None if newest is None else stamp(newest)
        found["feeds"] = ", ".join(
            f"{row.partition}: {row.event_id}" for row in connection.execute(select(feed_places).order_by("partition"))
        )
        if not database.is_sqlite:
            found["bytes"] = connection.scalar(text("SELECT pg_database_size(current_database())"))
            found["rows_in_no_week"] = weeks.stray_rows(connection)
    if database.file:
        found["bytes"] = database.file.stat().st_size
        if sqlite3.sqlite_version_info < _SOUND:
            found["note"] = "one process at a time may write to the file: this SQLite is older than 3.51.3"
    return found


def _server(connection: Connection) -> str:
    if connection.dialect.name == "sqlite":
        return f"SQLite {sqlite3.sqlite_version}"
    return f"PostgreSQL {connection.scalar(text('SHOW server_version'))}"
