"""Anything at all under a key of ours: the loops stay up, it is told which key and what to do, and all goes on then."""

import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from redis.asyncio import Redis

from sploot_clusterd.config import Settings
from sploot_clusterd.keys import Keys
from tests.faults.fleet import Fleet
from tests.support.api import Api
from tests.support.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")
_defaults = Settings()
KEYS = Keys(_defaults.clusters.namespace, _defaults.stream.key, _defaults.stream.dead_letter)
SAMPLE = KEYS.sample("v1")
PET = KEYS.pet("odd")
LOOKED_AT = [
    *(KEYS.stream_agreement, KEYS.namespace_agreement, KEYS.partitions),
    *(KEYS.backfills, KEYS.wants, KEYS.tellings),
    *(KEYS.feed, KEYS.feed_index),
]
"""What nothing that a caller does comes across: the daemon looks at them every few seconds, at all of them at once."""
FOREIGN = {
    b"\xff\xfe": b"\xff",
    b"not ours": b"",
    b"9" * 30 + b"-0": b"1 2 3 4",
    b"5-5": b"garbage",
    b"odd": b"garbage",
}

PLANT: dict[str, Callable[[Redis, str], Awaitable[object]]] = {
    "string": lambda redis, key: redis.set(key, b"\xff"),
    "list": lambda redis, key: redis.rpush(key, b"\xff"),
    "hash": lambda redis, key: redis.hset(key, mapping=FOREIGN),
    "set": lambda redis, key: redis.sadd(key, b"\xff"),
    "zset": lambda redis, key: redis.zadd(key, {b"\xff": 1}),
    "stream": lambda redis, key: redis.xadd(key, {b"\xff": b"\xff", b"first_id": b"\xff"}),
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running() -> AsyncIterator[Fleet]:
    """One for all tests: each mends what it broke, and sees that all goes on."""
    with tempfile.TemporaryDirectory(prefix="daemon-") as path:
        async with Fleet(Path(path), daemons=0) as fleet:
            await fleet.add_daemon({}, module="tests.daemon.hasty").start()
            await fleet.ready()
            yield fleet


@pytest_asyncio.fixture(loop_scope="module")
async def daemon(running: Fleet) -> AsyncIterator[Fleet]:
    (daemon,) = running.daemons
    yield running
    assert daemon.alive()
    assert "root task ended" not in daemon.output()
    await running.settled()
    for pet in ("odd", "other", "another"):
        await Api(running, daemon).ask("DELETE", f"/internal/pets/{pet}")
    await running.redis.delete(KEYS.dead_letters, KEYS.profiles, SAMPLE.images, SAMPLE.slots)

    async def nothing_is_told() -> bool:
        return not await told(running)

    await eventually(nothing_is_told, what="nothing to be told any more")


def photos(pet: str) -> dict:
    images = [{"image_id": f"img-{n}", "embedding": [1.0, n]} for n in range(3)]
    return {"pet_id": pet, "payload": {"images": images, "model_version": "v1"}}


async def poke(fleet: Fleet) -> None:
    """Whatever makes the daemon touch its keys; what it answers is not asked."""
    api = Api(fleet, fleet.daemons[0])
    for pet in ("odd", "other"):
        await api.ask("POST", "/internal/cluster-jobs", json=photos(pet))
        await api.ask("GET", f"/internal/pets/{pet}/clusters")
    for _ in range(2):
        if await fleet.redis.type(KEYS.stream) in (b"stream", b"none"):
            await fleet.redis.xadd(KEYS.stream, {"payload": "no JSON"})
    await api.ask("DELETE", "/internal/pets/gone")
    await api.ask("POST", "/internal/pets/odd/invalidate")


async def works(fleet: Fleet, pet: str) -> None:
    """All is well again: ready, and a pet's job gets its view."""
    await fleet.ready()
    api = Api(fleet, fleet.daemons[0])
    await fleet.settled()
    await api.ask("DELETE", f"/internal/pets/{pet}")
    await api.submit(photos(pet))
    await api.seen(pet)


async def told(fleet: Fleet) -> str:
    async with fleet.http.get(fleet.daemons[0].ops_url + "/readyz") as answer:
        body = await answer.json()
    letters = (
        await fleet.redis.xrange(KEYS.dead_letters) if await fleet.redis.type(KEYS.dead_letters) == b"stream" else ()
    )
    errors = [fields.get(b"error", b"").decode() for _, fields in letters if fields.get(b"reason") == b"bad_state"]
    return "\n".join([*body["reasons"], *body["warnings"], *errors])


def name(key: str) -> str:
    return key.removeprefix(f"{_defaults.clusters.namespace}:")


@pytest.mark.parametrize(
    "keys",
    [
        *[[key] for key in KEYS.shared if key not in LOOKED_AT],
        LOOKED_AT,
        *[[key] for key in (PET.album, PET.images, PET.view, KEYS.profile("v1"), SAMPLE.images, SAMPLE.slots)],
    ],
    ids=lambda keys: " ".join(map(name, keys)),
)
async def test_another_type_is_told_by_its_key_and_mended_by_taking_it_away(daemon: Fleet, keys: list[str]):
    redis = daemon.redis
    for kind, plant in PLANT.items():
        planted = [key for key in keys if KEYS.type_of(key) != kind]
        if not planted:
            continue
        for key in planted:
            await plant(redis, "planted")
            await redis.rename("planted", key)  # in one step, or the daemon is quicker
        if KEYS.profile("v1") in planted:
            await redis.hset(KEYS.profiles, "v1", "1")
        if KEYS.learning in planted:
            await offer_a_sample(redis)

        await poke(daemon)

        async def they_are_told(kind: str = kind, planted: list[str] = planted) -> bool:
            text = await told(daemon)
            return all((key if key == KEYS.learning else f"holds a {kind} under {key}") in text for key in planted)

        await eventually(they_are_told, what=f"{kind} under {planted} to be told", timeout=20)
        # At once, or a sample is left to learn from.
        await redis.delete(*planted, KEYS.profiles, SAMPLE.images, SAMPLE.slots)
        await works(daemon, "odd")
        await redis.delete(KEYS.dead_letters)


async def offer_a_sample(redis: Redis) -> None:
    """One that is worth learning from."""
    await redis.hset(KEYS.profiles, "v1", "0")
    for n in range(400):
        slot = f"pet-{n // 8}#{n % 8}"
        await redis.hset(SAMPLE.images, slot, b"x")
        await redis.zadd(SAMPLE.slots, {slot: n / 1000})


@pytest.mark.parametrize(
    ("key", "tells"),
    [
        (KEYS.stream, ""),
        (KEYS.attempts, ""),
        (KEYS.dead_letters, ""),
        (KEYS.erased, "erase mark of odd: b'garbage'"),
        (KEYS.profiles, "b'\\xff\\xfe' in sploot.media.clusters:profiles"),
        (PET.album, "head"),
        (PET.images, ""),
        (KEYS.profile("v1"), ""),
        (SAMPLE.images, ""),
        (SAMPLE.slots, ""),
        (KEYS.learning, ""),
    ],
    ids=lambda value: name(value)[:20],
)
async def test_garbage_of_the_right_type_stops_nobody(daemon: Fleet, key: str, tells: str):
    redis = daemon.redis
    await PLANT[KEYS.type_of(key)](redis, key)
    if key == PET.album:
        await redis.hset(key, "token", b"\xff")
    await poke(daemon)

    async def it_is_told() -> bool:
        return tells in await told(daemon)

    await eventually(it_is_told, what="it to be told", timeout=20)
    await works(daemon, "another")
    if key in PET:
        assert (await Api(daemon, daemon.daemons[0]).ask("DELETE", "/internal/pets/odd"))[0] == 200
    await redis.delete(key)
    await works(daemon, "odd")


async def test_what_is_under_a_views_key_and_no_view_is_kept_until_the_view_is_invalidated(daemon: Fleet):
    api = Api(daemon, daemon.daemons[0])
    await daemon.redis.rpush(PET.view, "x")
    assert await api.view("odd") is None
    await api.submit(photos("odd"))
    await daemon.settled()
    assert f"holds a list under {PET.view}" in await told(daemon)
    assert await daemon.redis.lrange(PET.view, 0, -1) == [b"x"]
    await api.ask("POST", "/internal/pets/odd/invalidate")
    await api.submit(photos("odd"))
    assert (await api.seen("odd"))["version"] == 1
