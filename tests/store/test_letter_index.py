"""Which letters a pet has, and how large all are: kept up to date by whatever adds, drops or puts back a letter."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import pytest
from redis.asyncio import Redis

from sploot_clusterd.entry_ids import LetterId
from sploot_clusterd.keys import Keys
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.store import Letter, Store, Stream, ViewStore
from tests.support.producer import Producer
from tests.support.stores import settings

MOST_BYTES = 2**20


@pytest.fixture
async def store(redis: Redis, redis_url: str, metrics: Metrics) -> AsyncIterator[Store]:
    given = settings(redis_url)
    store = Store.open(replace(given, stream=replace(given.stream, dead_letter_bytes=MOST_BYTES, maxlen=40)), metrics)
    yield store
    await store.close()


class Clerk:
    """Sets jobs aside, and knows what has to be in the index."""

    def __init__(self, store: Store, redis: Redis, producer: Producer) -> None:
        self.store, self.redis, self.keys = store, redis, store.gateway.keys
        self._producer = producer

    async def set_aside(self, pet: str, other: str = "", *, size: int = 10) -> None:
        entry = await self._producer.add()
        await self._producer.read("me")
        letter = Letter(entry, b"x" * size, "invalid", "why", 1, entry.decode(), pet, "job", "now", other)
        assert await self.store.partitions[0].stream.dead_letter("me", letter)

    async def letters(self) -> dict[bytes, dict[bytes, bytes]]:
        return dict(await self.redis.xrange(self.keys.dead_letters))

    async def pets(self) -> list[str]:
        return [fields[b"pet_id"].decode() for fields in (await self.letters()).values()]

    async def check(self) -> None:
        """The index says what is in the stream."""
        letters = await self.letters()
        sizes = await self.redis.hgetall(self.keys.letter_sizes)
        total, last = int(sizes.pop(b"bytes", 0)), sizes.pop(b"last", None)
        assert last == (await self.redis.xinfo_stream(self.keys.dead_letters))["last-generated-id"]
        expected = {key: 256 + sum(map(len, fields.values())) for key, fields in letters.items()}
        assert ({key: int(size) for key, size in sizes.items()}, total) == (expected, sum(expected.values()))
        named = {
            fields[field] + b"\0" + key
            for key, fields in letters.items()
            for field in (b"pet_id", b"other_pet_id")
            if fields.get(field)
        }
        assert {*await self.redis.zrange(self.keys.letter_pets, 0, -1)} == named


@pytest.fixture
async def clerk(store: Store, stream: Stream, redis: Redis, producer: Producer) -> Clerk:
    return Clerk(store, redis, producer)


async def test_it_follows_all_that_happens_to_letters(clerk: Clerk):
    for pet, other in (("a", ""), ("b", "a"), ("c", ""), ("a", "c"), ("", ""), ("ab", ""), ("d", "")):
        await clerk.set_aside(pet, other)
        await clerk.check()
    first, *_, last = await clerk.letters()
    await clerk.store.letters.replay(LetterId.parse(last.decode()))
    await clerk.check()
    assert await clerk.store.letters.drop([LetterId.parse(first.decode()), LetterId.parse("1-1")]) == 1
    await clerk.check()
    assert await clerk.store.views.erase("a")
    await clerk.check()
    assert await clerk.pets() == ["c", "", "ab"]
    assert not await clerk.store.views.erase("b")


async def test_letters_are_capped_by_bytes_and_the_oldest_go(clerk: Clerk, metrics: Metrics):
    for number in range(20):
        await clerk.set_aside(f"pet-{number}", size=100_000)
        await clerk.check()
    assert await clerk.pets() == [f"pet-{number}" for number in range(10, 20)]
    assert metrics.registry.get_sample_value("media_cluster_dead_letters_dropped_total") == 10
    await clerk.set_aside("large", size=2 * MOST_BYTES)
    await clerk.check()
    assert await clerk.pets() == ["large"], "one is kept, whatever its size"


async def test_letters_are_capped_by_number(clerk: Clerk):
    for number in range(45):
        await clerk.set_aside(f"pet-{number}")
    await clerk.check()
    assert await clerk.pets() == [f"pet-{number}" for number in range(5, 45)]


async def former(redis: Redis, keys: Keys, pets: Sequence[str]) -> None:
    for pet in pets:
        await redis.xadd(keys.dead_letters, {"payload": "x", "pet_id": pet, "first_id": "1-1"})


async def test_letters_of_a_former_version_are_found_and_indexed(clerk: Clerk):
    await former(clerk.redis, clerk.keys, ["a", "b", "a", "c"])
    await clerk.set_aside("a")
    await former(clerk.redis, clerk.keys, ["a", "d"])
    assert await clerk.store.views.erase("a")
    assert await clerk.pets() == ["b", "c", "d"]
    await clerk.check()


async def test_letters_that_a_former_version_adds_and_trims_meanwhile_are_found(clerk: Clerk):
    for pet in "bcb":
        await clerk.set_aside(pet)
    await former(clerk.redis, clerk.keys, ["a"])
    await clerk.redis.xtrim(clerk.keys.dead_letters, maxlen=3, approximate=False)
    await clerk.set_aside("d")
    assert await clerk.store.views.erase("a")
    assert await clerk.pets() == ["c", "b", "d"]
    await clerk.set_aside("e")
    assert await clerk.store.views.erase("e")


async def test_letters_deleted_by_another_hand_do_no_harm(clerk: Clerk):
    for pet in "abab":
        await clerk.set_aside(pet)
    await clerk.redis.xtrim(clerk.keys.dead_letters, maxlen=3, approximate=False)
    await clerk.redis.hset(clerk.keys.letter_sizes, "bytes", "garbage")
    await clerk.set_aside("c")
    assert await clerk.store.views.erase("a")
    assert await clerk.pets() == ["b", "b", "c"]
    await clerk.check()


async def test_an_erasure_reads_what_the_pet_has(clerk: Clerk, views: ViewStore):
    for number in range(30):
        await clerk.set_aside(f"pet-{number}", size=30_000)
    await clerk.redis.config_resetstat()
    assert await views.erase("pet-7")
    calls = await clerk.redis.info("commandstats")
    assert calls["cmdstat_xrange"]["calls"] == 1
    await clerk.check()
