"""Another number of partitions, and those who have not heard of it, or are too slow."""

import asyncio

import pytest
from redis.asyncio import Redis

from sploot_clusterd.errors import ClusterdError, PartitionMovedError, StartError
from sploot_clusterd.keys import Layout
from sploot_clusterd.partitioning import Placing
from sploot_clusterd.store import Commit, Store, Wanted
from tests.support.deaths import DiedError
from tests.support.moves import PETS, Opens, begun, move
from tests.support.waiting import eventually


async def in_motion(opens: Opens, redis: Redis, monkeypatch: pytest.MonkeyPatch) -> tuple[Store, str]:
    """A store that has not heard of it, and a pet that was taken from its place, while its group is in motion."""
    store, _ = await begun(opens, redis, 2)

    async def ends_here(*_: object) -> None:
        raise DiedError

    with monkeypatch.context() as patch:
        patch.setattr("sploot_clusterd.store.transfer.Transfer.letters", ends_here)
        with pytest.raises(DiedError):
            await move(opens(2), 4)
    target = Layout("ns", "jobs", "jobs:dead", 4)
    return store, next(pet for pet in PETS if target.number(pet) == 2)


async def test_who_has_not_heard_of_it_changes_nothing_and_readers_find_the_view(
    opens: Opens, redis: Redis, monkeypatch: pytest.MonkeyPatch
):
    stale, pet = await in_motion(opens, redis, monkeypatch)
    keys, other = stale.layout.of(pet), next(each for each in PETS if stale.layout.number(each) == 1)
    length, albums = await redis.xlen(keys.stream), stale.of(pet).albums
    for refused in (
        stale.views.submit(pet, b"{}"),
        stale.views.invalidate(pet),
        stale.views.erase(pet),
        stale.wants.want_lists([pet]),
        albums.load([Wanted(pet, b"", ())]),
        stale.of(pet).stream.begin_alone("me", b"1-1", harmless=False),
    ):
        with pytest.raises(PartitionMovedError, match="the number of partitions changes"):
            await refused
    commit = Commit(pet, [b"1-1"], b"", None, 1, {b"head": b"h"})
    (outcome,) = await albums.commit("me", [commit])
    assert isinstance(outcome, PartitionMovedError)
    assert (await redis.xlen(keys.stream), await redis.exists(*keys.pet(pet))) == (length, 0)
    outcomes = await stale.views.submit_all([(pet, b"{}"), (other, b"{}"), (pet, b"{}")])
    assert [type(each) for each in outcomes] == [PartitionMovedError, type(None), PartitionMovedError]
    *refused, taken = await stale.views.submit_all([*[(pet, b"{}")] * 64, (other, b"{}")])
    assert {type(each) for each in refused} == {PartitionMovedError}
    assert taken is None, "its server is not away"
    assert await stale.views.view(pet) == b'{"pet_id":"%s","clusters":[]}' % pet.encode()
    assert await stale.views.has_album(pet)
    assert await stale.views.view("nobody") is None
    assert stale.layout.placing == Placing(2, 1, 0, 4, 0, True)

    await move(opens(2), 4)
    assert await stale.views.view(pet) is not None
    late = opens(2)
    assert await late.views.view(pet) is not None
    assert late.layout.placing == Placing(4, 2, 2)
    unaware = opens(2)
    await unaware.views.submit(pet, b"{}")
    assert unaware.layout.number(pet) == 2, "it has asked, and has submitted there"
    assert await stale.views.erase(pet)
    assert await stale.views.view(pet) is None


async def test_only_the_numbers_before_and_after_are_a_start(opens: Opens, redis: Redis):
    await begun(opens, redis, 2)
    await move(opens(2), 4)
    for count in (2, 4):
        store = opens(count)
        await store.look()
        assert len(store.partitions) == 4
    for count in (1, 3, 8):
        with pytest.raises(StartError, match=f"partitions is {count} here, and what is stored has 4 "):
            await opens(count).look()
    await redis.set("ns:partitions", "4 2 x")
    with pytest.raises(StartError, match="no record of partitions"):
        await opens(4).look()


async def test_two_moves_at_once_are_one(opens: Opens, redis: Redis, monkeypatch: pytest.MonkeyPatch):
    store, _ = await begun(opens, redis, 2)
    mover = store.layout.several[0].mover
    monkeypatch.setattr("sploot_clusterd.store.move._RENEW_EVERY", 0.02)
    monkeypatch.setattr("sploot_clusterd.store.move._LEASE_MS", 60_000)
    one, other = (opens(2).move(Placing(2, target=4)) for _ in range(2))
    await one.take()
    await redis.pexpire(mover, 30_000)
    keeping = asyncio.create_task(one.keep())

    async def is_kept() -> bool:
        return await redis.pttl(mover) > 30_000

    await eventually(is_kept, what="the lease to be renewed")
    keeping.cancel()
    await asyncio.wait({keeping})
    with monkeypatch.context() as patched:
        patched.setattr("sploot_clusterd.store.move._LEASE_MS", 100)  # it waits for as long
        with pytest.raises(ClusterdError, match=r"being moved at .* already"):
            await other.take()
    await redis.delete(mover)  # as time does, where a process is stopped for long
    await other.take()
    with pytest.raises(ClusterdError, match=r"being moved at .* now: this one was too slow"):
        await one.keep()
    await other.let_go()
    assert not await redis.exists(mover)


async def test_who_was_too_slow_writes_nothing_down_any_more(opens: Opens, redis: Redis):
    await begun(opens, redis, 2)
    slow = opens(2).move(Placing(2, target=4))
    await slow.begin()
    await move(opens(2), 4)
    with pytest.raises(ClusterdError, match="another clusterd partitions move was at work"):
        async for _ in slow.groups(lambda *_: None):
            pass
    assert await redis.get("ns:partitions") == b"4 2 2 0 0 0"
