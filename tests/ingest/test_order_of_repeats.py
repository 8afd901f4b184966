"""What failed is not waited for; its repeats take its place in the order."""

import asyncio

import pytest

from sploot_clusterd.ingest import planner
from tests.ingest.order_scenes import names, now_due
from tests.support.side import Side, image
from tests.support.waiting import eventually

pytestmark = pytest.mark.usefixtures("little_patience")


async def test_what_failed_is_not_waited_for_and_its_repeat_takes_its_place(sides: list[Side]):
    await sides[1].add(job_id="a", payload=image("x"))
    await sides[1].fail_once("two")
    for job_id, payload in (("b", {"removed_image_ids": ["x"]}), ("a", image("x"))):
        await sides[0].add(job_id=job_id, payload=payload)
        await sides[0].run()
    assert await names(sides[0]) == set(), "the repeat is as old as what failed"
    assert sides[0].count("put_off_total") == 0

    await sides[1].run_due("two")
    assert await names(sides[0]) == set()
    assert sides[1].count("jobs_processed_total", result="skipped") == 1
    assert await sides[0].pending() == 0


async def test_a_repeat_in_the_batch_takes_the_place_of_the_one_that_fails_there(
    side: Side, monkeypatch: pytest.MonkeyPatch
):
    apply, failed = planner.apply, list[int]()

    def fails_once(album, jobs, *args, **kwargs):
        if any(job.job_id == "a" and job.sequence == job_a and job.repeats is None for job in jobs):
            failed.append(1)
            raise RuntimeError("boom")
        return apply(album, jobs, *args, **kwargs)

    await side.add(job_id="a", payload=image("x"))
    await side.add(job_id="b", payload={"removed_image_ids": ["x"]})
    await side.add(job_id="a", payload=image("x"))
    entries = await side.read()
    job_a = entries[0].id
    monkeypatch.setattr(planner, "apply", fails_once)
    await side.process(entries)
    assert failed
    assert await side.pending() == 1
    assert (await side.view())["metrics"]["num_images"] == 0


async def test_a_repeat_in_the_batch_takes_the_place_of_the_one_that_failed_before_another_ones_turn(
    sides: list[Side], monkeypatch: pytest.MonkeyPatch
):
    apply = planner.apply

    def fails_once(album, jobs, *args, **kwargs):
        if any(job.job_id == "a" for job in jobs) and not sides[0].count("jobs_processed_total", result="failure"):
            raise RuntimeError("boom")
        return apply(album, jobs, *args, **kwargs)

    monkeypatch.setattr(planner, "apply", fails_once)
    for job_id, payload in (("a", image("x")), ("b", {"removed_image_ids": ["x"]}), ("a", image("x"))):
        await sides[0].add(job_id=job_id, payload=payload)
    first, removal = await sides[0].read("one", count=1), await sides[1].read("two", count=1)
    again = await sides[0].read("one", count=1)
    ours = asyncio.create_task(sides[0].process([*first, *again], "one"))
    await eventually(lambda: sides[0].count("jobs_processed_total", result="failure"), what="the first to fail")
    await sides[1].process(removal, "two")
    await ours
    assert (await sides[0].view())["metrics"]["num_images"] == 0


async def test_a_repeat_that_was_accepted_after_an_erasure_is_a_new_job(side: Side):
    await side.add(job_id="a", payload=image("x"))
    await side.fail_once()
    await side.store.views.erase("pet")
    await side.add(job_id="a", payload=image("x"))
    await side.run()
    assert await names(side) == {"x"}
    await now_due(side)
    await side.run_due()
    assert await side.pending() == 0
