"""Nothing of an erased pet is left in the change feed."""

import json

from redis.asyncio import Redis

from sploot_clusterd.keys import Keys
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.store import Feed, Store
from tests.support.feeds import PET, Writer, check_index
from tests.support.stores import settings


async def everything(redis: Redis) -> bytes:
    """All keys and all that they hold."""
    held = []
    async for key in redis.scan_iter():
        match await redis.type(key):
            case b"string":
                value = await redis.get(key)
            case b"hash":
                value = await redis.hgetall(key)
            case b"zset":
                value = await redis.zrange(key, 0, -1)
            case b"list":
                value = await redis.lrange(key, 0, -1)
            case kind:
                assert kind == b"stream"
                value = await redis.xrange(key)
        held.append(key + repr(value).encode())
    return b"\n".join(held)


def naming(*images: str) -> bytes:
    return json.dumps({"clusters": [{"images_in": images}]}).encode()


async def test_an_erasure_takes_all_of_the_pet_out(feed: Feed, write: Writer, store: Store, redis: Redis, keys: Keys):
    for number in range(600):  # more than a page
        await write(change=naming(f"secret-{number}"))
        if number % 100 == 0:
            await write("other", naming(f"public-{number}"))
    assert b"secret-599" in await everything(redis)
    await store.views.erase(PET)

    left = await everything(redis)
    assert b"secret" not in left
    assert b"public-500" in left
    events = (await feed.read(0, "", 1000)).events
    assert [(each.pet_id, each.kind) for each in events] == [("other", "changed")] * 6 + [(PET, "erased")]
    await check_index(redis, keys)
    assert (await feed.read(0, events[-2].id, 1)).is_whole


async def test_an_erasure_that_broke_off_is_finished_by_the_next(
    write: Writer, store: Store, redis: Redis, feed: Feed, keys: Keys
):
    for number in range(5):
        await write(change=naming(f"secret-{number}"))
    (first, *_), _ = (await feed.read(0, "", 10))[:2]
    await redis.xdel(keys.feed, first.id)  # as far as it came
    await store.views.erase(PET)
    await store.views.erase(PET)
    assert b"secret" not in await everything(redis)
    assert [each.kind for each in (await feed.read(0, "", 10)).events] == ["erased", "erased"]


async def test_new_life_is_left_alone_by_the_erasure_before_it(
    write: Writer, store: Store, redis: Redis, feed: Feed, keys: Keys
):
    """Events that came between the script and the deletion of what it found."""
    await write(change=naming("old"))
    last = (await feed.read(0, "", 1)).events[0].id
    await store.views.erase(PET)
    await write.forget(PET)
    await write(change=naming("new"))
    await store.views.erase("nobody")
    assert b"new" in await everything(redis)
    assert last not in [each.id for each in (await feed.read(0, "", 10)).events]


async def test_while_it_is_off_an_erasure_takes_out_what_is_left_and_tells_nothing(
    write: Writer, redis: Redis, redis_url: str, metrics: Metrics, keys: Keys
):
    await write(change=naming("secret"))
    off = Store.open(settings(redis_url), metrics)
    assert off.feed is None
    await off.views.erase(PET)
    await off.close()
    assert b"secret" not in await everything(redis)
    assert await redis.xlen(keys.feed) == 0
    await check_index(redis, keys)
