"""Parts of a pet's jobs: nothing lost, nothing out of order, none too large."""

from hypothesis import given
from hypothesis import strategies as st

from sploot_clusterd.entry_ids import EntryId
from sploot_clusterd.ingest.batch import Delivery
from sploot_clusterd.ingest.parts import next_part
from sploot_clusterd.model import Job
from sploot_clusterd.store import Entry

seconds = st.floats(0, 3)


def delivery(number: int) -> Delivery:
    sequence = EntryId(1, number)
    return Delivery(Entry.of(str(sequence).encode(), {}), Job(pet_id="pet", job_id=str(number), sequence=sequence))


@given(st.lists(seconds, min_size=1, max_size=20))
def test_jobs_come_in_their_order_and_none_is_lost(estimates):
    jobs = [delivery(n) for n in range(len(estimates))]
    left, parts = jobs, []
    while left:
        part = next_part(left, lambda job: estimates[job.sequence.seq])
        parts.append(part)
        left = left[len(part) :]
    assert [each for part in parts for each in part] == jobs
    taken = [sum(estimates[job.sequence.seq] for _, job in part) for part in parts]
    assert all(len(part) == 1 or total <= 1.0 for part, total in zip(parts, taken, strict=True))


def test_small_jobs_are_one_part():
    jobs = [delivery(n) for n in range(64)]
    assert next_part(jobs, lambda _: 0.001) == jobs
