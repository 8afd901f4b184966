"""Retention: former versions go after so many days, what is current stays, and nobody is held up by it."""

import asyncio
import os
import sqlite3
import threading
from contextlib import closing

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError

from sploot_clusterd.errors import HistoryUnavailableError
from sploot_clusterd.health import Health
from sploot_clusterd.history import pruner, reading, schema, weeks
from sploot_clusterd.history.database import Database
from sploot_clusterd.history.retention import prune
from tests.history.aged import DAY, LATER, told
from tests.history.rows import add_snapshot, add_versions, at
from tests.support.waiting import eventually


def count(database: Database, table: object) -> int:
    with database.read() as connection:
        return connection.scalar(select(func.count()).select_from(table))


def test_what_is_current_outlives_retention(database):
    told(database)
    pruned = prune(database, 90, LATER)
    left = {table.name: count(database, table) for table in schema.OF_A_PET}
    assert left == {
        "pet_clusters": 1,
        "pet_latest": 1,
        "cluster_members": 1,
        "cluster_heroes": 1,
        "cluster_jobs": 0,
        "newest_snapshots": 1,
        "cluster_snapshots": 0,
    }
    assert pruned.rows == 6
    with database.read() as connection:
        assert reading.version(connection, "pet", 3) == reading.latest(connection, "pet")
        assert reading.latest(connection, "pet").clusters[0].image_ids == ["a"]
    assert prune(database, 90, LATER)[0] == 0


def test_weeks_are_made_ahead_and_take_what_lay_in_none(pg_database):
    told(pg_database)
    with pg_database.read() as connection:
        assert weeks.stray_rows(connection) == 5
    first = prune(pg_database, 200, LATER)
    assert first.weeks_made == 2 * (200 // 7 + 1 + weeks.AHEAD)
    with pg_database.read() as connection:
        assert weeks.stray_rows(connection) == 0
        assert len(reading.versions(connection, "pet", None, None, 9).versions) == 4
    assert prune(pg_database, 200, LATER).weeks_made == 0
    assert prune(pg_database, 200, LATER + 7 * DAY).weeks_made == 2
    later = prune(pg_database, 90, LATER)
    over = weeks.monday(LATER - 90 * DAY) - weeks.monday(LATER - 193 * DAY)
    assert (later.weeks_dropped, count(pg_database, schema.pet_clusters)) == (2 * over // weeks.WEEK_MS, 1)


def test_a_week_that_is_read_is_dropped_later_and_inserts_go_on(pg_database):
    told(pg_database)
    prune(pg_database, 200, LATER)
    with pg_database.read() as connection, connection.begin():
        connection.execute(text("BEGIN"))
        connection.execute(select(schema.pet_clusters)).all()  # holds every partition until it ends
        held = prune(pg_database, 90, LATER)
        assert held.weeks_dropped == held.weeks_put_off > 10  # of the one table, and of the other
        with pg_database.write() as writing:
            add_versions(writing, range(5, 6), later=LATER - at(5))
        connection.execute(text("COMMIT"))
    assert prune(pg_database, 90, LATER).weeks_dropped == held.weeks_put_off


def test_an_event_is_one_row_whenever_it_is_delivered(pg_database):
    """By its own time; and one by a clock that is 40 days ahead is taken too."""
    prune(pg_database, 90, LATER)
    edge = weeks.monday(LATER) - 1
    for later, rows in ((edge - at(1), 1), (LATER + 40 * DAY - at(1), 2)):
        with pg_database.write() as connection:
            add_versions(connection, range(1, 2), later=later)
        with pytest.raises(IntegrityError), pg_database.write() as connection:
            add_versions(connection, range(1, 2), later=later)
        assert count(pg_database, schema.pet_clusters) == rows


def test_many_processes_prune_at_once(history):
    """Of SQLite one at a time: it has one writer."""
    databases = [Database.open(history) for _ in range(3 if "postgresql" in history.url.reveal() else 1)]
    told(databases[0])
    outcomes: list[object] = []
    threads = [
        threading.Thread(target=lambda each=each: outcomes.append(prune(each, 90, LATER).rows)) for each in databases
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(outcomes) == 6
    for each in databases:
        each.close()


def test_a_file_gives_back_what_it_does_not_need(sqlite_history):
    database = Database.open(sqlite_history)
    with database.write() as connection:
        for number in range(1, 40):
            add_snapshot(connection, schema.cluster_snapshots, number, b"{}", os.urandom(50_000))
    database.checkpoint()
    before = database.file.stat().st_size
    prune(database, 90, LATER)
    database.checkpoint()
    assert database.file.stat().st_size < before / 4
    database.close()


def test_a_file_that_another_program_locks_is_a_database_that_is_away(sqlite_history):
    """Also to what is asked of the driver itself."""
    database = Database.open(sqlite_history)
    with database.write() as connection:
        add_snapshot(connection, schema.cluster_snapshots, 1, b"{}", os.urandom(50_000))
    with database.write() as connection:
        connection.execute(schema.cluster_snapshots.delete())
    with database.autocommit() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout = 0")
    with closing(sqlite3.connect(database.file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(HistoryUnavailableError, match="database is locked"):
            prune(database, 90, LATER)
        other.execute("ROLLBACK")
    assert prune(database, 90, LATER).rows == 0
    database.close()


async def test_a_fault_is_told_and_pruning_goes_on(sqlite_history, monkeypatch, caplog):
    outcomes = [RuntimeError("a fault"), HistoryUnavailableError("away"), pruner.Pruned(7)]

    def prune(*_: object, **__: object) -> pruner.Pruned:
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    monkeypatch.setattr(pruner, "prune", prune)
    for wait in ("_FIRST", "_TRY_AGAIN"):
        monkeypatch.setattr(pruner, wait, 0.01)
    caplog.set_level("INFO")
    database, stopping = Database.open(sqlite_history), asyncio.Event()
    running = asyncio.ensure_future(pruner.Pruner(database, print, 90, health=Health(60.0), stopping=stopping).run())
    await eventually(lambda: not outcomes and len(caplog.records) == 3, what="three times")
    stopping.set()
    await running
    assert [(each.levelname, bool(each.exc_info)) for each in caplog.records] == [
        ("ERROR", True),
        ("WARNING", False),
        ("INFO", False),
    ]
    database.close()
