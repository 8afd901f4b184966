"""Images without vectors that users hide: kept, in no cluster and not counted in coverage, whatever comes later."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sploot_clusterd.engine import JobStatus, Params
from sploot_clusterd.engine.telling import hidden
from sploot_clusterd.model import Hide, Undo, Unhide
from sploot_clusterd.snapshot import Restore
from tests.engine.pet import Pet, direction, insight, job, photos

LABELS = {"labels": ["Asleep", "Portraits"], "coverage": {"Asleep": 0.5, "Portraits": 0.5}}
NAMES = [f"bare-{n}" for n in range(8)]
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("announce"), st.lists(st.sampled_from(NAMES), min_size=1, max_size=3)),
        st.tuples(st.just("remove"), st.lists(st.sampled_from(NAMES), min_size=1, max_size=2)),
        st.tuples(st.just("rate"), st.lists(st.sampled_from(NAMES), min_size=1, max_size=2)),
        st.tuples(st.just("vectors"), st.lists(st.sampled_from(NAMES), min_size=1, max_size=3)),
    ),
    max_size=6,
)


def announced(*names, **more):
    return job(1, image_ids=list(names), **{**LABELS, **more})


def said(pet, number, *corrections, **more):
    (outcome,) = pet.apply(job(number, corrections=list(corrections), **more)).outcomes
    assert outcome.status is JobStatus.APPLIED, outcome.error
    pet.reload()


def shown(pet):
    view = pet.view
    return view["clusters"], view["unclustered"], view["metrics"]["coverage"], view["metrics"]["num_images"]


@pytest.fixture
def pet() -> Pet:
    """Six photos announced, and none with vectors."""
    made = Pet()
    made.apply(announced(*NAMES[:6]))
    return made


def test_they_are_kept_and_not_shown(pet):
    said(pet, 2, Hide(image_ids=["bare-0", "bare-4"]))

    assert [*pet.members().values()] == [["bare-1", "bare-2"], ["bare-3", "bare-5"]]
    metrics = pet.view["metrics"]
    assert (metrics["num_images"], metrics["num_hidden"]) == (6, 2)
    assert hidden(pet.album, pet.params).image_ids == ["bare-0", "bare-4"]
    assert (pet.album.num_provisional, pet.album.num_vector_images) == (4, 0)


def test_coverage_is_that_of_the_others():
    pet = Pet()
    pet.apply(job(1, image_ids=NAMES[:3]), job(2, *photos([5], label="Asleep")))
    before = pet.view["metrics"]["coverage"]
    said(pet, 3, Hide(image_ids=NAMES[:3]))
    assert before == {"Group 1": 3 / 8, "Asleep": 5 / 8}
    assert pet.view["metrics"]["coverage"] == {"Asleep": 1.0}


def test_shown_again_they_are_where_they_were(pet):
    before = shown(pet)
    said(pet, 2, Hide(image_ids=["bare-4", "bare-0"]))
    pet.apply(job(3, image_ids=["bare-0"]))
    said(pet, 4, Unhide(image_ids=["bare-0", "bare-4"]))
    assert shown(pet) == before


def test_once_their_vectors_come_they_stay_hidden(pet):
    said(pet, 2, Hide(image_ids=["bare-0"]))
    pet.apply(job(3, *photos([5]), insight("bare-0", direction(0, 0.3, 7))))
    pet.apply(job(4, force=True))
    assert "bare-0" not in [name for names in pet.members().values() for name in names]
    assert pet.reload().num_vector_images == 6

    said(pet, 5, Unhide(image_ids=["bare-0"]))
    assert pet.cluster_of("bare-0") == pet.cluster_of("g0-0")


def test_one_that_comes_with_the_job_can_be_hidden_by_it(pet):
    said(pet, 2, Hide(image_ids=["bare-5", "bare-6"]), image_ids=["bare-6", "bare-7"])
    assert sorted(pet.album.hidden) == ["bare-5", "bare-6"]
    assert "bare-7" in [name for names in pet.members().values() for name in names]


@pytest.mark.parametrize("again", [job(4, image_ids=["bare-0"]), job(4, insight("bare-0", direction(1)))])
def test_one_that_was_removed_and_came_again_is_shown(pet, again):
    said(pet, 2, Hide(image_ids=["bare-0"]))
    pet.apply(job(3, removed=["bare-0"]))
    assert pet.reload().hidden == {}
    pet.apply(again)
    assert pet.album.hidden == {}
    assert pet.view["metrics"]["num_images"] == 6


@pytest.mark.parametrize("name", ["bare-0", "g0-0"])
def test_one_that_is_removed_and_comes_again_with_one_job_is_shown_too(pet, name):
    pet.apply(job(2, *photos([5])))
    said(pet, 3, Hide(image_ids=[name]))
    pet.apply(job(4, insight(name, direction(0, 0.3, 0)), removed=[name]))
    assert pet.reload().hidden == {}
    assert name in pet.members()[pet.cluster_of("g0-1")]


def test_a_removal_that_comes_late_does_not_show_it(pet):
    early = job(0, removed=["bare-0"])
    said(pet, 2, Hide(image_ids=["bare-0"]))
    pet.apply(early)
    assert sorted(pet.album.hidden) == ["bare-0"]


def test_they_count_towards_what_an_album_may_announce():
    pet = Pet(Params(most_announced=3))
    pet.apply(announced(*NAMES[:3]))
    said(pet, 2, Hide(image_ids=["bare-0"]))
    (outcome,) = pet.apply(job(3, image_ids=["bare-6"])).outcomes
    assert outcome.status is JobStatus.REJECTED
    assert "4 images without vectors" in outcome.error.detail


def test_what_goes_back_to_a_version_hides_what_was_hidden_then(pet):
    said(pet, 2, Hide(image_ids=["bare-0", "bare-1"]))
    then = pet.snapshot()
    said(pet, 3, Unhide(image_ids=["bare-1"]), Hide(image_ids=["bare-2"]))
    pet.apply(job(4, insight("bare-0", direction(0)), image_ids=["bare-6"]))
    said(pet, 5, Hide(image_ids=["bare-6"]))

    (outcome,) = pet.apply(job(6, restore=Restore(2, then), model_version=None)).outcomes
    assert outcome.status is JobStatus.APPLIED, outcome.error
    assert sorted(pet.reload().hidden) == ["bare-0", "bare-1"]
    assert pet.album.num_vector_images == 1
    assert [name for names in pet.members().values() for name in names] == [
        "bare-2",
        "bare-3",
        "bare-4",
        "bare-5",
        "bare-6",
    ]


@given(STEPS, st.lists(st.sampled_from(NAMES), min_size=1, max_size=4), STEPS, st.sampled_from(["unhide", "undo"]))
@settings(max_examples=40, deadline=None)
def test_what_is_shown_again_is_as_if_it_had_never_been_hidden(before, names, since, how):
    """The list of those without vectors, to the place; and the clusters of the others, once all is grouped anew."""
    pet, never = Pet(), Pet()
    play(before, 1, pet, never)
    if pet.apply(job(100, corrections=[Hide(image_ids=names)])).outcomes[0].status is not JobStatus.APPLIED:
        return
    there = {*pet.album.hidden}
    assert there <= set(names)
    play(since, 101, pet, never)
    removed = {name for what, some in since if what == "remove" for name in some}
    assert there - removed <= pet.reload().hidden.keys() <= there
    assert not pet.album.hidden.keys() & {name for names in pet.members().values() for name in names}

    last = Undo("job-100") if how == "undo" else Unhide(image_ids=names)
    (outcome,) = pet.apply(job(200, corrections=[last])).outcomes
    assert outcome.status is JobStatus.APPLIED or not (there - removed or how == "undo"), outcome.error

    for each in (pet, never):
        each.apply(job(201, force=True))
    assert pet.reload().hidden == {}
    assert [chunk.images for chunk in pet.album.chunks if chunk.images] == [
        chunk.images for chunk in never.album.chunks
    ]
    assert sorted(map(sorted, pet.members().values())) == sorted(map(sorted, never.members().values()))


def play(steps, first, *pets):
    for number, (what, names) in enumerate(steps, first):
        made = {
            "announce": job(number, image_ids=names),
            "remove": job(number, removed=names),
            "rate": job(number, *(insight(name, quality=number / 300) for name in dict.fromkeys(names))),
            "vectors": job(
                number, *(insight(n, direction(int(n[-1]) % 2, 0.2, int(n[-1]))) for n in dict.fromkeys(names))
            ),
        }[what]
        for pet in pets:
            pet.apply(made)
