"""Batches run side by side; a suspect has the process to itself."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from msgspec.structs import replace

from sploot_clusterd.ingest import processor
from sploot_clusterd.ingest.isolation import SharedLock
from sploot_clusterd.store import AlbumStore, Entry, Handling
from tests.support.side import Side
from tests.support.waiting import eventually


async def test_batches_run_side_by_side():
    lock = SharedLock()
    async with lock.shared(), lock.shared():
        pass


async def test_who_runs_alone_waits_for_the_others_and_keeps_new_ones_out():
    lock, order, leave = SharedLock(), [], asyncio.Event()

    async def first() -> None:
        async with lock.shared():
            order.append("first")
            await leave.wait()

    async def alone() -> None:
        async with lock.exclusive():
            order.append("alone")
            await asyncio.sleep(0)
            order.append("alone still")

    async def last() -> None:
        async with lock.shared():
            order.append("last")

    tasks = [asyncio.create_task(each()) for each in (first, alone, last)]
    await eventually(lambda: order, what="the first to begin")
    leave.set()
    await asyncio.gather(*tasks)
    assert order == ["first", "alone", "alone still", "last"]


async def test_the_lock_is_released_by_an_error_too():
    lock = SharedLock()
    for take in (lock.shared, lock.exclusive):
        with pytest.raises(ZeroDivisionError):
            async with take():
                _ = 1 / 0
    async with lock.exclusive():
        pass


async def test_a_lone_run_is_counted_only_when_nothing_runs_beside_it(side: Side, monkeypatch):
    await side.add("one")
    batch = await side.read("me")
    await side.add("another")
    suspect = [replace(entry, handling=Handling.ALONE) for entry in await side.read("other")]
    loading, go_on, load = asyncio.Event(), asyncio.Event(), AlbumStore.load

    async def slow_load(store: AlbumStore, wanted) -> list:
        loading.set()
        await go_on.wait()
        return await load(store, wanted)

    monkeypatch.setattr(AlbumStore, "load", slow_load)
    running = asyncio.create_task(side.process(batch))
    await loading.wait()
    lone = asyncio.create_task(side.process(suspect, "other"))
    assert await _counted(side, suspect[0]) is None
    go_on.set()
    await asyncio.gather(running, lone)
    assert await side.redis.xlen("jobs") == 0


@pytest.mark.parametrize(("seconds_each", "holds"), [(0.0, 1), (0.1, 4), (1.0, 10)])
async def test_suspects_wait_for_the_others_once_for_many_and_let_them_go_on_after_a_while(
    side: Side, monkeypatch, seconds_each, holds
):
    for number in range(10):
        await side.add(f"pet_{number}")
    suspects = [replace(entry, handling=Handling.ALONE) for entry in await side.read()]
    granted, looks, exclusive = 0, itertools.count(), SharedLock.exclusive

    @asynccontextmanager
    async def counted(lock: SharedLock) -> AsyncIterator[None]:
        nonlocal granted
        async with exclusive(lock):
            granted += 1
            yield

    monkeypatch.setattr(SharedLock, "exclusive", counted)
    # It is looked at when a hold begins, and after each suspect.
    monkeypatch.setattr(processor, "monotonic", lambda: seconds_each * next(looks))
    await side.process(suspects)
    assert await side.redis.xlen("jobs") == 0
    assert granted == holds


async def _counted(side: Side, entry: Entry) -> bytes | None:
    """Its record, when it has had every chance to be written."""
    for _ in range(20):
        await side.redis.ping()
    return await side.redis.hget(side.keys.attempts, entry.key)
