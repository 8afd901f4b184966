"""A stream whose ids are used up, or far ahead of the clock, as anybody with the right to XADD can make it."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from tests.faults.fleet import Fleet
from tests.support.api import Api
from tests.support.waiting import eventually

LARGEST = 2**64 - 1
HIGHEST = f"{LARGEST}-{LARGEST}"
STREAM, LETTERS = "streams:media.cluster", "streams:media.cluster.deadletter"


def job(pet: str, image: str = "i") -> dict:
    return {"pet_id": pet, "payload": {"image_ids": [image]}}


def of(pet: str) -> dict[str, str]:
    return {"payload": f'{{"pet_id": "{pet}", "payload": {{"image_ids": ["i"]}}}}'}


async def submitted(api: Api, pet: str) -> tuple[int, object]:
    return await api.ask("POST", "/internal/cluster-jobs", json=job(pet))


@pytest.fixture
async def front(directory: Path) -> AsyncIterator[Fleet]:
    """A daemon that only serves."""
    async with Fleet(directory, daemons=0) as fleet:
        await fleet.add_daemon({"CLUSTER_CONSUMERS": "0"}).start()
        await fleet.ready()
        yield fleet


async def test_a_stream_without_ids_is_told_to_all_and_made_anew_when_its_jobs_are_settled(front: Fleet):
    api = Api(front, front.daemons[0])
    await front.redis.xadd(STREAM, of("waits"))
    await front.redis.xadd(STREAM, of("last"), id=HIGHEST)

    async def told() -> bool:
        return (await front.readiness(front.daemons[0]))[0] == 503

    await eventually(told, what="readiness to tell")
    _, (reason,) = await front.readiness(front.daemons[0])
    assert f"the highest possible id was added to {STREAM}" in reason
    assert await submitted(api, "new") == (503, {"detail": reason})
    line = {"data": msgspec.json.encode(job("new")), "headers": {"Content-Type": "application/x-ndjson"}}
    async with front.http.post(front.daemons[0].url + "/internal/cluster-jobs/batch", **line) as answer:
        assert reason in await answer.text()
    assert (await api.ask("DELETE", "/internal/pets/erased"))[0] == 200

    consumer = front.add_daemon({})
    await consumer.start()
    await front.ready()
    for pet in ("new", "erased"):
        assert (await submitted(api, pet))[0] == 202
        await api.seen(pet)
    await api.seen("waits")
    ((_, letter),) = await front.redis.xrange(LETTERS)
    assert (letter[b"reason"], letter[b"pet_id"]) == (b"invalid", b"last")


async def test_dead_letters_without_ids_are_told_with_the_command_that_mends_it(fleet: Fleet, api: Api):
    await fleet.redis.xadd(LETTERS, {"payload": "old"}, id=HIGHEST)

    async def told() -> bool:
        return (await fleet.readiness(fleet.daemons[0]))[0] == 503

    await fleet.redis.xadd(STREAM, {"payload": "no JSON"})
    await eventually(told, what="readiness to tell")
    _, reasons = await fleet.readiness(fleet.daemons[0])
    command = re.search(r"redis-cli (RENAME \S+ \S+)", reasons[0])
    assert command, reasons
    await fleet.redis.execute_command(*command[1].split())
    await fleet.ready()
    await fleet.settled()
    assert [letter[b"payload"] for _, letter in await fleet.redis.xrange(LETTERS)] == [b"no JSON"]
    assert await fleet.redis.xlen(f"{LETTERS}.full") == 1
    assert all(daemon.alive() for daemon in fleet.daemons)
    assert not any("root task ended" in daemon.output() for daemon in fleet.daemons)


@pytest.mark.parametrize("last", [f"{LARGEST}-5", f"{2**63}-0", f"{2**53 + 1}-{2**53 + 1}", "99999999999999-0"])
async def test_ids_far_in_the_future_disturb_no_order(fleet: Fleet, api: Api, last: str):
    await fleet.redis.xadd(STREAM, of("first"), id=last)
    for number in range(3):
        await api.submit(job("pet", f"img-{number}"))
    await api.seen("pet")
    await fleet.settled()
    assert (await api.view("pet"))["metrics"]["num_images"] == 3
    await api.submit({"pet_id": "pet", "payload": {"removed_image_ids": ["img-0"]}})
    await fleet.settled()
    assert (await api.view("pet"))["metrics"]["num_images"] == 2
    assert (await api.ask("DELETE", "/internal/pets/pet"))[0] == 200
    await api.submit(job("pet"))
    await api.seen("pet")
    assert await fleet.redis.xlen(LETTERS) == 0
