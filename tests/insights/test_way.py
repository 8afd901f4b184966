"""A real daemon and a storage service: jobs that only name images end in real clusters."""

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.engine.synthetic import Fleet as Albums
from tests.faults.checker import LETTERS, NAMESPACE
from tests.faults.fleet import Fleet
from tests.faults.load import STREAM
from tests.insights.storage_service import TOKEN, Faults, StorageService, insight_of
from tests.support.waiting import eventually

pytestmark = pytest.mark.timeout(120)


class World:
    """A daemon, a Redis, and the service that it asks."""

    def __init__(self, fleet: Fleet, service: StorageService) -> None:
        self.fleet, self.service = fleet, service

    async def submit(self, pet: str, **payload: Any) -> None:
        force = payload.pop("force", False)
        job = json.dumps({"pet_id": pet, "force": force, "payload": payload})
        await self.fleet.redis.xadd(STREAM, {"payload": job})

    async def view(self, pet: str) -> dict[str, Any]:
        raw = await self.fleet.redis.get(f"{NAMESPACE}:state:{pet}")
        return json.loads(raw) if raw else {}

    async def whole(self, pet: str, images: int) -> dict[str, Any]:
        """The view, once it has all images and nothing is out."""
        view: dict[str, Any] = {}

        async def is_whole() -> bool:
            view.update(await self.view(pet))
            metrics = view.get("metrics", {})
            return (metrics.get("num_images"), metrics.get("insights_wanted")) == (images, 0)

        await eventually(is_whole, what=f"{images} images of {pet} and nothing out", timeout=30)
        return view

    async def erase(self, pet: str) -> None:
        async with self.fleet.http.delete(f"{self.fleet.daemons[0].url}/internal/pets/{pet}") as answer:
            assert answer.status == 200

    async def mentions(self, text: bytes) -> set[bytes]:
        """Keys of Redis that have the text in their names or in what they hold."""
        redis, found = self.fleet.redis, set()
        for key in await redis.keys():
            held = await redis.dump(key)
            if text in key or text in (held or b"") or text in await _all_of(redis, key):
                found.add(key)
        return found


async def _all_of(redis: Any, key: bytes) -> bytes:
    """What is stored, uncompressed."""
    match await redis.type(key):
        case b"string":
            return await redis.get(key)
        case b"hash":
            return repr(await redis.hgetall(key)).encode()
        case b"list":
            return repr(await redis.lrange(key, 0, -1)).encode()
        case b"zset":
            return repr(await redis.zrange(key, 0, -1)).encode()
        case b"stream":
            return repr(await redis.xrange(key)).encode()
    return b""


Begin = Callable[..., Any]


@pytest.fixture
async def begin() -> AsyncIterator[Begin]:
    """Starts the daemon with two pets at the service; keywords are settings of `insights`."""
    service = StorageService()
    for number in range(2):
        service.keep_album(f"pet-{number}", Albums(16).album(number))
    runner = await service.start()
    fleets: list[Fleet] = []
    with tempfile.TemporaryDirectory(prefix="way-") as directory:

        async def start(*, on: bool = True, **asked: object) -> World:
            env = {"STORAGE_SERVICE_URL": service.url, "STORAGE_SERVICE_TOKEN": TOKEN} if on else {}
            env |= {f"CLUSTERD_INSIGHTS_{name.upper()}": str(value) for name, value in asked.items()}
            fleets.append(Fleet(Path(directory), daemons=1, env=env))
            await fleets[-1].__aenter__()
            return World(fleets[-1], service)

        yield start
        for fleet in fleets:
            await fleet.close()
    await runner.cleanup()


async def test_bare_ids_become_real_clusters_of_all_the_pets_images(begin: Begin):
    world = await begin(rate=0)
    images = [*world.service.pets["pet-0"]]
    await world.submit("pet-0", image_ids=images[:3])
    view = await world.whole("pet-0", len(images))
    assert len(view["clusters"]) > 1
    assert not any(cluster["provisional"] for cluster in view["clusters"])
    assert {count for image, count in world.service.asked.items() if image in images} == {1}
    assert await world.fleet.redis.xlen(LETTERS) == 0
    left = {key for key in await world.fleet.redis.keys() if b":wanted:" in key or b":asked:" in key}
    assert left == set()


