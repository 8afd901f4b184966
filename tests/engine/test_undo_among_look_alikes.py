"""Words taken back where clusters look so much alike that whatever is grouped anew may come out otherwise."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sploot_clusterd.engine import JobStatus, Params
from sploot_clusterd.engine.words import AS_IT_WAS, FOUNDED_ANEW, REBUILT
from sploot_clusterd.model import NotHere, Rename, Undo
from tests.engine.corrected_pets import correction, orders
from tests.engine.pet import Pet, insight, job
from tests.engine.said import Said, cells, clusters
from tests.ui.pets import rex

SOME = [Params(), Params(join_cosine=0.8, join_threshold=0.3), Params(algorithm="average_linkage")]
DIMENSION = 24
albums = st.tuples(
    st.integers(0, 10**6), st.sampled_from([10, 18, 26]), st.integers(3, 6), st.sampled_from([0.6, 0.9, 1.2])
)
"""Seed, photos, looks and how much photos of one look differ."""


def photos_of(seed, count, looks, spread):
    """Photos of looks that have a part in common, some more and some less like the others of theirs."""
    draw = np.random.default_rng(seed)
    centres = draw.normal(size=DIMENSION) / DIMENSION**0.5 + draw.normal(size=(looks, DIMENSION)) / DIMENSION**0.5
    of = draw.integers(looks, size=count)
    noise = draw.normal(size=(count, DIMENSION)) * draw.uniform(0.6, 1.6, size=(count, 1)) * spread / DIMENSION**0.5
    return [
        insight(f"i{n:02}", vector, float(quality), f"Look {look}")
        for n, (vector, quality, look) in enumerate(
            zip(centres[of] + noise, draw.random(count).round(3), of, strict=True)
        )
    ]


def album_of(drawn, params, jobs_of=5):
    """A pet that got its photos over several jobs; whatever is due is grouped anew meanwhile."""
    pet, photos = Pet(params), photos_of(*drawn)
    for number, at in enumerate(range(0, len(photos), jobs_of)):
        pet.apply(job(number, *photos[at : at + jobs_of]))
    return pet


def groups(pet):
    return sorted(sorted(names) for names in clusters(pet).values())


def shown(pet):
    """What a reader sees, but for scores and when it changed."""
    faces = {each["id"]: (each["label"], each["hero_image_id"], each["size"]) for each in pet.clusters}
    return faces, groups(pet), sorted(pet.view["unclustered"])


def upkeep(pet):
    return {number: (space.moved, space.partitioned) for number, space in pet.album.spaces.items()}


def say(pet, number, order):
    """One correction of what the pet has; its word, None if there is nothing to be said or taken back."""
    if not pet.clusters:
        return None
    made, _ = correction(pet, Said(), number, order)
    pet.apply(job(number, corrections=[made]))
    return next((word for word in pet.album.words if word.job_id == f"job-{number}"), None)


def undo(pet, number, job_id):
    (outcome,) = pet.apply(job(number, corrections=[Undo(job_id)])).outcomes
    assert outcome.status is JobStatus.APPLIED, outcome.error
    pet.reload()


@given(albums, orders, st.sampled_from(SOME))
@settings(max_examples=40, deadline=None)
def test_what_is_taken_back_at_once_leaves_no_trace_whatever_it_led_to(drawn, order, params):
    pet = album_of(drawn, params)
    before, due, led = shown(pet), upkeep(pet), pet.album.successors.keys()
    word = say(pet, 900, order)
    if word is None:
        return
    assert word.regrouped == AS_IT_WAS

    undo(pet, 901, word.job_id)

    assert shown(pet) == before
    assert upkeep(pet) == due
    assert led <= pet.album.successors.keys()


@given(albums, orders, orders, st.sampled_from(SOME))
@settings(max_examples=15, deadline=None)
def test_the_last_word_first_leaves_no_trace_either(drawn, order, other, params):
    pet = album_of(drawn, params)
    states, words = [shown(pet)], []
    for number, each in enumerate((order, other)):
        words.append(say(pet, 900 + number, each))
        states.append(shown(pet))
    if None in words:
        return
    for number, (word, state) in enumerate(zip(reversed(words), reversed(states[:-1]), strict=True)):
        undo(pet, 910 + number, word.job_id)
        assert shown(pet) == state


@given(albums, orders, st.integers(1, 8), st.sampled_from(SOME))
@settings(max_examples=15, deadline=None)
def test_photos_that_came_since_are_all_the_difference(drawn, order, later, params):
    pet = album_of(drawn, params)
    old = cells(pet).keys()
    never = Pet(params, pet.album, dict(pet.fields))
    word = say(pet, 900, order)
    if word is None:
        return
    seed, _, *look = drawn
    rebuilt = 0
    for number, photo in enumerate(photos_of(seed + 1, later, *look)):
        new = insight(f"new-{number}", photo.vectors["embedding"], photo.quality)
        pet.apply(job(901 + number, new))
        rebuilt += never.apply(job(901 + number, new)).changes.rebuilt
    (word,) = pet.album.words

    undo(pet, 999, word.job_id)

    assert cells(pet).keys() == cells(never).keys()
    if not rebuilt and word.regrouped != FOUNDED_ANEW:
        assert of(groups(pet), old) == of(groups(never), old)


def of(found, old):
    return sorted(names for group in found if (names := [name for name in group if name in old]))


@pytest.fixture(scope="module")
def page() -> Pet:
    """The album that the page is tried with."""
    pet = Pet()
    pet.apply(job(1, *(insight(e["image_id"], e["embedding"], e["quality"], e.get("label")) for e in rex())))
    assert sizes(pet) == {"Portraits": 35, "At the beach": 19, "Asleep": 14, "In the snow": 7, "With a ball": 10}
    return pet


def sizes(pet):
    return {each["label"]: each["size"] for each in pet.clusters}


@pytest.mark.parametrize(
    ("names", "joined"),
    [(["rex_003", "rex_002"], 7), (["rex_009", "rex_024"], 8), (["rex_007", "rex_013"], 9)],
    ids=["they are a cluster", "one joins another cluster", "both join it"],
)
def test_a_cluster_that_photos_were_put_to_does_not_go_where_they_go_back(page, names, joined):
    pet = Pet(album=page.album, fields=dict(page.fields))
    (first, *_), before = pet.members(), shown(pet)
    pet.apply(job(2, corrections=[Rename(first, "One")]))
    undo(pet, 3, "job-2")

    pet.apply(job(4, corrections=[NotHere(first, names)]))

    assert pet.clusters[0]["size"] == 33
    assert sizes(pet)["In the snow"] == joined
    undo(pet, 5, "job-4")
    assert shown(pet) == before


def test_a_word_that_makes_a_rebuild_due_takes_it_back_with_it_and_gives_former_words_their_own_way_back(page):
    pet = Pet(album=page.album, fields=dict(page.fields))
    (first, *_), before = pet.members(), shown(pet)
    pet.apply(job(2, corrections=[Rename(first, "One")]))
    renamed = shown(pet)

    applied = pet.apply(job(3, corrections=[NotHere(first, [f"rex_0{n:02}" for n in range(7)])]))

    assert applied.changes.rebuilt == 1
    assert [word.regrouped for word in pet.album.words] == [REBUILT, AS_IT_WAS]
    undo(pet, 4, "job-3")
    assert shown(pet) == renamed
    assert [word.regrouped for word in pet.album.words] == [AS_IT_WAS]
    undo(pet, 5, "job-2")
    assert shown(pet) == before
