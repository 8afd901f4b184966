"""Several partitions over the real server: each has its own of everything, and together they are as one."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial

import msgspec
import pytest
from redis.asyncio import Redis

from sploot_clusterd.dead_letters import Replayed
from sploot_clusterd.entry_ids import EntryId, LetterId
from sploot_clusterd.errors import BacklogFullError, StartError
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.store import Letter, Store
from sploot_clusterd.store.recorded import Recorded
from sploot_clusterd.store.scripts import LOAD
from tests.support.stores import settings
from tests.support.waiting import eventually

COUNT = 4
PETS = [f"pet-{n}" for n in range(16)]

Opens = Callable[[int], Store]


@pytest.fixture
async def opens(redis: Redis, redis_url: str) -> AsyncIterator[Opens]:
    """Opens a store of so many partitions, each with room for five jobs."""
    async with AsyncExitStack() as stack:

        def store_of(count: int) -> Store:
            given = settings(redis_url)
            stream = replace(given.stream, partitions=count, maxlen=5 * count)
            store = Store.open(replace(given, stream=stream), Metrics())
            stack.push_async_callback(store.close)
            return store

        yield store_of


@pytest.fixture
async def store(opens: Opens) -> Store:
    store = opens(COUNT)
    await store.check_partitions()
    for partition in store.partitions:
        await partition.stream.ensure_group()
    return store


def pets_of(store: Store, number: int) -> list[str]:
    return [pet for pet in PETS if store.layout.number(pet) == number]


async def streams(redis: Redis, store: Store) -> list[list[bytes]]:
    entries = [await redis.xrange(keys.stream) for keys in store.layout.partitions]
    return [[fields[b"payload"] for _, fields in each] for each in entries]


async def test_jobs_go_to_their_pets_partitions_in_their_order(store: Store, redis: Redis):
    jobs = [(pet, f"{pet} {n}".encode()) for n in range(1) for pet in PETS]
    assert await store.views.submit_all(jobs) == [None] * len(jobs)
    wanted = [[payload for pet, payload in jobs if store.layout.number(pet) == n] for n in range(COUNT)]
    assert await streams(redis, store) == wanted
    assert all(wanted)
    assert await redis.exists("jobs") == 0


async def test_a_partition_that_is_full_refuses_and_the_others_do_not(store: Store, redis: Redis):
    full, other = pets_of(store, 1)[0], pets_of(store, 2)[0]
    await store.views.submit_all([(full, b"%d" % n) for n in range(4)])
    outcomes = await store.views.submit_all([(full, b"4"), (full, b"5"), (other, b"a"), (full, b"6"), (other, b"b")])
    assert [type(outcome) for outcome in outcomes] == [
        *(type(None), BacklogFullError, type(None)),
        *(BacklogFullError, type(None)),
    ]
    assert str(outcomes[1]) == "the backlog of partition 1 is full: 5 jobs are waiting"
    assert (await streams(redis, store))[1:3] == [[b"0", b"1", b"2", b"3", b"4"], [b"a", b"b"]]
    with pytest.raises(BacklogFullError):
        await store.views.submit(full, b"7")
    await store.views.submit(other, b"c")


async def test_views_of_all_partitions_are_read_together(store: Store, redis: Redis):
    for pet in PETS:
        await redis.set(store.layout.of(pet).view(pet), msgspec.json.encode({"pet_id": pet, "clusters": []}))
    for pet in PETS:
        view = await store.views.view(pet)
        assert view is not None
        assert msgspec.json.decode(view)["pet_id"] == pet
    assert await store.views.invalidate(PETS[0])
    assert await store.views.view(PETS[0]) is None


async def test_who_reads_pets_of_all_partitions_on_one_server_asks_once(store: Store, redis: Redis):
    for pet in PETS:
        await redis.set(store.layout.of(pet).view(pet), b'{"pet_id":"%s","clusters":[]}' % pet.encode())
    await redis.config_resetstat()
    views = await asyncio.gather(*map(store.views.view, PETS))
    assert None not in views
    assert (await redis.info("commandstats"))["cmdstat_mget"]["calls"] == 1


async def test_another_number_of_partitions_is_no_start(opens: Opens, redis: Redis):
    await opens(COUNT).look()
    assert await redis.get("ns:partitions") == b"4"
    for count in (1, 8):
        with pytest.raises(StartError, match=rf"partitions is {count} here, and what is stored has 4 .*CLUSTER_PART"):
            await opens(count).look()
        with pytest.raises(StartError):
            await opens(count).check_partitions()
    await opens(COUNT).look()


async def test_what_has_worked_without_partitions_keeps_none(opens: Opens, redis: Redis):
    one = opens(1)
    await one.look()
    assert not await redis.exists("ns:partitions")
    await one.partitions[0].stream.ensure_group()
    await one.leave()
    with pytest.raises(StartError, match="is 4 here, and what is stored has 1 "):
        await opens(COUNT).look()
    await redis.delete("jobs")
    await opens(COUNT).look()


async def test_two_that_start_at_once_with_two_numbers_do_not_both(opens: Opens):
    await opens(1).look()
    with pytest.raises(StartError, match=r"partitions is 4 here and 1 at .* over one stream"):
        await opens(COUNT).look()


async def test_two_that_start_at_once_with_one_number_both_do(opens: Opens, monkeypatch: pytest.MonkeyPatch):
    """Nothing was written down when the one looked; the other one writes it, and begins to read, before it looks on."""
    one, other = opens(COUNT), opens(COUNT)
    is_begun_as_one = Recorded._is_begun_as_one

    async def after_the_other(recorded: Recorded) -> bool:
        monkeypatch.undo()
        await other.look()
        assert other.plain
        await other.plain.open()
        return await is_begun_as_one(recorded)

    monkeypatch.setattr(Recorded, "_is_begun_as_one", after_the_other)
    try:
        await one.look()
    finally:
        assert other.plain
        await other.plain.close()
    assert one.layout.placing == other.layout.placing


async def test_keys_of_two_partitions_in_one_call_are_refused(store: Store):
    stranger = store.layout.several[1].profiles
    with pytest.raises(ValueError, match=r"load\.lua: not all keys begin with"):
        await store.gateway.run(LOAD, more_keys=[stranger], pet_id="pet", token=b"", wanted=[])


async def set_aside(store: Store, redis: Redis) -> list[LetterId]:
    """A dead letter of each pet; their ids."""
    ids = []
    for n, pet in enumerate(PETS):
        partition = store.of(pet)
        await redis.xadd(partition.keys.stream, {"payload": pet})
        ((_, ((entry, _),)),) = await redis.xreadgroup("workers", "me", {partition.keys.stream: ">"})
        letter = Letter(entry, pet.encode(), "invalid", "why", 1, f"{n + 1}-1", pet, "job", "now")
        assert await partition.stream.dead_letter("me", letter)
        last = (await redis.xrevrange(partition.keys.dead_letters, count=1))[0][0]
        ids.append(LetterId(EntryId.parse(last.decode()), partition.number))
        await eventually(partial(is_later, redis, ids[-1].entry), what="the next millisecond: ids are apart")
    return ids


async def is_later(redis: Redis, than: EntryId) -> bool:
    seconds, micros = await redis.time()
    return seconds * 1000 + micros // 1000 > than.ms


async def test_dead_letters_are_one_list_and_each_is_in_it_once_while_some_are_replayed(store: Store, redis: Redis):
    ids = await set_aside(store, redis)
    listed = []
    async for page in store.letters.pages():
        for letter in page:
            listed.append(letter)
            await store.letters.replay(letter.letter_id)
    assert sorted(letter.fields["pet_id"] for letter in listed) == sorted(PETS)
    assert [letter.id for letter in listed] == sorted(letter.id for letter in listed), "the oldest first"
    assert [str(letter.letter_id) for letter in listed] == [str(each) for each in sorted(ids)]
    back = [payload for each in await streams(redis, store) for payload in each]
    assert sorted(back) == sorted(pet.encode() for pet in PETS)


async def test_a_letter_is_found_with_and_without_its_partition(store: Store, redis: Redis):
    first, second, third, *_ = await set_aside(store, redis)
    assert LetterId.parse(str(first)) == first
    bare = LetterId(first.entry)
    whole = await store.letters.whole(bare)
    assert whole is not None
    assert whole[b"pet_id"] == PETS[0].encode()
    assert await store.letters.replay(bare) is Replayed.DONE
    assert await store.letters.replay(first) is Replayed.GONE
    assert await store.letters.drop([second, LetterId(third.entry), first]) == 2
    assert await store.letters.whole(LetterId(first.entry, 77)) is None


async def test_erasing_a_pet_takes_letters_of_other_partitions_that_name_it(store: Store, redis: Redis):
    pet, other = pets_of(store, 0)[0], pets_of(store, 3)[0]
    keys = store.of(other).keys
    await redis.xadd(keys.dead_letters, {"payload": "x", "pet_id": other, "other_pet_id": pet})
    await redis.hset(store.of(pet).keys.pet(pet).album, "token", "t.1")
    assert await store.views.erase(pet)
    assert await redis.xlen(keys.dead_letters) == 0
    assert not await store.views.has_album(pet)


async def test_what_pets_want_is_taken_over_all_partitions(store: Store, redis: Redis):
    assert await store.wants.want_lists(PETS) == len(PETS)
    queue = await store.wants.due(100)
    assert (queue.pets, sorted(queue.due)) == (len(PETS), sorted(PETS))
    assert len((await store.wants.due(3)).due) == 3
    taken = await store.wants.take(dict.fromkeys(PETS, 5), 10_000)
    assert [each.pet_id for each in taken] == PETS
    for each in taken:
        await store.wants.settle(each.put_back(), 10_000)
    for pet in PETS:
        await redis.hset(store.layout.of(pet).pet(pet).album, "token", "t.1")
    assert await store.backfills.known_pets() == set(PETS)


async def test_figures_are_those_of_each(store: Store):
    await store.views.submit(pets_of(store, 2)[0], b"{}")
    assert [stats.unsettled for stats in await store.stats()] == [0, 0, 1, 0]
    assert await store.views.ping() > 0
    assert await store.inspect() == []
