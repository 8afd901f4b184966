"""A Redis that was lost comes back from history: byte for byte, and what is missing is named."""

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from sploot_clusterd.engine import Params
from sploot_clusterd.entry_ids import EntryId
from sploot_clusterd.errors import ClusterdError
from sploot_clusterd.history.database import Database
from sploot_clusterd.history.rebuilding import Missing, Rebuild, Rebuilt
from sploot_clusterd.store import Rebuilding
from tests.history.follow import follow
from tests.support import stores
from tests.support.side import Side, image, opened_side

PETS = [f"pet_{n}" for n in range(5)]


@pytest.fixture
async def side(redis: Redis, redis_url: str) -> AsyncIterator[Side]:
    assert redis
    async with opened_side(redis_url, Params(), feeds=True) as side:
        yield side


async def upload(side: Side, pet: str, count: int, first: int = 0) -> None:
    for n in range(first, first + count):
        await side.add(pet, job_id=f"{pet}-job-{n}", payload=image(f"img-{n}", 1.0, n % 3, 0.1 * n))
        await side.run()


async def rebuild(side: Side, database: Database, show=lambda _: None) -> Rebuilt:
    store = side.store
    rebuilding = Rebuilding(store.gateway, store.layout, stores.settings("unix:///unused"))
    return await Rebuild(store, store.feed, rebuilding, database).run(show)


async def contents(side: Side) -> dict[str, object]:
    """All that is kept of pets."""
    found = {}
    for pet in PETS:
        keys = side.keys.pet(pet)
        view, album = await side.redis.get(keys.view), await side.redis.hgetall(keys.album)
        found[pet] = (view, album, await side.redis.hgetall(keys.images))
    return found


async def wipe(side: Side) -> None:
    await side.redis.flushall()
    for pet in PETS:
        side.cache.drop(pet)
    await side.stream.ensure_group()


async def test_all_comes_back_byte_for_byte_and_life_goes_on_as_it_would_have(side: Side, database: Database):
    for n, pet in enumerate(PETS):
        await upload(side, pet, n + 3)
    await follow(side, database)
    before = await contents(side)
    last = EntryId.parse((await side.redis.xinfo_stream(side.keys.stream))["last-generated-id"].decode())
    event = await side.store.feed.newest(0)
    for pet in PETS:
        await upload(side, pet, 1, first=9)
    as_it_would_have = {pet: [each["members"] for each in (await side.view(pet))["clusters"]] for pet in PETS}

    await wipe(side)
    rebuilt = await rebuild(side, database)

    assert (rebuilt.restored, rebuilt.there, rebuilt.erased, rebuilt.missing) == (5, 0, 0, [])
    assert await contents(side) == before
    lives = [await side.redis.ttl(side.keys.view(pet)) for pet in PETS]
    assert all(70 < life <= 100 for life in lives)
    for pet in PETS:
        await upload(side, pet, 1, first=9)
        assert [each["members"] for each in (await side.view(pet))["clusters"]] == as_it_would_have[pet]
    assert await side.letters() == []
    assert EntryId.parse((await side.redis.xinfo_stream(side.keys.stream))["last-generated-id"].decode()) > last
    found = await side.store.feed.read(0, event, 100)
    assert found.is_whole
    assert len(found.events) == len(PETS)


async def test_what_history_does_not_have_is_exactly_what_is_named(side: Side, database: Database):
    for pet in PETS:
        await upload(side, pet, 2)
    await follow(side, database)
    await upload(side, PETS[1], 2, first=2)
    await upload(side, "new", 1)
    await follow(side, database, albums=False)

    await wipe(side)
    rebuilt = await rebuild(side, database)

    assert rebuilt.restored == 5
    assert rebuilt.missing == [
        Missing("new", 0, 1, ["new-job-0"]),
        Missing(PETS[1], 2, 4, [f"{PETS[1]}-job-2", f"{PETS[1]}-job-3"]),
    ]
    assert (await side.view(PETS[1]))["version"] == 2
    await upload(side, PETS[1], 2, first=2)
    assert (await side.view(PETS[1]))["version"] == 4


async def test_it_may_be_killed_after_any_page_and_begins_behind_it(side: Side, database: Database, monkeypatch):
    monkeypatch.setattr("sploot_clusterd.history.rebuilding._PETS_A_PAGE", 1)
    for pet in PETS:
        await upload(side, pet, 2)
    await follow(side, database)
    before = await contents(side)
    await wipe(side)

    class KilledError(Exception):
        pass

    def kill(_rebuilt: Rebuilt) -> None:
        raise KilledError

    runs = 0
    while True:
        runs += 1
        try:
            rebuilt = await rebuild(side, database, kill if runs < len(PETS) else lambda _: None)
        except KilledError:
            continue
        break

    assert (runs, rebuilt.restored) == (5, 1)
    assert await contents(side) == before
    again = await rebuild(side, database)
    assert (again.restored, again.there) == (0, 5)


async def test_what_lives_already_is_left_as_it_is(side: Side, database: Database):
    for pet in PETS:
        await upload(side, pet, 3)
    await follow(side, database)
    await wipe(side)
    await upload(side, PETS[2], 1, first=7)
    before = (await contents(side))[PETS[2]]

    rebuilt = await rebuild(side, database)

    assert (rebuilt.restored, rebuilt.there) == (4, 1)
    assert (await contents(side))[PETS[2]] == before


async def test_erased_pets_stay_away(side: Side, database: Database):
    for pet in PETS:
        await upload(side, pet, 2)
    await follow(side, database)
    await side.store.views.erase(PETS[3])
    with pytest.raises(ClusterdError, match="erasures that history has not read"):
        await rebuild(side, database)
    await follow(side, database, albums=False)
    await wipe(side)

    assert (await rebuild(side, database)).restored == 4

    assert (await contents(side))[PETS[3]] == (None, {}, {})
