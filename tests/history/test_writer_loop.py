"""The component that writes history: whose feeds it takes, and what it says when it cannot write."""

import asyncio
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import pytest
from redis.asyncio import Redis

from sploot_clusterd.config import HistorySettings
from sploot_clusterd.history.database import Database
from sploot_clusterd.history.marks import MarkKeeper
from sploot_clusterd.history.migrating import migrate
from sploot_clusterd.history.schema import newest_snapshots
from sploot_clusterd.store import Store
from tests.history.held import held, is_waited_for
from tests.history.process import Process, commit, configured, written
from tests.history.written import latest, rows
from tests.support import waiting
from tests.support.databases import settings_of

PETS = [f"pet-{n}" for n in range(12)]
eventually = partial(waiting.eventually, timeout=60.0)
"""A process of history's own has to start first."""


async def committed(store: Store, redis: Redis) -> dict[str, str]:
    return {pet: await commit(store, redis, pet) for pet in PETS}


async def test_each_partition_is_written_by_who_reads_it(
    redis: Redis, redis_url: str, pg_history: HistorySettings, pg_database: Database
):
    given = configured(redis_url, pg_history, partitions=4)
    async with AsyncExitStack() as stack:
        one, other = [await stack.enter_async_context(Process(given).running()) for _ in range(2)]
        tokens = await committed(one.store, redis)

        async def read(process: Process, numbers: set[int]) -> None:
            assert process.store.tenure
            await process.store.tenure.hold(numbers)

        async def all_are_written() -> bool:
            await read(one, {0, 1})
            await read(other, {2, 3})
            return written(pg_database) == tokens

        await eventually(all_are_written, what="history of all partitions")

        def counts() -> list[float]:
            return [each.count("events_total", outcome="written") for each in (one, other)]

        await eventually(lambda: sum(counts()) == len(PETS), what="each event to count once")
        assert all(counts())
        for pet in PETS:
            await one.store.views.erase(pet)

        async def all_are_erased() -> bool:
            assert one.store.tenure
            await one.store.tenure.let_go([0, 1])
            await read(other, {0, 1, 2, 3})
            return written(pg_database) == {}

        await eventually(all_are_erased, what="the erasures to be written")


async def test_one_process_writes_a_file_and_the_next_takes_over(
    redis: Redis, redis_url: str, sqlite_history: HistorySettings
):
    given = configured(redis_url, sqlite_history, partitions=2)
    database = Database.open(sqlite_history)
    async with AsyncExitStack() as stack:
        other = Process(given)
        async with Process(given).running() as one:
            await commit(one.store, redis, "pet")
            await eventually(lambda: latest(database, "pet"), what="the writer")
            await stack.enter_async_context(other.running())
            await eventually(other.health.warnings, what="the other process to say that it only reads")
            assert "this process only reads history" in other.health.warnings()[0]
            assert other.count("away") == 0
        tokens = await committed(other.store, redis)
        await eventually(lambda: tokens.items() <= written(database).items(), what="the other one to write")
        await eventually(lambda: other.health.warnings() == [], what="the warning to go")
    database.close()


async def test_one_of_several_processes_writes_where_there_are_no_partitions(
    redis: Redis, redis_url: str, pg_history: HistorySettings, pg_database: Database
):
    given = configured(redis_url, pg_history)
    async with Process(given).running() as one, Process(given).running() as other:
        tokens = await committed(one.store, redis)
        await eventually(lambda: written(pg_database) == tokens, what="history")

        def counts() -> list[float]:
            return sorted(each.count("events_total", outcome="written") for each in (one, other))

        await eventually(lambda: counts() == [0, len(PETS)], what="one process to have written all")


async def test_what_is_wrong_with_the_database_is_told_and_nothing_is_lost(
    redis: Redis, redis_url: str, tmp_path: Path
):
    history = settings_of(f"sqlite:///{tmp_path}/later.sqlite3")
    async with Process(configured(redis_url, history)).running() as process:
        tokens = await committed(process.store, redis)
        await eventually(process.health.warnings, what="a warning")
        (warning,) = process.health.warnings()
        assert "history is not written, and waits in the feed" in warning
        assert "clusterd history migrate" in warning
        assert process.health.reasons() == []
        assert process.count("away") == 1
        await asyncio.to_thread(migrate, history)
        database = Database.open(history)
        await eventually(lambda: written(database) == tokens, what="history to be written")
        await eventually(lambda: process.count("away") == 0, what="the database to count as back")
        assert process.health.warnings() == []
        await eventually(
            lambda: len(rows(database, newest_snapshots)) == len(PETS), what="albums to be kept", timeout=20
        )
        database.close()


async def test_the_lag_is_told_while_a_transaction_takes_its_time(
    redis: Redis, redis_url: str, pg_history: HistorySettings, pg_database: Database
):
    async with Process(configured(redis_url, pg_history)).running() as process:
        await commit(process.store, redis, "before")
        await eventually(lambda: latest(pg_database, "before"), what="the writer")
        with held(pg_database):
            await commit(process.store, redis, "pet")
            await eventually(lambda: is_waited_for(pg_database), what="the transaction")
            await eventually(lambda: process.count("lag_seconds") > 0.05, what="the lag to grow")
        await eventually(lambda: process.count("lag_seconds") == 0, what="the lag to go")
        assert latest(pg_database, "pet")


async def test_a_fault_of_history_ends_no_daemon(
    redis: Redis, redis_url: str, sqlite_history: HistorySettings, monkeypatch: pytest.MonkeyPatch
):
    async def fail(_: MarkKeeper) -> None:
        raise RuntimeError("a fault")

    with monkeypatch.context() as patched:
        patched.setattr(MarkKeeper, "keep", fail)
        async with Process(configured(redis_url, sqlite_history)).running() as process:
            await eventually(process.health.warnings, what="a warning")
            assert "the log says more: RuntimeError" in process.health.warnings()[0]
            token = await commit(process.store, redis, "pet")
            database = Database.open(sqlite_history)
            await eventually(lambda: written(database) == {"pet": token}, what="what can be written")
            patched.undo()
            await eventually(lambda: process.health.warnings() == [], what="the warning to go")
            database.close()
