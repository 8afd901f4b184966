"""Parts of a batch: nothing lost, nothing out of order, none too large."""

from hypothesis import given
from hypothesis import strategies as st

from sploot_clusterd.ingest.batch import Delivery
from sploot_clusterd.ingest.parts import parts
from sploot_clusterd.model import EntryId, Insight, Job
from sploot_clusterd.store import Entry

images = st.integers(0, 300)
kinds = st.tuples(images, st.booleans())


def delivery(number: int, count: int, force: bool) -> Delivery:
    sequence = EntryId(1, number)
    insights = [Insight(f"img-{n}", {}, None, None, None) for n in range(count)]
    return Delivery(
        Entry(sequence, {}), Job(pet_id="pet", job_id=str(number), sequence=sequence, images=insights, force=force)
    )


@given(st.dictionaries(st.sampled_from(["one", "two", "three"]), st.lists(kinds, min_size=1, max_size=12)))
def test_jobs_come_in_their_order_and_none_is_lost(shapes):
    jobs = {pet: [delivery(n, *shape) for n, shape in enumerate(each)] for pet, each in shapes.items()}
    cut = list(parts(jobs))
    for pet, of_pet in jobs.items():
        assert [each for part in cut for each in part.get(pet, ())] == of_pet
    for part in cut:
        assert part
        for of_pet in part.values():
            assert len(of_pet) == 1 or sum(len(job.images) for _, job in of_pet) <= 256
            assert not any(job.force for _, job in of_pet[:-1])


def test_small_jobs_are_one_part():
    jobs = {pet: [delivery(n, 2, False) for n in range(64)] for pet in ("one", "two")}
    assert list(parts(jobs)) == [jobs]