async def test_the_view_is_there_at_once_and_says_what_is_out(begin: Begin):
    world = await begin(timeout_seconds=120)
    world.service.faults = Faults(seconds=120)
    await world.submit("pet-0", image_ids=["pet-0_0", "pet-0_1"])
    await eventually(lambda: world.view("pet-0"), what="a view, though the service does not answer")
    view = await world.view("pet-0")
    assert view["metrics"]["insights_wanted"] == 3, "two images and the list"
    assert [cluster["provisional"] for cluster in view["clusters"]] == [True]


async def test_no_view_says_that_nothing_is_out_before_it_is_so(begin: Begin):
    world = await begin(rate=0)
    images = world.service.pets["pet-1"]
    await world.submit("pet-1", image_ids=images[:1])
    seen: list[tuple[int, bool]] = []
    while not seen or seen[-1][0]:
        view = await world.view("pet-1")
        if view:
            provisional = any(cluster["provisional"] for cluster in view["clusters"])
            seen.append(
                (view["metrics"]["insights_wanted"], provisional or view["metrics"]["num_images"] < len(images))
            )
        await asyncio.sleep(0)
    assert not [out for out, unfinished in seen if unfinished and not out]


async def test_force_fetches_the_list_again(begin: Begin):
    world = await begin(rate=0)
    images = [*world.service.pets["pet-0"]]
    await world.submit("pet-0", image_ids=images[:1])
    await world.whole("pet-0", len(images))
    world.service.keep("pet-0", "new", insight_of(Albums(16).album(0), 0))
    await world.submit("pet-0", removed_image_ids=[images[1]])
    await world.submit("pet-0", force=True)
    rows = f"{NAMESPACE}:images:pet-0"
    await eventually(lambda: world.fleet.redis.hexists(rows, "new"), what="the new image to be announced")
    await world.whole("pet-0", len(images))  # one more, and one less: what was removed stays so, whatever the list says


async def test_an_image_whose_insight_is_late_gets_it_when_it_is_there(begin: Begin):
    world = await begin(rate=0)
    await world.submit("pet-9", image_ids=["late"])
    await eventually(lambda: world.service.asked["late"], what="it to be asked for")
    world.service.keep("pet-9", "late", insight_of(Albums(16).album(0), 0))
    await world.whole("pet-9", 1)


async def test_of_an_erased_pet_nothing_is_left_and_nothing_comes_back(begin: Begin):
    world = await begin(write_back=1, concurrency=2)
    world.service.faults = Faults(seconds=0.3)
    await world.submit("pet-0", image_ids=world.service.pets["pet-0"][:8])
    await world.submit("pet-1", image_ids=world.service.pets["pet-1"][:2])
    await eventually(lambda: world.service.answered, what="the first answers")
    await world.erase("pet-0")
    world.service.faults = Faults()
    await world.whole("pet-1", len(world.service.pets["pet-1"]))
    await world.fleet.settled()
    assert await world.mentions(b"pet-0") - {b"sploot.media.clusters:erased"} == set()


async def test_the_service_is_told_where_readers_see_images(begin: Begin):
    world = await begin(rate=0, write_back=1)
    images = [*world.service.pets["pet-0"]]
    await world.submit("pet-0", image_ids=images[:1])
    view = await world.whole("pet-0", len(images))
    shown = {
        member["image_id"]: (cluster["id"], member["position"], member["image_id"] == cluster["hero_image_id"])
        for cluster in view["clusters"]
        for member in cluster["members"]
    }

    def told() -> dict[str, tuple[str, int, bool]]:
        tags = {each["source_image_id"]: each["tags"]["cluster"] for each in world.service.told}
        return {image: (tag["id"], tag["position"], tag["is_hero"]) for image, tag in tags.items() if image in shown}

    await eventually(lambda: told() == shown, what="the service to know the view", timeout=30)
    assert not any("quality_score" in each for each in world.service.told)

    async def all_told() -> bool:
        return not await world.fleet.redis.exists(f"{NAMESPACE}:untold:pet-0", f"{NAMESPACE}:tellings")

    await eventually(all_told, what="nothing more to tell")


async def test_without_a_url_nothing_of_it_is_there(begin: Begin):
    world = await begin(on=False)
    await world.submit("pet-0", image_ids=["pet-0_0"])
    await eventually(lambda: world.view("pet-0"), what="a view")
    assert "insights_wanted" not in (await world.view("pet-0"))["metrics"]
    keys = await world.fleet.redis.keys()
    assert not [key for key in keys if any(word in key for word in (b"want", b"asked", b"told", b"telling"))]
