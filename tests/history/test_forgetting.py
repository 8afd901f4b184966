"""What DELETE leaves in history: nothing, in no table and no file, whatever state it met."""

import asyncio
import inspect
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from sploot_clusterd.errors import HistoryUnavailableError
from sploot_clusterd.history.database import Database
from sploot_clusterd.history.forgetting import Forgetter, forget
from sploot_clusterd.history.schema import OF_A_PET, erased_pets, metadata, stream_marks
from sploot_clusterd.history.settling import Settling
from sploot_clusterd.history.writing import Batch
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.store import AlbumStore, LostPet, PutBack, Rebuilding, Store
from tests.history.follow import follow
from tests.history.following import Writing
from tests.history.lost import rebuild, upload, wipe
from tests.support import stores
from tests.support.side import Side, image
from tests.support.waiting import eventually

PET, OTHER = "pet_0", "pet_1"


@pytest.fixture
async def store(redis_url: str, database: Database) -> AsyncIterator[Store]:
    """One that knows of history."""
    settings = stores.settings(redis_url)
    file = f"sqlite:///{database.file or '/unused'}"
    history = replace(settings.history, url=stores.SecretUrl(file))
    store = Store.open(replace(settings, history=history, feed=replace(settings.feed, enabled=True)), Metrics())
    yield store
    await store.close()


def forgetter(store: Store, database: Database) -> Forgetter:
    async def at_once(work, *arguments):
        return work(database, *arguments)

    return Forgetter(store.partitions[0].keys, store.views.erasure, at_once)


def left(database: Database) -> set[str]:
    """The tables that have something of the pet, but for that it was erased."""
    found = set()
    with database.read() as connection:
        for table in metadata.tables.values():
            rows = str([tuple(row) for row in connection.execute(select(table))])
            if PET in rows and table not in {erased_pets, stream_marks}:
                found.add(table.name)
    return found


def in_files(database: Database) -> bool:
    """Whether SQLite's file or its log hold what was said of the pet; that it was erased they do."""
    if database.file is None:
        return False
    files = [database.file, Path(f"{database.file}-wal")]
    return any(PET.encode() + b"-job" in file.read_bytes() for file in files if file.exists())


@pytest.mark.parametrize("state", ["unread", "trimmed unread", "queued"])
async def test_nothing_is_left_and_nothing_comes_back(side: Side, store: Store, database: Database, state: str):
    await upload(side, OTHER, 2)
    await follow(side, database)
    await upload(side, PET, 3)
    await follow(side, database)
    assert left(database) >= {"pet_clusters", "cluster_members", "newest_snapshots", "cluster_jobs"}
    if state == "unread":
        await upload(side, PET, 2, first=3)
    if state == "queued":
        await side.add(PET, job_id="late", payload={"image_ids": ["late"]})

    assert await store.views.erase(PET)

    assert await store.views.is_erasing(PET)
    assert await store.views.reserve_snapshot(PET) is None
    if state == "trimmed unread":
        await side.redis.delete(side.keys.feed)
    await side.run()
    await follow(side, database, albums=False)
    await forgetter(store, database).forget()
    assert not await store.views.is_erasing(PET)
    assert (left(database), in_files(database)) == (set(), False)

    await wipe(side)
    await rebuild(side, database)
    assert [key async for key in side.redis.scan_iter(f"*{PET}*")] == []
    assert await side.redis.exists(side.keys.view(OTHER))


UNDER_WAY = {
    "a commit, not yet in Redis": (AlbumStore, "commit"),
    "a transaction with its events": (Batch, "write"),
    "a transaction with its album": (Settling, "settle"),
}


def hold(monkeypatch: pytest.MonkeyPatch, owner: type, name: str) -> tuple[threading.Event, threading.Event]:
    """Whoever calls it says so by the one event, and goes on by the other."""
    reached, goes_on, real = threading.Event(), threading.Event(), getattr(owner, name)

    def held(*arguments):
        reached.set()
        assert goes_on.wait(20)
        return real(*arguments)

    async def held_in_the_loop(*arguments):
        reached.set()
        await asyncio.to_thread(goes_on.wait, 20)
        return await real(*arguments)

    monkeypatch.setattr(owner, name, held_in_the_loop if inspect.iscoroutinefunction(real) else held)
    return reached, goes_on


