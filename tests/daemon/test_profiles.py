"""Real daemons over one Redis learn a profile from what pets are sent, and move their albums to it."""

import asyncio
import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest

from sploot_clusterd.cli import main
from sploot_clusterd.engine import decode_album
from tests.faults.fleet import Daemon, Fleet
from tests.support.api import Api
from tests.support.waiting import eventually

NAMESPACE = "sploot.media.clusters"
PETS, PHOTOS, LENGTH = 70, 12, 64
_LOOKS = np.random.default_rng(1).normal(size=(12, LENGTH))
_COMMON = 3 * np.random.default_rng(2).normal(size=LENGTH)


def job(pet: int, begin: int = 0, count: int = PHOTOS) -> dict:
    """Photos of three looks that other pets have as well, under what all photos have in common."""
    draw = np.random.default_rng([pet, begin])
    images = []
    for n in range(begin, begin + count):
        vector = _COMMON + _LOOKS[(pet + n % 3) % len(_LOOKS)] + 0.2 * draw.normal(size=LENGTH)
        images.append({"image_id": f"img-{n}", "embedding": vector.round(4).tolist(), "quality": 0.8})
    return {"pet_id": f"pet-{pet}", "payload": {"images": images, "model_version": "v1"}}


async def submit(fleet: Fleet, *jobs: dict) -> None:
    """As a producer of its own, and waits until all are applied."""
    for each in jobs:
        await fleet.redis.xadd("streams:media.cluster", {"payload": msgspec.json.encode(each)})
    await fleet.settled()


async def generation(fleet: Fleet) -> int:
    """Of the profile that is published; 0 without one."""
    state = await fleet.redis.hget(f"{NAMESPACE}:profiles", "v1")
    return int((state or b"0").split()[0])


async def used(fleet: Fleet, pet: int) -> int:
    """The generation that an album was computed with."""
    fields = await fleet.redis.hgetall(f"{NAMESPACE}:album:pet-{pet}")
    fields.pop(b"token")
    (space,) = decode_album(f"pet-{pet}", fields).spaces.values()
    return space.profile


async def shown(fleet: Fleet, daemon: Daemon, metric: str) -> float:
    async with fleet.http.get(daemon.ops_url + "/metrics") as answer:
        lines = (await answer.text()).splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith(f"media_cluster_{metric} ")))


async def test_a_fleet_learns_and_its_albums_move(fleet: Fleet, api: Api, tmp_path: Path, monkeypatch):
    await submit(fleet, *(job(pet) for pet in range(5)))  # of which one process may hold some back, before others learn
    await submit(fleet, *(job(pet) for pet in range(5, PETS)))
    before = await api.view("pet-3")
    assert before is not None
    await eventually(lambda: generation(fleet), what="a profile", timeout=30)

    async def adopted_by_all() -> bool:
        return all([await shown(fleet, daemon, "profile_generation") == 1 for daemon in fleet.daemons])

    async def counted_once(metric: str) -> bool:
        return sum([await shown(fleet, daemon, metric) for daemon in fleet.daemons]) == 1

    await eventually(adopted_by_all, what="both processes to use it")
    await eventually(lambda: counted_once("profiles_learned_total"), what="one to have learned it")
    await submit(fleet, *(job(pet, PHOTOS, 1) for pet in (3, 900)))
    assert [await used(fleet, pet) for pet in (3, 900, 4)] == [1, 1, 0]
    after = await api.seen("pet-3", version=before["version"] + 1)
    assert {cluster["id"] for cluster in after["clusters"]} == {cluster["id"] for cluster in before["clusters"]}
    await eventually(lambda: counted_once("profile_moves_total"), what="one album to have moved")

    monkeypatch.setenv("REDIS_URL", fleet.redis_url)
    for words in (["export", "v1", str(tmp_path / "v1")], ["freeze", "v1"], ["import", str(tmp_path / "v1")]):
        assert await asyncio.to_thread(main, ["profile", *words]) == 0

    async def third() -> bool:
        return all([await shown(fleet, daemon, "profile_generation") == 3 for daemon in fleet.daemons])

    await eventually(third, what="both processes to use what was imported")
    await submit(fleet, job(3, PHOTOS + 1, 1))
    assert await used(fleet, 3) == 3
    assert await api.ask("DELETE", "/internal/pets/pet-3") == (200, {"status": "erased"})
    assert not await fleet.redis.xlen("streams:media.cluster.deadletter")


@pytest.fixture
def slow_to_learn(directory: Path) -> Path:
    """The package, but for a learning that never ends."""
    code = directory / "slow"
    package = Path(main.__code__.co_filename).parent
    shutil.copytree(package, code / "sploot_clusterd", ignore=shutil.ignore_patterns("__pycache__"))
    module = code / "sploot_clusterd" / "ingest" / "learning.py"
    text, learns = module.read_text(), "        profile = learn("
    assert learns in text
    module.write_text(text.replace(learns, f"        __import__('time').sleep(600)\n{learns}"))
    return code


async def test_a_process_that_is_killed_while_it_learns_holds_up_nobody(directory: Path, slow_to_learn: Path):
    async with Fleet(directory, daemons=0) as fleet:
        victim = Daemon(directory, fleet.redis_url, 7, slow_to_learn, {})
        try:
            await victim.start()
            await submit(fleet, *(job(pet) for pet in range(PETS)))
            await eventually(lambda: fleet.redis.exists(f"{NAMESPACE}:learning"), what="it to learn", timeout=20)
        finally:
            victim.kill()
        heir = fleet.add_daemon({})
        await heir.start()
        await eventually(lambda: generation(fleet), what="another process to learn", timeout=30)
        await submit(fleet, job(900))
        assert await generation(fleet) == 1


async def test_switched_off_nothing_is_sampled_and_old_albums_stay_readable(directory: Path):
    async with Fleet(directory, daemons=1) as fleet:
        await submit(fleet, *(job(pet) for pet in range(PETS)))
        await eventually(lambda: generation(fleet), what="a profile", timeout=30)

        async def adopts() -> bool:
            await submit(fleet, job(900 + (pet := next(pets))))
            return await used(fleet, 900 + pet) == 1

        pets = iter(range(100))
        await eventually(adopts, what="a new album to adopt it")
        assert fleet.daemons[0].stop() == 0
        off = fleet.add_daemon({"CLUSTERD_PROFILES_ENABLED": "false"})
        await off.start()
        last = 900 + next(pets) - 1
        await submit(
            fleet, job(last, PHOTOS, 1), {**job(2000), "payload": {**job(2000)["payload"], "model_version": "v2"}}
        )
        assert await used(fleet, last) == 1
        assert await used(fleet, 2000) == 0
        assert await fleet.redis.hgetall(f"{NAMESPACE}:profiles") == {b"v1": b"1"}
        assert not await fleet.redis.xlen("streams:media.cluster.deadletter")
