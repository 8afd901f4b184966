"""What holds of any jobs that the doors let in, in any batches: each gets the outcome that it deserves."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.ingest.any_jobs import PET, jobs
from tests.support.side import Side

DESERVED = {b"dimension", b"stale_correction"}
"""Reasons for which a well-formed job may be set aside: what it meets in the album speaks against it."""

events = st.sampled_from(["nothing", "forgets", "view is dropped"])
batches = st.lists(st.tuples(st.lists(jobs, min_size=1, max_size=6), events), max_size=8)


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
