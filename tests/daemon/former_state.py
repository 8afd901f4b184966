"""What a version leaves in Redis, for later ones to take up: `python -m tests.daemon.former_state FILE` writes it."""

import asyncio
import base64
import gzip
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from redis.asyncio import Redis

from tests.faults.fleet import Fleet
from tests.support.api import Api
from tests.support.waiting import eventually

STREAM, GROUP = "streams:media.cluster", "media-clustering-workers"
_LOOKS = np.random.default_rng(1).normal(size=(12, 16))
_COMMON = 2 * np.random.default_rng(2).normal(size=16)
_FILLERS, _PHOTOS = 70, 9


def photos(pet: int, begin: int, count: int, *, model_version: str = "v1") -> dict[str, Any]:
    """A job with photos of three looks."""
    draw = np.random.default_rng([pet, begin])
    images = []
    for n in range(begin, begin + count):
        vector = _COMMON + _LOOKS[(pet + n % 3) % len(_LOOKS)] + 0.2 * draw.normal(size=16)
        images.append({"image_id": f"img-{n}", "embedding": vector.round(3).tolist(), "quality": (n * 37 % 100) / 100})
    return {"pet_id": f"pet-{pet}", "payload": {"images": images, "model_version": model_version}}


async def _live(fleet: Fleet) -> None:
    """Every kind of state that a daemon keeps: profiles, albums old and new, corrected, provisional, erased; a job that
    waits for its retry, one that nobody has read, one of an erased pet, dead letters.
    """
    api = Api(fleet, fleet.daemons[0])
    for pet in range(_FILLERS):
        await api.submit(photos(pet, 0, _PHOTOS))
    await fleet.settled()

    async def published() -> bool:
        state = await fleet.redis.hget("sploot.media.clusters:profiles", "v1")
        return (state or b"0").split()[0] != b"0"

    await eventually(published, what="a profile", timeout=60)
    await api.submit(photos(100, 0, 12))
    await api.submit({"pet_id": "pet-101", "payload": {"image_ids": ["a", "b", "c"], "labels": ["One", "Two"]}})
    await api.submit({"pet_id": "pet-100", "payload": {"removed_image_ids": ["img-3"], "image_ids": ["bare"]}})
    await fleet.settled()
    ids = [cluster["id"] for cluster in (await api.view("pet-100") or {})["clusters"]]
    said = [{"op": "merge", "clusters": ids[:2]}, {"op": "rename", "cluster": ids[0], "label": "Ours"}]
    assert (await api.ask("POST", "/internal/pets/pet-100/corrections", json={"corrections": said}))[0] == 202
    await fleet.redis.xadd(STREAM, {"payload": b'{"pet_id": "pet-100", "payload": {"images": 7}}'})
    await fleet.settled()
    for pet in range(4, _FILLERS):
        await api.ask("DELETE", f"/internal/pets/pet-{pet}")
    for daemon in fleet.daemons:
        daemon.stop()
    await fleet.redis.xadd(STREAM, {"payload": msgspec.json.encode(photos(102, 0, 3))})
    await fleet.redis.xadd(STREAM, {"payload": msgspec.json.encode(photos(103, 0, 3))})
    ((_, [(entry, _)]),) = await fleet.redis.xreadgroup(GROUP, "a-host-long-gone-0", {STREAM: ">"}, count=1)
    await fleet.redis.hset(f"{STREAM}:attempts", entry, b"1 0 0 1")


async def _commands(redis: Redis) -> AsyncIterator[list[Any]]:
    """The plain commands that make what is there."""
    for key in sorted(await redis.keys()):
        match await redis.type(key):
            case b"string":
                yield ["SET", key, await redis.get(key), "PX", await redis.pttl(key)]
            case b"hash":
                yield ["HSET", key, *(part for pair in sorted((await redis.hgetall(key)).items()) for part in pair)]
            case b"zset":
                yield [
                    "ZADD",
                    key,
                    *(part for m, s in await redis.zrange(key, 0, -1, withscores=True) for part in (repr(s), m)),
                ]
            case b"stream":
                for entry, fields in await redis.xrange(key):
                    yield ["XADD", key, entry, *(part for pair in fields.items() for part in pair)]
    yield ["XGROUP", "CREATE", STREAM, GROUP, "0"]
    for held in await redis.xpending_range(STREAM, GROUP, "-", "+", 10):
        yield ["XREADGROUP", "GROUP", GROUP, held["consumer"], "COUNT", 1, "STREAMS", STREAM, ">"]


async def restore(redis: Redis, written: bytes) -> None:
    """Runs the commands of a file that this module wrote."""
    for command in msgspec.json.decode(gzip.decompress(written)):
        await redis.execute_command(*(base64.b64decode(part) for part in command))


async def _written() -> bytes:
    with tempfile.TemporaryDirectory(prefix="former-") as directory:
        async with Fleet(Path(directory), daemons=1) as fleet:
            await fleet.ready()
            await _live(fleet)
            commands = [command async for command in _commands(fleet.redis)]
    encoded = [[base64.b64encode(p if isinstance(p, bytes) else str(p).encode()).decode() for p in c] for c in commands]
    return gzip.compress(msgspec.json.encode(encoded), mtime=0)


if __name__ == "__main__":
    Path(sys.argv[1]).write_bytes(asyncio.run(_written()))
