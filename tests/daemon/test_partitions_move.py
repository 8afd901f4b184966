"""Two daemons while the number of partitions is changed, as those who run and use them meet it."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sploot_clusterd.cli import main
from sploot_clusterd.keys import Layout
from sploot_clusterd.partitioning import Placing
from tests.faults.fleet import Daemon, Fleet
from tests.support.api import Api
from tests.support.waiting import eventually

BEFORE, AFTER = 2, 4
NAMES = ("sploot.media.clusters", "streams:media.cluster", "streams:media.cluster.deadletter")
PETS = [f"pet-{n}" for n in range(12)]


@pytest.fixture
async def fleet(directory: Path) -> AsyncIterator[Fleet]:
    async with Fleet(directory, daemons=2, partitions=BEFORE) as fleet:
        await fleet.ready()
        yield fleet


class Operator:
    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    async def types(self, *words: str, code: int = 0) -> tuple[list[str], str]:
        """Lines of output, and errors."""
        assert await asyncio.to_thread(main, ["partitions", *words]) == code
        out, err = self._capsys.readouterr()
        return out.splitlines(), err


def job(pet: str, n: int) -> dict:
    images = [{"image_id": f"img-{n}", "embedding": [1.0, n / 100], "quality": 0.9}]
    return {"pet_id": pet, "job_id": f"job-{n}", "payload": {"images": images}}


async def test_the_number_is_changed_while_daemons_run(
    fleet: Fleet, api: Api, other_api: Api, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    operator = Operator(capsys)
    for name, value in (("REDIS_URL", fleet.redis_url), ("CLUSTER_PARTITIONS", str(BEFORE))):
        monkeypatch.setenv(name, value)
    for pet in PETS:
        await api.submit(job(pet, 0))
    await fleet.settled()
    old, new = Layout(*NAMES, BEFORE), Layout(*NAMES, AFTER)
    moving = [pet for pet in PETS if old.of(pet).tag != new.of(pet).tag]
    late = moving[0]

    for words in (("plan", "4"), ("move", "4", "--dry-run")):
        out, _ = await operator.types(*words)
        assert [line.split()[:3] for line in out[1:3]] == planned(old, moving)
        assert out[3].startswith(f"{len(moving)} pets would be carried, which takes about ")
    assert await fleet.redis.get("sploot.media.clusters:partitions") == b"2"
    out, _ = await operator.types("move", "4")
    assert [line.partition(":")[0] for line in out[:2]] == ["group 1 of 2", "group 2 of 2"]
    assert out[2] == "there are 4 partitions now: set stream.partitions (CLUSTER_PARTITIONS) to that"
    fleet.layout.follow(Placing(AFTER, 2, BEFORE))

    for n, pet in enumerate(PETS):
        assert (await other_api.seen(pet))["metrics"]["num_images"] == 1
        await (api if n % 2 else other_api).submit(job(pet, 1))
    # A producer that goes by the old number adds where the pet was.
    await fleet.redis.xadd(Layout(*NAMES, BEFORE).of(late).stream, {"payload": json.dumps(job(late, 2))})
    await fleet.settled()
    for pet in PETS:
        view = await api.seen(pet, version=2)
        assert view["metrics"]["num_images"] == 2 + (pet == late)
        assert await fleet.redis.exists(fleet.layout.of(pet).pet(pet).album)
    assert await fleet.letters() == []

    assert (await operator.types("move", "4"))[0] == ["there are 4 partitions already"]
    assert "there is no way back to one partition" in (await operator.types("move", "1", code=1))[1]
    lines = [json.loads(line) for line in (await operator.types("plan", "6", "--json"))[0]]
    assert [line["partitions"] for line in lines] == [[0, 2, 4], [1, 3, 5]]
    await restarted(fleet, fleet.daemons[0])
    monkeypatch.setenv("CLUSTER_PARTITIONS", "8")
    assert "stream.partitions is 8 here, and what is stored has 4" in (await operator.types("show", code=1))[1]


def planned(old: Layout, moving: list[str]) -> list[list[str]]:
    """Group, pets, and those that move."""
    groups = [[pet for pet in PETS if old.number(pet) == n] for n in range(BEFORE)]
    return [[str(n), str(len(of)), str(len([pet for pet in of if pet in moving]))] for n, of in enumerate(groups)]


async def restarted(fleet: Fleet, daemon: Daemon) -> None:
    """With the number from before, which its settings still have."""
    assert await asyncio.to_thread(daemon.stop) == 0
    await daemon.start()

    async def all_read() -> bool:
        owners = await fleet.redis.mget([keys.owner for keys in fleet.layout.several])
        return all(owners) and any(f"-{daemon.instance} " in owner.decode() for owner in owners)

    await eventually(all_read, what="all partitions to be read", timeout=20)


async def test_from_one_partition_daemons_have_to_be_stopped(
    directory: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    operator = Operator(capsys)
    async with Fleet(directory, daemons=1) as fleet:
        monkeypatch.setenv("REDIS_URL", fleet.redis_url)
        await fleet.ready()
        await Api(fleet, fleet.daemons[0]).submit(job("pet", 0))
        await fleet.settled()
        assert "from one partition to several no daemon may run" in (await operator.types("move", "2", code=1))[1]
        assert await asyncio.to_thread(fleet.daemons[0].stop) == 0
        await fleet.redis.xadd("streams:media.cluster", {"payload": json.dumps(job("pet", 1))})
        out, _ = await operator.types("move", "2")
        assert out[0].startswith("group 1 of 1: 1 pets, 0 jobs, 0 dead letters moved; refused for ")
        daemon = fleet.add_daemon({"CLUSTER_PARTITIONS": "2"})
        await daemon.start()
        assert (await Api(fleet, daemon).seen("pet", version=2))["metrics"]["num_images"] == 2
