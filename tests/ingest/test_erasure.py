"""After DELETE nothing of the pet is anywhere in Redis, whatever was under way: every key and value is read."""

from collections.abc import AsyncIterator

import msgspec
import pytest
from redis.asyncio import Redis

from sploot_clusterd.entry_ids import LetterId
from tests.support.side import Side

PET, OTHER = "erased-pet", "other-pet"
JOB = {"pet_id": PET, "payload": {"images": [{"image_id": "erased-img", "embedding": [1.0, 2.0]}]}}
NAMES = (b"erased-pet", b"erased-img")


async def everything(redis: Redis) -> AsyncIterator[bytes]:
    for key in await redis.keys():
        yield key
        match await redis.type(key):
            case b"string":
                yield await redis.get(key)
            case b"hash":
                for pair in (await redis.hgetall(key)).items():
                    yield b"=".join(pair)
            case b"set":
                yield b" ".join(await redis.smembers(key))
            case b"zset":
                yield b" ".join(await redis.zrange(key, 0, -1))
            case b"list":
                yield b" ".join(await redis.lrange(key, 0, -1))
            case b"stream":
                for _, fields in await redis.xrange(key):
                    yield b" ".join(part for pair in fields.items() for part in pair)
            case kind:
                raise AssertionError(kind)


async def left(side: Side) -> list[bytes]:
    await side.stream.sweep_erase_marks()
    return [value async for value in everything(side.redis) if any(name in value for name in NAMES)]


def envelope(pet: str, body: dict, **more: object) -> bytes:
    return msgspec.json.encode({"pet_id": pet, "payload": body, **more})


LIMIT = {"images": [{"image_id": f"erased-img-{n}"} for n in range(300)]}
ENTRIES = {
    "a job": {"payload": msgspec.json.encode(JOB)},
    "the body's": {"payload": envelope(OTHER, JOB)},
    "the envelope's": {"payload": envelope(PET, {**JOB, "pet_id": OTHER})},
    "the body's, and a limit broken": {"payload": envelope(OTHER, {**JOB, "payload": LIMIT})},
    "the body's, of a wrong type": {"payload": envelope(OTHER, {**JOB, "force": "x"})},
    "a limit broken": {"payload": msgspec.json.encode({**JOB, "payload": LIMIT})},
    "no JSON": {"payload": msgspec.json.encode(JOB)[:-3]},
    "no JSON, the body's": {"payload": envelope(OTHER, JOB)[:-3]},
    "flat": {"pet_id": PET, "images": '[{"image_id": "erased-img"}]', "force": "x"},
    "flat, no UTF-8": {"pet_id": PET, "images": '[{"image_id": "erased-img"}]', "labels": b"\xff"},
    "flat as JSON": {"payload": msgspec.json.encode({"fields": {"pet_id": PET, "force": "erased-img"}})},
    "flat as JSON, beside another": {
        "payload": msgspec.json.encode({"pet_id": PET, "fields": {"pet_id": OTHER, "force": "erased-img"}})
    },
}


@pytest.mark.parametrize("how", ENTRIES)
@pytest.mark.parametrize("when", ["waiting", "in hand", "set aside", "put back"])
async def test_nothing_of_it_is_left(side: Side, how: str, when: str):
    await side.redis.xadd("jobs", ENTRIES[how])
    entries = await side.read() if when == "in hand" else []
    if when in ("set aside", "put back"):
        await side.run()
    if when == "put back":
        for letter, _ in await side.redis.xrange(side.keys.dead_letters):
            await side.store.letters.replay(LetterId.parse(letter.decode()))
    await side.store.views.erase(PET)
    await side.process(entries)
    await side.run()
    assert await left(side) == []
    assert await side.pending() == 0


async def test_samples_and_letters_of_others_stay(side: Side):
    await side.redis.xadd("jobs", {"payload": envelope(OTHER, {**JOB, "pet_id": "third"})})
    await side.redis.xadd("jobs", {"payload": msgspec.json.encode({**JOB, "pet_id": OTHER})})
    await side.redis.xadd("jobs", {"payload": msgspec.json.encode(JOB)})
    await side.run()
    assert await side.redis.zcard(side.keys.sample("").slots) == 2
    await side.store.views.erase(PET)
    assert await side.redis.zcard(side.keys.sample("").slots) == 1
    assert len(await side.letters()) == 1
    assert (await side.view(OTHER))["pet_id"] == OTHER


async def test_however_many_model_versions_there_are(side: Side):
    states = {f"made-up-{n}": "1 settled" if n % 2 else "0" for n in range(9000)}
    await side.redis.hset(side.keys.profiles, mapping=states)
    await side.redis.hset(side.keys.sample("made-up-8998").images, f"{PET}#3", "x")
    await side.add(PET, payload=JOB["payload"])
    await side.run()
    assert await side.store.views.erase(PET)
    assert await left(side) == []
