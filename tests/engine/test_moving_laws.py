"""Laws of albums under profiles that come and go, whatever the jobs."""

from hypothesis import given, settings
from hypothesis import strategies as st

from sploot_clusterd.engine.rows import decode_row
from sploot_clusterd.entry_ids import EntryId
from tests.engine.fleets import at_hand, profile
from tests.engine.histories import SMALL, histories
from tests.engine.moves import check, empty, generations
from tests.engine.pet import START_MS, Pet

NARROW = [profile(1, embedding=12), profile(2, embedding=12, seed=5)]
NARROW += [profile(n, settled=True, embedding=12, seed=n) for n in (3, 4)]


def lived(jobs, adopted) -> Pet:
    """An album whose jobs are applied while another generation is adopted before each."""
    pet = Pet(SMALL)
    for each, generation in zip(jobs, adopted, strict=True):
        pet.profiles = at_hand(*NARROW, adopt=generation)
        pet.apply(each)
    return pet


turns = st.lists(st.integers(0, 4), min_size=8, max_size=8)


@given(histories(), turns)
@settings(max_examples=60, deadline=None)
def test_rows_and_cells_agree_whatever_profiles_come_and_go(jobs, adopted):
    pet = lived(jobs, adopted[: len(jobs)])
    alive = {name for name, raw in pet.rows().items() if decode_row(raw).exists}

    check(pet)

    assert pet.view["metrics"]["num_images"] == len(alive)
    assert set(generations(pet).values()) <= {adopted[len(jobs) - 1]}
    empty(pet)


@given(histories(), turns)
@settings(max_examples=30, deadline=None)
def test_the_same_jobs_and_profiles_give_the_same_bytes(jobs, adopted):
    adopted = adopted[: len(jobs)]

    assert lived(jobs, adopted).fields == lived(jobs, adopted).fields


@given(histories(), turns, st.integers(0, 7))
@settings(max_examples=40, deadline=None)
def test_a_job_that_comes_again_under_its_profile_changes_nothing(jobs, adopted, which):
    pet = lived(jobs, adopted[: len(jobs)])

    applied = pet.apply(jobs[which % len(jobs)]._replace(sequence=EntryId(START_MS + 10**6, 0)))

    assert not applied.changed
