"""What a rebuilt Redis has to begin with is kept, and outlives the one that it came from."""

import asyncio

from redis.asyncio import Redis

from sploot_clusterd.history.database import Database
from sploot_clusterd.history.marks import MarkKeeper
from sploot_clusterd.history.schema import profile_generations, stream_marks
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.store import Store
from tests.history.written import rows
from tests.support.stores import settings


def marks(database: Database) -> dict[tuple[str, str], str]:
    return {(row.kind, row.name): row.value for row in rows(database, stream_marks, partition=0)}


async def test_they_are_kept_and_never_lowered(redis: Redis, redis_url: str, database: Database):
    store = Store.open(settings(redis_url), Metrics())
    keys = store.partitions[0].keys
    await redis.xadd(keys.stream, {"payload": "1"}, "7000-3")
    await redis.hset(keys.erased, mapping={"a": "6000-1", "b": "6500-0"})
    await redis.hset(keys.profiles, mapping={"m": "2", "n": "0"})
    await redis.hset(keys.profile("m"), mapping={"1": b"one\x00", "2": b"two", "1:sha1": "x", "2:sha1": "y"})

    async def ask(work, *arguments):
        return await asyncio.to_thread(work, database, *arguments)

    async def look() -> None:
        await MarkKeeper(0, store.marks(0), ask).keep()

    await look()
    assert marks(database) == {
        ("last_id", ""): "7000-3",
        ("erased", "a"): "6000-1",
        ("erased", "b"): "6500-0",
        ("profile", "m"): "2",
        ("profile", "n"): "0",
    }
    kept = {(row.model_version, row.generation): row.body for row in rows(database, profile_generations)}
    assert kept == {("m", 1): b"one\x00", ("m", 2): b"two"}

    await redis.hdel(keys.erased, "a")
    await redis.hset(keys.profiles, "m", "3 settled")
    await redis.hset(keys.profile("m"), "3", b"three")
    await look()
    assert ("erased", "a") not in marks(database)
    assert marks(database)["profile", "m"] == "3 settled"

    await redis.flushall()
    await redis.xadd(keys.stream, {"payload": "1"}, "5-0")
    await redis.hset(keys.profiles, "m", "1")
    await redis.hset(keys.profile("m"), "1", b"another")
    await look()
    await store.close()
    assert (marks(database)["last_id", ""], marks(database)["profile", "m"]) == ("7000-3", "3 settled")
    kept = {(row.model_version, row.generation): row.body for row in rows(database, profile_generations)}
    assert kept == {("m", 1): b"one\x00", ("m", 2): b"two", ("m", 3): b"three"}
