"""Two real daemons of which neither takes jobs while the fleet is paused."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.faults.fleet import Fleet
from tests.support.api import Api, add
from tests.support.waiting import eventually

GROUP = "media-clustering-workers"


@pytest.fixture(params=[1, 4], ids=["one stream", "four partitions"])
async def fleet(request: pytest.FixtureRequest, directory: Path) -> AsyncIterator[Fleet]:
    async with Fleet(directory, daemons=2, partitions=request.param) as fleet:
        await fleet.ready()
        yield fleet


def in_seconds(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


async def warns(fleet: Fleet, *, wanted: bool) -> None:
    """Until each process says so, and counts it."""

    async def do_all() -> bool:
        for daemon in fleet.daemons:
            async with fleet.http.get(f"{daemon.url}/readyz") as answer:
                said = await answer.json()
                if any(text.startswith("paused until ") for text in said["warnings"]) is not wanted:
                    return False
                assert answer.status == 200
        return True

    await eventually(do_all, what="all daemons to pause" if wanted else "all daemons to go on")


async def taken(fleet: Fleet) -> int:
    """Entries that a consumer has."""
    pending = [await fleet.redis.xpending(keys.stream, GROUP) for keys in fleet.layout.partitions]
    return sum(each["pending"] for each in pending)


async def test_no_process_takes_jobs_until_they_go_on(fleet: Fleet):
    api = Api(fleet, fleet.daemons[0])
    status, answer = await api.ask("POST", "/internal/pause", json={"reason": "a deploy", "until": in_seconds(600)})
    assert (status, answer) == (200, {"status": "paused"})
    await warns(fleet, wanted=True)
    pets = [f"pet-{n}" for n in range(8)]
    for pet in pets:
        await api.submit({"pet_id": pet, "job_id": "j", "payload": {"image_ids": ["i"]}})
    await add(fleet, {"pet_id": "pet-0", "image_ids": ["k"]})
    for _ in range(3):  # as long as a pass of each loop takes
        await warns(fleet, wanted=True)
        assert await taken(fleet) == 0
        assert (await api.ask("GET", "/internal/pets/pet-0/jobs/j"))[1]["state"] == "queued"

    assert await api.ask("POST", "/internal/resume") == (200, {"status": "resumed"})
    assert await api.ask("POST", "/internal/resume") == (200, {"status": "noop"})

    for pet in pets:
        await api.seen(pet)
    await warns(fleet, wanted=False)


async def test_it_ends_by_itself(fleet: Fleet):
    api = Api(fleet, fleet.daemons[1])
    await api.ask("POST", "/internal/pause", json={"reason": "a moment", "until": in_seconds(600)})
    await warns(fleet, wanted=True)
    await api.submit({"pet_id": "pet", "payload": {"image_ids": ["i"]}})
    await api.ask("POST", "/internal/pause", json={"reason": "a moment", "until": in_seconds(1)})
    await api.seen("pet")
    assert not await fleet.redis.exists(fleet.layout.plain.paused)
    await warns(fleet, wanted=False)


async def test_what_is_in_its_place_pauses_nobody(fleet: Fleet):
    await fleet.redis.set(fleet.layout.plain.paused, b"\xff no JSON", ex=60)
    api = Api(fleet, fleet.daemons[0])
    await api.submit({"pet_id": "pet", "payload": {"image_ids": ["i"]}})
    await api.seen("pet")
