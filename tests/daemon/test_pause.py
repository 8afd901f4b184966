"""A pause of the whole fleet ends by itself; tests/cluster/contract.py has what it is like meanwhile."""

from tests.faults.fleet import Fleet
from tests.support.api import Api
from tests.support.paused import in_seconds, pauses_briefly, warns


async def test_it_ends_by_itself(fleet: Fleet):
    api = Api(fleet, fleet.daemons[1])
    pause = {"reason": "a moment", "until": in_seconds(600)}
    assert (await api.ask("POST", "/internal/pause", json=pause))[0] == 200
    await warns(fleet, wanted=True)
    await api.submit({"pet_id": "pet", "payload": {"image_ids": ["i"]}})
    await pauses_briefly(api)
    await api.seen("pet")
    assert not await fleet.redis.exists(fleet.layout.plain.paused)
    await warns(fleet, wanted=False)


async def test_what_is_in_its_place_pauses_nobody(fleet: Fleet):
    await fleet.redis.set(fleet.layout.plain.paused, b"\xff no JSON", ex=60)
    api = Api(fleet, fleet.daemons[0])
    await api.submit({"pet_id": "pet", "payload": {"image_ids": ["i"]}})
    await api.seen("pet")
