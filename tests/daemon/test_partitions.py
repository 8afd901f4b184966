"""Two daemons over four partitions: callers and producers notice nothing, and each partition has one reader."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sploot_clusterd.cli import main
from tests.faults.fleet import Fleet
from tests.support.api import SEED, Api, add
from tests.support.waiting import eventually

COUNT = 4
STREAM = "streams:media.cluster"


@pytest.fixture
async def fleet(directory: Path) -> AsyncIterator[Fleet]:
    async with Fleet(directory, daemons=2, partitions=COUNT) as fleet:
        await fleet.ready()
        yield fleet


async def readers(fleet: Fleet) -> Counter[str]:
    """How many partitions each process reads, by its instance; of those without one it is empty."""
    owners = await fleet.redis.mget([keys.owner for keys in fleet.layout.several])
    return Counter((owner or b"").decode().partition(" ")[0].rpartition("-")[2] for owner in owners)


async def shared(fleet: Fleet, **by_instance: int) -> None:
    wanted = {name.removeprefix("of_"): count for name, count in by_instance.items()}

    async def is_so() -> bool:
        return await readers(fleet) == wanted

    await eventually(is_so, what=f"partitions shared as {wanted}", timeout=30)


def job(n: int) -> dict:
    images = [{"image_id": f"img-{n}", "embedding": [1.0, n / 100], "quality": 0.9}]
    return {"pet_id": f"pet-{n % 20}", "job_id": f"job-{n}", "payload": {"images": images}}


async def test_callers_and_producers_notice_nothing_and_each_partition_has_one_reader(
    fleet: Fleet, api: Api, other_api: Api, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    for n in range(100):
        if n % 20 < 10:  # a pet's jobs go one way, or there is no order among them
            await (api if n % 2 else other_api).submit(job(n))
        else:
            await add(fleet, {"payload": job(n)})
    for form, fields in {"body": {"payload": {**SEED, "pet_id": "body"}}, "flat": {**SEED["payload"]}}.items():
        await add(fleet, fields if form == "body" else {"pet_id": form, **fields})
    await fleet.settled()
    for n in range(20):
        assert (await api.seen(f"pet-{n}"))["metrics"]["num_images"] == 5
    assert (await other_api.seen("flat"))["metrics"]["num_images"] == 3

    await fleet.redis.xadd(STREAM, {"nonsense": b"\xff"})
    await add(fleet, {"payload": {"pet_id": "a", "payload": {"pet_id": "b"}}})
    stranger = next(keys for keys in fleet.layout.several if keys != fleet.layout.of("pet-1"))
    await fleet.redis.xadd(stranger.stream, {"payload": b'{"pet_id": "pet-1"}'})
    await fleet.settled()
    letters = await fleet.letters()
    assert sorted(fields[b"reason"] for fields in letters) == [b"malformed", b"mismatch", b"mismatch"]
    assert await api.ask("DELETE", "/internal/pets/pet-3") == (200, {"status": "erased"})
    assert await api.view("pet-3") is None
    assert not [key async for key in fleet.redis.scan_iter("*:pet-3")]

    for name, value in (("REDIS_URL", fleet.redis_url), ("CLUSTER_PARTITIONS", str(COUNT))):
        monkeypatch.setenv(name, value)
    assert await asyncio.to_thread(main, ["partitions", "show"]) == 0
    table = capsys.readouterr().out.splitlines()
    assert len(table) == 1 + COUNT + 1
    assert table[-1].startswith(f"{STREAM}: 0 to be moved, by ")
    assert await asyncio.to_thread(main, ["partitions", "show", "--json", "pet-1"]) == 0
    assert f'"stream": "{fleet.layout.of("pet-1").stream}"' in capsys.readouterr().out
    assert await asyncio.to_thread(main, ["dlq", "list", "--reason", "mismatch"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 3
    monkeypatch.setenv("CLUSTER_PARTITIONS", "8")
    assert await asyncio.to_thread(main, ["dlq", "list"]) == 1
    assert "stream.partitions is 8 here, and what is stored has 4" in capsys.readouterr().err

    await comes_and_goes(fleet, api)


async def comes_and_goes(fleet: Fleet, api: Api):
    """Each partition has one reader, whoever starts, stops or is killed."""
    await shared(fleet, of_0=2, of_1=2)
    leaves, stays = fleet.daemons[1], api
    assert await asyncio.to_thread(leaves.stop) == 0
    assert str(leaves.instance) not in await readers(fleet), "it has let go: nobody waits until its leases end"
    for n in range(20):
        await stays.submit(job(n))
    await fleet.settled()
    await shared(fleet, of_0=4)
    await leaves.start()
    await shared(fleet, of_0=2, of_1=2)
    leaves.kill()
    for n in range(20, 40):
        await stays.submit(job(n))
    await fleet.settled()
    await shared(fleet, of_0=4)
