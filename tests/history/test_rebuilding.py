"""A Redis that was lost comes back from history: byte for byte, and what is missing is named."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import pytest
from redis.asyncio import Redis
from sqlalchemy import insert

from sploot_clusterd.config import HistorySettings
from sploot_clusterd.engine import Params, Profile, encode_profile
from sploot_clusterd.entry_ids import EntryId
from sploot_clusterd.errors import ClusterdError
from sploot_clusterd.history.database import Database
from sploot_clusterd.history.rebuilding import Missing, Rebuild, Rebuilt
from sploot_clusterd.history.schema import newest_snapshots, stream_marks
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.partitioning import Placing
from sploot_clusterd.snapshot import Snapshot, encode_snapshot
from sploot_clusterd.store import Rebuilding, State, Store
from tests.history.follow import follow
from tests.history.lost import PETS, rebuild, upload, wipe
from tests.history.rows import add_snapshot
from tests.support import stores
from tests.support.side import Side, image, opened_side


@pytest.fixture
async def side(redis: Redis, redis_url: str) -> AsyncIterator[Side]:
    assert redis
    async with opened_side(redis_url, Params(), feeds=True) as side:
        yield side


@pytest.fixture
def file(sqlite_history: HistorySettings) -> Iterator[Database]:
    """A database of one kind, where all are alike."""
    opened = Database.open(sqlite_history)
    yield opened
    opened.close()


async def contents(side: Side) -> dict[str, object]:
    """All that is kept of pets."""
    found = {}
    for pet in PETS:
        keys = side.keys.pet(pet)
        view, album = await side.redis.get(keys.view), await side.redis.hgetall(keys.album)
        found[pet] = (view, album, await side.redis.hgetall(keys.images))
    return found


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


async def test_it_may_be_killed_after_any_page_and_begins_behind_it(side: Side, file: Database, monkeypatch):
    monkeypatch.setattr("sploot_clusterd.history.rebuilding._PETS_A_PAGE", 1)
    for pet in PETS:
        await upload(side, pet, 2)
    await follow(side, file)
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
            rebuilt = await rebuild(side, file, kill if runs < len(PETS) else lambda _: None)
        except KilledError:
            continue
        break

    assert (runs, rebuilt.restored) == (5, 1)
    assert await contents(side) == before
    again = await rebuild(side, file)
    assert (again.restored, again.there) == (0, 5)


async def test_what_lives_already_is_left_as_it_is(side: Side, file: Database):
    for pet in PETS:
        await upload(side, pet, 3)
    await follow(side, file)
    await wipe(side)
    await upload(side, PETS[2], 1, first=7)
    before = (await contents(side))[PETS[2]]

    rebuilt = await rebuild(side, file)

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


async def test_pets_come_back_to_their_partitions_by_the_layout_that_there_was(
    redis: Redis, redis_url: str, file: Database
):
    with file.write() as connection:
        for n, pet in enumerate(PETS):
            album = encode_snapshot(Snapshot({b"token": b"a.%d" % n}, {"img": b"row"}))
            add_snapshot(connection, newest_snapshots, n, b"{}", album, pet_id=pet)
        marks = [(0, "record", "4 3 8 2 1 1"), (3, "last_id", "7000-3")]
        rows = [{"partition": n, "kind": kind, "name": "", "value": value, "seen_ms": 1} for n, kind, value in marks]
        connection.execute(insert(stream_marks), rows)
    settings = stores.settings(redis_url)
    settings = replace(
        settings, stream=replace(settings.stream, partitions=4), feed=replace(settings.feed, enabled=True)
    )
    store = Store.open(settings, Metrics())
    try:
        rebuilding = Rebuilding(store.gateway, store.layout, settings)
        rebuilt = await Rebuild(store, store.feed, rebuilding, file).run(lambda _: None)

        assert rebuilt.restored == len(PETS)
        assert store.layout.placing == Placing(4, 3, 8, 2, 1)
        assert await redis.get("ns:partitions") == b"4 3 8 2 1 0"
        for pet in PETS:
            assert await redis.hget(store.layout.of(pet).pet(pet).album, "token")
        layouts = [await redis.get(keys.layout) for keys in store.layout.several]
        assert layouts == [b"4", b"3", b"4", b"3"]
        assert (await redis.xinfo_stream(store.layout.several[3].stream))["last-generated-id"] == b"7000-3"
    finally:
        await store.close()


async def test_albums_go_on_by_the_profiles_that_they_rest_on(side: Side, file: Database, redis_url: str):
    raw = encode_profile(Profile("v1", 1, 300, settled=False, drift=None, kinds={}))
    assert await side.profiles.publish("v1", None, State(1), raw)
    await side.registry.fetch("v1", 1)
    side.registry.update(await side.profiles.poll())
    payload = image("a") | {"model_version": "v1"}
    await side.add(PETS[0], payload=payload)
    await side.run()
    await follow(side, file)
    await wipe(side)

    await rebuild(side, file)

    async with opened_side(redis_url, Params(), feeds=True) as other:
        await other.add(PETS[0], payload=image("b") | {"model_version": "v1"})
        await other.run()
        assert (await other.view(PETS[0]))["metrics"]["num_images"] == 2
        assert await other.letters() == []
        assert [space.profile for space in other.cache.peek(PETS[0])[1].spaces.values()] == [1]
        assert (await other.profiles.poll()).states["v1"] == State(1)