@pytest.mark.parametrize("what", UNDER_WAY)
async def test_what_is_under_way_at_the_erasure_leaves_nothing_either(
    writing: Writing, store: Store, monkeypatch: pytest.MonkeyPatch, what: str
):
    side, database = writing.side, writing.database
    await upload(side, OTHER, 2)
    await upload(side, PET, 3)
    await follow(side, database)
    await side.add(PET, job_id=f"{PET}-job-late", payload=image("late", 1.0, 0.2, 0.2))
    work = side.run
    if UNDER_WAY[what][0] is not AlbumStore:
        await side.run()
        work = writing.writer.step
    with monkeypatch.context() as patched:
        reached, goes_on = hold(patched, *UNDER_WAY[what])
        under_way = asyncio.ensure_future(work())
        await eventually(reached.is_set, what=what)
        assert await store.views.erase(PET)
        goes_on.set()
        await under_way

    assert (await side.pending(), await side.redis.exists(*side.keys.pet(PET))) == (0, 0)
    await follow(side, database, albums=False)
    await forgetter(store, database).forget()
    assert (left(database), in_files(database)) == (set(), False)

    await wipe(side)
    await rebuild(side, database)
    assert [key async for key in side.redis.scan_iter(f"*{PET}*")] == []
    assert await side.redis.exists(side.keys.view(OTHER))


async def test_an_erasure_in_the_middle_of_a_restore_counts(
    writing: Writing, store: Store, monkeypatch: pytest.MonkeyPatch
):
    """It is forgotten between the read of the pet's album and the moment in which that is put back."""
    side, database = writing.side, writing.database
    for pet in (PET, OTHER):
        await upload(side, pet, 2)
    await follow(side, database)
    await wipe(side)
    put_pets = Rebuilding.put_pets

    async def erased_first(rebuilding: Rebuilding, pets: list[LostPet]) -> list[PutBack]:
        await store.views.erase(PET)
        await forgetter(store, database).forget()
        return await put_pets(rebuilding, pets)

    monkeypatch.setattr(Rebuilding, "put_pets", erased_first)
    rebuilt = await rebuild(side, database)

    assert (rebuilt.restored, rebuilt.erased) == (1, 1)
    assert not await side.redis.exists(*side.keys.pet(PET))
    assert await side.redis.exists(side.keys.view(OTHER))
    assert left(database) == set()


async def test_while_the_database_is_away_redis_remembers_and_nothing_brings_the_pet_back(
    side: Side, store: Store, database: Database
):
    for pet in (PET, OTHER):
        await upload(side, pet, 2)
    await follow(side, database)
    await store.views.erase(PET)
    keys = store.partitions[0].keys

    async def away(*_: object) -> None:
        raise HistoryUnavailableError

    with pytest.raises(HistoryUnavailableError):
        await Forgetter(keys, store.views.erasure, away).forget()
    assert await store.views.is_erasing(PET)

    lost = side.keys.pet(OTHER)
    await side.redis.delete(keys.feed, keys.feed_index, lost.album, lost.images, lost.view)
    rebuilt = await rebuild(side, database)
    assert (rebuilt.restored, rebuilt.erased) == (1, 1)
    assert not await side.redis.exists(*side.keys.pet(PET))

    ((pet, at_ms),) = (await store.views.erasure.erasing(keys)).items()
    await store.views.erasure.forgotten(keys, pet, at_ms - 1)  # another erasure, before this one
    assert await store.views.is_erasing(PET)
    await forgetter(store, database).forget()
    assert not await store.views.is_erasing(PET)
    assert (left(database), in_files(database)) == (set(), False)


async def test_a_life_after_the_erasure_is_kept(side: Side, store: Store, database: Database):
    await upload(side, PET, 2)
    await follow(side, database)
    await store.views.erase(PET)
    await upload(side, PET, 1, first=7)
    await follow(side, database, albums=False)
    await forgetter(store, database).forget()
    assert left(database) >= {"pet_clusters", "pet_latest"}
    assert not in_files(database) or database.file is None or b"pet_0-job-0" not in database.file.read_bytes()


async def test_erasures_of_a_list_are_applied_to_a_database_that_came_back_from_a_backup(
    side: Side, database: Database
):
    await upload(side, PET, 2)
    await follow(side, database)
    with database.read() as connection:
        last = max(row.at_ms for row in connection.execute(select(OF_A_PET[0])))
    assert forget(database, {PET: last + 5, "unknown": 7}) == 2
    assert left(database) == set()
    assert forget(database, {PET: last + 5, "unknown": 7}) == 0
