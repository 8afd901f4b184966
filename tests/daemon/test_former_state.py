"""A daemon takes up what a former one left in Redis: albums, views, profiles, waiting jobs, dead letters."""

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from tests.daemon.former_state import STREAM, photos, restore
from tests.faults.fleet import Fleet
from tests.support.api import Api

FORMER = Path(__file__).with_name("former-0.1.0.json.gz")


@pytest.fixture
async def former(directory: Path) -> AsyncIterator[Fleet]:
    """A daemon over what the former one left."""
    async with Fleet(directory, daemons=0) as fleet:
        await restore(fleet.redis, FORMER.read_bytes())
        daemon = fleet.add_daemon({})
        await daemon.start()
        await fleet.ready()
        yield fleet


async def test_views_are_served_as_they_were_stored(former: Fleet):
    api = Api(former, former.daemons[0])
    for pet in ("pet-0", "pet-100", "pet-101"):
        stored = await former.redis.get(f"sploot.media.clusters:state:{pet}")
        assert await api.view(pet) == msgspec.json.decode(stored)


async def test_what_waited_is_applied_and_what_was_set_aside_stays(former: Fleet):
    await former.settled()
    api = Api(former, former.daemons[0])
    assert {(await api.view(pet))["metrics"]["num_images"] for pet in ("pet-102", "pet-103")} == {3}
    assert await former.redis.xlen(f"{STREAM}.deadletter") == 1


@pytest.mark.parametrize("force", [False, True])
async def test_albums_go_on(former: Fleet, force: bool):
    api = Api(former, former.daemons[0])
    before = await api.view("pet-100")
    job = photos(100, 12, 3) | {"force": force}
    await api.submit(job)
    after = await api.seen("pet-100", version=before["version"] + 1)
    assert after["metrics"]["num_images"] == before["metrics"]["num_images"] + 3
    assert "Ours" in {cluster["label"] for cluster in after["clusters"]}
    assert [cluster["id"] for cluster in after["clusters"]] == [cluster["id"] for cluster in before["clusters"]]
    assert await former.redis.xlen(f"{STREAM}.deadletter") == 1
