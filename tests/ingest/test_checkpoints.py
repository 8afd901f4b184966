"""What a plan goes through before others are let by: one step of the engine, or what makes a commit of it."""

import pytest

from sploot_clusterd.ingest import results
from sploot_clusterd.ingest.planner import Planner
from sploot_clusterd.ingest.scheduling import Compute, TimeSlice
from tests.support.side import Side, image
from tests.support.stretches import Stretches


async def test_a_plan_lets_others_by_between_its_steps(new_side, monkeypatch: pytest.MonkeyPatch):
    stretches = Stretches(monkeypatch)
    stretches.watch("committed", Planner, "_commit")
    stretches.watch("begun", Planner, "_plan")
    monkeypatch.setattr(Compute, "checkpoint", lambda _: stretches.checkpoint())
    side = await new_side()
    for name in ("x", "y"):
        await side.add(payload=image(name))
    await side.run()
    assert (await side.view())["metrics"]["num_images"] == 2
    assert stretches.take() == [
        ["begun"],
        *[["job"], ["image"], ["brought up to date"]] * 2,
        ["frozen"],
        ["encoded"],
        ["committed"],
    ]


async def test_what_the_loop_does_for_many_pets_may_be_cut_after_each(side: Side, monkeypatch: pytest.MonkeyPatch):
    slices: list[int] = []
    enter = TimeSlice.__aenter__

    async def entered(self: TimeSlice) -> TimeSlice:
        slices.append(0)
        return await enter(self)

    async def checkpoint(_: TimeSlice) -> None:
        slices[-1] += 1

    monkeypatch.setattr(TimeSlice, "__aenter__", entered)
    monkeypatch.setattr(TimeSlice, "checkpoint", checkpoint)
    monkeypatch.setattr(results, "_LINES_A_WRITE", 2)
    for n in range(6):
        await side.add(f"pet-{n}")
    await side.run()
    decoded, loaded, planned, committed, told = slices
    assert (decoded, loaded, planned, committed, told) == (6, 6, 6, 6, 3)
