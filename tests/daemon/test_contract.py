"""The contracts that callers, producers and readers of the service before this one rely on, end to end."""

import itertools
import time

import pytest

from tests.faults.fleet import Fleet
from tests.support.api import SEED, Api, add
from tests.support.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture
def fleet(lent_fleet: Fleet) -> Fleet:
    return lent_fleet


def groups(view: dict) -> list[tuple[str, list[str]]]:
    return [(cluster["label"], [member["image_id"] for member in cluster["members"]]) for cluster in view["clusters"]]


async def test_the_seed_job_gives_the_seed_view_within_a_tenth_of_a_second(api: Api, fleet: Fleet):
    pets = (f"pet-{n}" for n in itertools.count())

    async def is_quick() -> bool:
        pet, began = next(pets), time.perf_counter()
        await api.submit({**SEED, "pet_id": pet})
        await api.seen(pet)
        return time.perf_counter() - began < 0.1

    await eventually(is_quick, what="a job to be seen so soon: a busy machine has to be tried more than once")
    await api.submit(SEED)
    view = await api.seen("pet_123")

    assert groups(view) == [("Portraits", ["img_001", "img_002"]), ("Action Shots", ["img_003"])]
    first = view["clusters"][0]
    assert first["id"] == "pet_123-cluster-0"
    assert first["hero_image_id"] == "img_001"
    assert first["members"][0].keys() == {"image_id", "score", "position", "quality_score"}
    assert view["metrics"]["coverage"] == {"portrait": 0.6, "action": 0.4}
    assert view["metrics"]["quality_score"] == 0.85
    assert view["updated_at"] == view["metrics"]["processed_at"]
    stored = await fleet.redis.get("sploot.media.clusters:state:pet_123")
    assert stored.startswith(b'{"pet_id":"pet_123"')
    assert 86_000 < await fleet.redis.ttl("sploot.media.clusters:state:pet_123") <= 86_400


@pytest.mark.parametrize("form", ["envelope", "body", "flat"])
async def test_every_form_of_entry_is_consumed(api: Api, fleet: Fleet, form: str):
    job = {**SEED, "pet_id": f"pet-{form}"}
    payload = job["payload"]
    assert isinstance(payload, dict)
    envelope = {"job_id": "job_456", "pet_id": job["pet_id"], "payload": job, "attempts": 3, "enqueued_at": "x"}
    await add(
        fleet,
        {
            "envelope": {"payload": envelope},
            "body": {"payload": job},
            "flat": {"pet_id": job["pet_id"], "job_id": "job_456", "force": "0", "reason": "r", **payload},
        }[form],
    )
    view = await api.seen(f"pet-{form}")
    assert groups(view) == [("Portraits", ["img_001", "img_002"]), ("Action Shots", ["img_003"])]


async def test_a_bad_entry_beside_good_ones_is_a_dead_letter_and_stops_nobody(api: Api, fleet: Fleet):
    await fleet.redis.xadd("streams:media.cluster", {"nonsense": b"\xff"})
    await add(fleet, {"payload": {"pet_id": "a", "payload": {"pet_id": "b"}}})
    await api.submit(SEED)
    await api.seen("pet_123")
    await fleet.settled()
    letters = await fleet.redis.xrange("streams:media.cluster.deadletter")
    assert sorted(fields[b"reason"] for _, fields in letters) == [b"malformed", b"mismatch"]


async def test_views_can_be_dropped_and_come_back_with_the_next_job_of_any_kind(api: Api):
    await api.submit(SEED)
    before = await api.seen("pet_123")
    path = "/internal/pets/pet_123/invalidate"
    assert await api.ask("POST", path) == (202, {"status": "removed"})
    assert await api.ask("POST", path) == (202, {"status": "noop"})
    assert await api.ask("GET", "/internal/pets/pet_123/clusters") == (404, {"detail": "cluster state not found"})
    await api.submit(SEED)  # a repeat
    assert await api.seen("pet_123") == before


async def test_one_image_joins_through_either_daemon(api: Api, other_api: Api):
    for n, each in enumerate([api, other_api] * 5, start=1):
        images = [{"image_id": f"img-{n}", "embedding": [1.0, n / 100], "quality": 0.9}]
        await each.submit({"pet_id": "p", "job_id": f"j{n}", "payload": {"images": images}})
        await each.seen("p", version=n)
    view = await other_api.seen("p", version=10)
    assert [cluster["size"] for cluster in view["clusters"]] == [10]
    assert view["metrics"]["num_images"] == 10


async def test_what_was_queued_before_an_erasure_does_not_come_back_from_any_memory(
    api: Api, other_api: Api, fleet: Fleet
):
    def job(n: int) -> dict:
        return {"pet_id": "p", "job_id": f"j{n}", "payload": {"images": [{"image_id": f"i{n}", "embedding": [1, n]}]}}

    for n, each in enumerate([api, other_api] * 10):  # both have it in memory
        await each.submit(job(n))
    await api.seen("p")
    for n in range(20, 320):
        await add(fleet, {"payload": job(n)})
    await fleet.redis.xadd("streams:media.cluster.deadletter", {"payload": "x", "pet_id": "p"})
    assert await api.ask("DELETE", "/internal/pets/p") == (200, {"status": "erased"})
    await fleet.settled()
    assert await api.view("p") is None
    assert not [key async for key in fleet.redis.scan_iter("sploot.media.clusters:*:p")]
    assert await fleet.redis.xlen("streams:media.cluster.deadletter") == 0

    await other_api.submit(job(999))
    view = await other_api.seen("p")
    assert view["metrics"]["num_images"] == 1
    assert (await api.ask("DELETE", "/internal/pets/never-seen"))[1] == {"status": "noop"}


async def test_the_health_of_redis_is_told(api: Api):
    status, body = await api.ask("GET", "/internal/health/redis")
    assert status == 200
    assert isinstance(body, dict)
    assert body["status"] == "ok"
    assert body["ping_ms"] > 0
