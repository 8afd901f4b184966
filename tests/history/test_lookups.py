"""Readers' look-ups: bounded a second and at once, misses remembered, and a database that is away is told as such."""

import asyncio
import random
import threading

import pytest
from sqlalchemy import text

from sploot_clusterd.config import HistorySettings
from sploot_clusterd.errors import HistoryUnavailableError, LookupsExceededError
from sploot_clusterd.history import reading
from sploot_clusterd.history.database import READERS, Database
from sploot_clusterd.history.lookups import Lookups
from sploot_clusterd.metrics import Metrics
from tests.history.rows import add_latest, add_versions
from tests.support.clock import Clock
from tests.support.databases import settings_of
from tests.support.waiting import eventually


class Asked:
    """Look-ups by a clock of the test's, and how many reached the database."""

    def __init__(self, settings: HistorySettings, a_second: float = 1000.0) -> None:
        self.database, self.metrics, self.clock = Database.open(settings), Metrics(), Clock()
        self.lookups = Lookups(self.database, a_second, self.metrics, self.clock)

    def counted(self, outcome: str) -> float:
        labels = {"outcome": outcome}
        return self.metrics.registry.get_sample_value("media_cluster_history_lookups_total", labels) or 0.0

    def close(self) -> None:
        self.lookups.close()
        self.database.close()


@pytest.fixture
def asked(history):
    asked = Asked(history)
    yield asked
    asked.close()


async def test_what_is_there_is_found_and_what_is_not_is_asked_for_once_in_a_while(asked):
    with asked.database.write() as connection:
        add_versions(connection, range(1, 3))
        add_latest(connection, 2)
    assert (await asked.lookups.latest("pet")).version == 2
    assert (await asked.lookups.versions("pet", None, None, 10)).versions[0].version == 2
    for _ in range(3):
        assert await asked.lookups.latest("nobody") is None
    assert (asked.counted("found"), asked.counted("missed"), asked.counted("remembered")) == (2, 1, 2)
    asked.clock.now += 31
    assert await asked.lookups.latest("nobody") is None
    assert asked.counted("missed") == 2


async def test_a_flood_of_unknown_ids_is_no_flood_of_queries(sqlite_history):
    asked = Asked(sqlite_history, a_second=100)
    refused = 0
    for number in range(3000):  # in 0.3 s
        asked.clock.now += 0.0001
        try:
            await asked.lookups.latest(f"unknown_{number}")
        except LookupsExceededError:
            refused += 1
    assert asked.counted("missed") <= 130  # a second's, and 30 more
    assert refused == asked.counted("refused") == 3000 - asked.counted("missed")
    asked.close()


async def test_who_goes_away_frees_the_connection_when_the_database_has_answered(asked, monkeypatch):
    may_end, begun = threading.Event(), threading.Semaphore(0)

    def slowly(_connection, _pet_id):
        begun.release()
        may_end.wait(10)

    monkeypatch.setattr(reading, "latest", slowly)
    monkeypatch.setattr("sploot_clusterd.history.lookups._PATIENCE", 0.05)
    gone = [asyncio.ensure_future(asked.lookups.latest(f"pet_{number}")) for number in range(READERS)]
    for _ in gone:
        await asyncio.to_thread(begun.acquire)
    for each in gone:
        each.cancel()
    await asyncio.gather(*gone, return_exceptions=True)
    with pytest.raises(HistoryUnavailableError, match="every connection"):
        await asked.lookups.version("pet", 1)
    may_end.set()
    monkeypatch.undo()
    assert await asked.lookups.version("pet", 1) is None
    await eventually(lambda: asked.database.connections_in_use() == 0, what="its connection is free")


@pytest.mark.database
async def test_cancelled_reads_leave_no_connection_behind(pg_history, monkeypatch):
    def slowly(connection, pet_id):
        return connection.execute(text("SELECT pg_sleep(0.02), :pet"), {"pet": pet_id}).all()

    monkeypatch.setattr(reading, "latest", slowly)
    asked, drawn = Asked(pg_history, a_second=100_000), random.Random(1)
    for number in range(200):
        under_way = asyncio.ensure_future(asked.lookups.latest(f"pet_{number}"))
        await asyncio.sleep(drawn.uniform(0, 0.03))
        under_way.cancel()
        await asyncio.gather(under_way, return_exceptions=True)
    await eventually(lambda: asked.database.connections_in_use() == 0, what="all are free")
    with asked.database.read() as connection:
        sessions = connection.scalars(text("SELECT state FROM pg_stat_activity WHERE datname = current_database()"))
        assert sorted(sessions) in [["active"] + ["idle"] * n for n in range(READERS)]
    asked.close()


async def test_a_database_that_is_not_there_and_one_without_tables(tmp_path):
    for url in (f"sqlite:///{tmp_path}/none.sqlite3", f"postgresql:///db?host={tmp_path}"):
        asked = Asked(settings_of(url))
        with pytest.raises(HistoryUnavailableError, match="the database: "):
            await asked.lookups.latest("pet")
        assert asked.counted("failed") == 1
        asked.close()
