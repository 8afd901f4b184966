"""What holds of any jobs that the doors let in, in any batches: each gets the outcome that it deserves."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sploot_clusterd.model import OPS
from tests.ingest.conftest import Side

PET = "ann"
NAMES = [f"img-{n}" for n in range(8)]
DESERVED = {b"dimension", b"stale_correction"}
"""Reasons for which a well-formed job may be set aside: what it meets in the album speaks against it."""

vectors = st.lists(st.sampled_from([-1.0, 0.1, 0.5, 1.0]), min_size=3, max_size=3) | st.just([1.0, 0.5])
images = st.fixed_dictionaries(
    {"image_id": st.sampled_from(NAMES)},
    optional={
        "embedding": vectors,
        "pose": vectors,
        "quality": st.sampled_from([0.0, 0.4, 1.0]),
        "label": st.sampled_from(["Portraits", "Action"]),
        "captured_at": st.sampled_from(["2025-10-30T12:00:00Z", "2031-01-01T00:00:00Z"]),
    },
)
clusters = st.integers(0, 4).map("ann-cluster-{}".format)
names = st.lists(st.sampled_from(NAMES), max_size=4)


@st.composite
def corrections(draw):
    op = draw(st.sampled_from(OPS))
    some = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True))
    match op:
        case "merge":
            what = {"clusters": draw(st.lists(clusters, min_size=2, max_size=3))}
        case "apart":
            what = {"clusters": draw(st.lists(clusters, min_size=2, max_size=2, unique=True))}
        case "split" | "stay":
            what = {"cluster": draw(clusters), "image_ids": some}
        case "move":
            what = {"image_ids": some, "to": draw(clusters)}
        case "rename":
            what = {"cluster": draw(clusters), "label": "Beach"}
        case _:
            what = {"cluster": draw(clusters), "image_id": some[0]}
    return {"op": op, **what}


payloads = st.fixed_dictionaries(
    {},
    optional={
        "images": st.lists(images, max_size=6),
        "image_ids": names,
        "removed_image_ids": names | st.just(NAMES),
        "labels": st.sampled_from([[], ["Portraits", "Action Shots"], ["Sleep"]]),
        "coverage": st.sampled_from([{}, {"portrait": 0.6, "action": 0.4}]),
        "quality_score": st.sampled_from([0.0, 0.85]),
        "model_version": st.sampled_from(["v1", "v2"]),
        "corrections": st.lists(corrections(), max_size=2),
    },
)
jobs = st.fixed_dictionaries(
    {"payload": payloads},
    optional={"job_id": st.integers(0, 6).map(lambda n: f"job-{n}"), "force": st.booleans()},
)
events = st.sampled_from(["nothing", "forgets", "view is dropped"])
batches = st.lists(st.tuples(st.lists(jobs, min_size=1, max_size=6), events), max_size=8)


@pytest.fixture
async def sides(new_side) -> list[Side]:
    """Two processes."""
    return [await new_side(), await new_side()]


@given(batches)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_a_job_that_the_doors_let_in_is_applied_or_has_a_reason_of_its_own(sides: list[Side], batches):
    side = sides[0]
    await side.redis.flushall()
    await side.stream.ensure_group()
    for number, (batch, meanwhile) in enumerate(batches):
        for job in batch:
            await side.add(PET, **job)
        runner = sides[number % 3 == 2]
        await runner.run()
        if meanwhile == "forgets":
            runner.cache.drop(PET)
        elif meanwhile == "view is dropped":
            await side.redis.delete(side.keys.view(PET))
    letters = [(letter[b"reason"], letter[b"error"]) for letter in await side.letters()]
    assert not [letter for letter in letters if letter[0] not in DESERVED]
    assert await side.pending() == await side.redis.xlen("jobs") == await side.redis.hlen(side.keys.attempts) == 0
