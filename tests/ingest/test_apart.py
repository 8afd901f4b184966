"""What takes long is done apart: no other pet's jobs wait for it, and it comes to the same as everywhere else."""

import asyncio
import threading
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sploot_clusterd.ingest import apart, attempts, shares, waiting_jobs
from sploot_clusterd.ingest.plan import PetJobs
from sploot_clusterd.ingest.planner import Planner
from sploot_clusterd.ingest.waiting_jobs import WaitingJobs
from tests.ingest.any_jobs import PET, jobs
from tests.support.side import Side, image
from tests.support.waiting import eventually

LARGE = "large"


@pytest.fixture
def all_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every job takes long, and a pet's share is small."""
    monkeypatch.setattr(apart, "_FEW_IMAGES", -1)
    monkeypatch.setattr(apart, "LARGE", 0.0)
    monkeypatch.setattr(attempts, "LARGE", 0.0)
    monkeypatch.setattr(shares, "_MOST_ENTRIES", 2)
    monkeypatch.setattr(shares, "_LEAST_DELAY", 0.0)


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """The pet `large` is computed when this is set, and its work is estimated to take long."""
    go_on = threading.Event()
    plan, estimate = Planner.plan, Planner.estimate

    def plan_when_told(self: Planner, pet: PetJobs):
        assert pet.pet_id != LARGE or go_on.wait(60)
        return plan(self, pet)

    monkeypatch.setattr(Planner, "plan", plan_when_told)
    monkeypatch.setattr(Planner, "estimate", lambda self, pet: 9.0 if pet.pet_id == LARGE else estimate(self, pet))
    yield go_on
    go_on.set()


def without_times(view: dict) -> dict:
    metrics = {key: value for key, value in view["metrics"].items() if key != "processed_at"}
    return {**view, "metrics": metrics, "updated_at": "", "version": 0}


async def settle(side: Side) -> None:
    async def settled() -> bool:
        await side.run_due()
        return not await side.pending()

    await eventually(settled, what="all jobs to be settled")


async def one_by_one(side: Side, every: list[dict]) -> None:
    for job in every:
        await side.add(PET, **job)
        await side.run()
        await settle(side)


async def in_many_hands(side: Side, every: list[dict], count: int) -> None:
    for job in every:
        await side.add(PET, **job)
    batches = []
    while entries := await side.read(f"consumer-{len(batches)}", count):
        batches.append(side.process(entries, f"consumer-{len(batches)}"))
    await asyncio.gather(*batches)
    await settle(side)


@given(st.lists(jobs, min_size=1, max_size=12), st.integers(1, 5))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_jobs_done_apart_come_to_what_they_come_to_one_by_one(all_apart, side: Side, every, count):
    seen = []
    for way in (one_by_one(side, every), in_many_hands(side, every, count)):
        await side.redis.flushall()
        await side.stream.ensure_group()
        side.cache.drop(PET)
        await way
        raw = await side.redis.get(side.keys.view(PET))
        letters = [(letter[b"reason"], letter[b"error"]) for letter in await side.letters()]
        seen.append((without_times(await side.view(PET)) if raw else None, letters))
    assert seen[0] == seen[1]


async def test_nobody_waits_for_a_pet_that_takes_long(side: Side, held: threading.Event):
    for pet in ("before", LARGE, "after"):
        await side.add(pet, payload=image("x"))
    await asyncio.wait_for(side.run(), 30)
    assert (await side.view("before"))["version"] == (await side.view("after"))["version"] == 1
    assert await side.pending() == 1

    await side.add(LARGE, payload=image("y"))
    await side.add("after", payload=image("y"))
    await asyncio.wait_for(side.run("another"), 30)
    assert (await side.view("after"))["version"] == 2

    held.set()
    await settle(side)
    assert (await side.view(LARGE))["metrics"]["num_images"] == 2


async def test_of_a_flood_a_share_is_held_and_the_rest_keeps_its_order_and_its_attempts(side: Side, held, monkeypatch):
    monkeypatch.setattr(shares, "_MOST_ENTRIES", 10)
    for n in range(50):
        await side.add(LARGE, job_id=f"job-{n}", payload={"labels": [f"label {n}"], "image_ids": ["x"]})
    await side.add("other")
    while entries := await side.read(count=8):
        await asyncio.wait_for(side.process(entries), 30)
    assert (await side.view("other"))["version"] == 1
    assert side.count("put_off_total") == 50 - 10

    held.set()
    await settle(side)
    assert await side.letters() == []
    assert side.count("jobs_processed_total", result="success") == 51
    assert (await side.view(LARGE))["clusters"][0]["label"] == "label 49"


async def test_what_is_beyond_a_share_is_held_after_all_if_the_pet_gets_on(side: Side, held, monkeypatch):
    monkeypatch.setattr(shares, "_MOST_ENTRIES", 1)
    monkeypatch.setattr(waiting_jobs, "_MOMENT", 60.0)
    let_move = WaitingJobs.let_move

    async def lets_move(self: WaitingJobs, pet_id: str) -> None:
        held.set()
        await let_move(self, pet_id)

    monkeypatch.setattr(WaitingJobs, "let_move", lets_move)
    for name in ("x", "y"):
        await side.add(LARGE, payload=image(name))
        await asyncio.wait_for(side.run(), 30)
    assert held.is_set()
    assert side.count("put_off_total") == 0
    await side.processor.drained()
    assert (await side.view(LARGE))["metrics"]["num_images"] == 2


async def test_what_has_not_begun_when_the_daemon_stops_is_left_to_others(side: Side, new_side, held):
    await side.add(LARGE)
    await side.run()
    await side.add(LARGE, payload=image("y"))
    await side.run()
    side.stopping.set()
    held.set()
    await side.processor.drained()
    assert await side.pending() == 1

    other = await new_side()
    await settle(other)
    assert (await other.view(LARGE))["metrics"]["num_images"] == 2


async def test_nobody_waits_until_a_flood_has_become_dead_letters(side: Side, monkeypatch: pytest.MonkeyPatch):
    go_on = asyncio.Event()
    dead_letter = side.stream.dead_letter

    async def when_told(consumer, letter):
        await go_on.wait()
        return await dead_letter(consumer, letter)

    monkeypatch.setattr(side.stream, "dead_letter", when_told)
    late = {"op": "rename", "cluster": "late-cluster-7", "label": "x"}
    for _ in range(20):
        await side.add("late", payload={"corrections": [late]})
    await side.add("other")
    await asyncio.wait_for(side.run(), 30)
    assert (await side.view("other"))["version"] == 1
    go_on.set()
    await side.processor.drained()
    assert len(await side.letters()) == 20
