"""What a storage service answered: it fills in what is missing, and says nothing where a producer did."""

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sploot_clusterd.engine import JobStatus, Params, around_wants, render
from sploot_clusterd.engine.rows import decode_row
from tests.engine.histories import SMALL, histories
from tests.engine.pet import Pet, direction, insight, job, row_field


def fetched(number: int, *images, kind: str = "answers", **more):
    return job(number, *images, job_id=f"insights-{number}", fetched=kind, **more)


def row_of(pet: Pet, image_id: str):
    return decode_row(pet.fields.get(row_field(image_id)))


def vector_of(pet: Pet, image_id: str):
    return row_of(pet, image_id).vectors


@pytest.fixture
def pet() -> Pet:
    pet = Pet()
    pet.apply(job(1, image_ids=["a", "b"], quality_score=0.4))
    return pet


def test_an_answer_fills_in_the_vectors_of_an_announced_image(pet: Pet):
    applied = pet.apply(fetched(5, insight("a", direction(0), quality=0.9, label="Sleep")), with_wants=True)
    row = row_of(pet, "a")
    assert row.vectors.at == row.listed.at, "at the place of its announcement"
    assert (row.quality, row.label) == (0.9, "Sleep")
    assert (list(applied.new_wants), list(applied.old_wants)) == ([], ["a"])
    assert [fresh.image_id for fresh in applied.fresh] == ["a"], "the fleet learns from it"


def test_newer_vectors_that_came_meanwhile_win_and_older_ones_that_come_late_do_not_override(pet: Pet):
    pet.apply(job(3, insight("a", direction(1))))
    held = vector_of(pet, "a").data
    pet.apply(fetched(5, insight("a", direction(0))))
    assert vector_of(pet, "a").data == held
    pet.apply(fetched(6, insight("b", direction(0))))
    pet.apply(job(4, insight("b", direction(1))))  # was accepted before the answer came, and failed first
    assert vector_of(pet, "b").at == job(4).sequence, "a producer's word counts more than what was fetched"


def test_what_a_producer_said_of_an_image_stays(pet: Pet):
    pet.apply(job(2, insight("a", quality=0.2, label="Action")))
    pet.apply(fetched(5, insight("a", direction(0), quality=0.9, label="Sleep")))
    assert (row_of(pet, "a").quality, row_of(pet, "a").label) == (0.2, "Action")


def test_an_image_that_was_removed_meanwhile_stays_away(pet: Pet):
    pet.apply(job(2, removed=["a"]))
    before = pet.rows().keys()
    pet.apply(fetched(5, insight("a", direction(0)), insight("never-heard-of", direction(0))))
    pet.apply(fetched(6, kind="list", image_ids=["a", "b"]))
    assert pet.rows().keys() == before
    assert not row_of(pet, "a").exists


def test_an_answer_after_removal_and_a_new_announcement_is_taken(pet: Pet):
    pet.apply(job(2, removed=["a"]))
    pet.apply(job(3, image_ids=["a"]))
    pet.apply(fetched(5, insight("a", direction(0))))
    assert vector_of(pet, "a").at == job(3).sequence


def test_answers_bring_no_pet_back():
    pet = Pet()
    applied = pet.apply(fetched(5, insight("a", direction(0))))
    assert (applied.changed, applied.outcomes[0].status) == (False, JobStatus.REPEATED)
    assert not pet.fields


def test_a_list_announces_only_what_is_not_known(pet: Pet):
    pet.apply(job(2, insight("c", direction(0))))
    listings = {name: row_of(pet, name) for name in ("a", "b", "c")}
    applied = pet.apply(fetched(5, kind="list", image_ids=["a", "b", "c", "d"]), with_wants=True)
    assert {name: row_of(pet, name) for name in listings} == listings
    assert row_of(pet, "d").exists
    assert (list(applied.new_wants), list(applied.old_wants)) == (["a", "b", "d"], ["c"])


def test_a_list_makes_an_album_of_a_pet_that_is_not_known():
    pet = Pet()
    pet.apply(fetched(5, kind="list", image_ids=["a"]))
    assert row_of(pet, "a").exists


def test_each_answer_makes_a_view_for_that_tells_how_many_are_out(pet: Pet):
    version = pet.album.version
    pet.apply(fetched(5))
    assert pet.album.version == version + 1


def test_answers_are_not_remembered_among_the_jobs(pet: Pet):
    before = pet.album.segments
    pet.apply(fetched(5, insight("a", direction(0))))
    assert pet.album.segments == before


def test_vectors_that_cannot_be_compared_change_nothing(pet: Pet):
    pet.apply(job(2, insight("c", direction(0, dimension=32))))
    before = dict(pet.fields)
    applied = pet.apply(fetched(5, insight("a", direction(0, dimension=12))))
    assert applied.outcomes[0].status is JobStatus.REJECTED
    assert pet.fields == before


@settings(max_examples=60, deadline=None)
@given(histories(), st.data())
def test_whatever_is_fetched_overrides_nothing(jobs, data):
    """Answers on any images, anywhere among the jobs: what a producer said, and who is there, stays as without them."""
    with_answers, without = Pet(params=SMALL), Pet(params=SMALL)
    named = {name for each in jobs for name in each.image_ids}
    names = sorted(named | {image.image_id for each in jobs for image in each.images})
    answers = st.lists(st.sampled_from(names or ["none"]), max_size=4, unique=True)
    for number, each in enumerate(jobs):
        with_answers.apply(each)
        without.apply(each)
        found = [insight(name, direction(3, 0.3, 1, 12), 0.123) for name in data.draw(answers)]
        with_answers.apply(fetched(100 + number, *found))
    for name in names:
        filled, plain = row_of(with_answers, name), row_of(without, name)
        assert (filled.exists, filled.removed, filled.listed) == (plain.exists, plain.removed, plain.listed)
        assert plain.attributes is None or filled.attributes == plain.attributes
        if plain.vectors is not None:
            assert (filled.vectors.at, filled.vectors.data) == (plain.vectors.at, plain.vectors.data)


def test_the_view_has_a_place_for_the_number_of_wants_only_where_insights_are_fetched(pet: Pet):
    params = Params()
    plain, telling = render(pet.album, params), render(pet.album, params, with_wants=True)
    assert b"insights_wanted" not in plain
    before, after = around_wants(telling)
    assert msgspec.json.decode(before + b"17" + after)["metrics"]["insights_wanted"] == 17
    told = msgspec.json.decode(telling)
    del told["metrics"]["insights_wanted"]
    assert told == msgspec.json.decode(plain)


def test_a_label_cannot_be_taken_for_the_place(pet: Pet):
    pet.apply(job(2, image_ids=["a"], labels=['x","insights_wanted":9']))
    before, after = around_wants(render(pet.album, Params(), with_wants=True))
    assert msgspec.json.decode(before + b"3" + after)["metrics"]["insights_wanted"] == 3


def test_the_vectors_are_those_that_were_fetched(pet: Pet):
    pet.apply(fetched(5, insight("a", direction(0))))
    other = Pet()
    other.apply(job(1, insight("a", direction(0))))
    assert vector_of(pet, "a").data == vector_of(other, "a").data
    assert np.frombuffer(vector_of(pet, "a").data, np.float16).any()
