"""What holds of corrected albums whatever comes later: a model of what users said, held against the engine."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from sploot_clusterd.engine import JobStatus, apply, decode_album
from sploot_clusterd.entry_ids import EntryId
from sploot_clusterd.model import Rename, cluster_id
from tests.engine.corrected_pets import SETTINGS, contents, correction, histories, holds, orders, play, told
from tests.engine.pet import START_MS, Pet, direction, insight
from tests.engine.said import Said

LATER = EntryId(START_MS + 10**9, 0)


@given(histories, st.sampled_from(SETTINGS))
@settings(max_examples=60, deadline=None)
def test_what_users_said_holds_whatever_comes_later(history, params):
    play(history, params, holds)


@given(histories, contents, orders, st.sampled_from(SETTINGS))
@settings(max_examples=60, deadline=None)
def test_what_users_said_of_what_was_shown_is_not_refused_for_what_comes_with_it(history, content, order, params):
    said = Said()
    pet, _ = play(history[:3], params, said=said)
    if all(cluster.number is None for cluster in pet.album.clusters.values()):
        return
    made, learn = correction(pet, said, 500, order)

    (outcome,) = pet.apply(told(1000, content)._replace(corrections=[made])).outcomes

    if outcome.status is JobStatus.REJECTED:
        assert outcome.error.reason == "invalid", outcome.error
    else:
        learn()
    for name in content["removed"]:
        said.token.pop(name, None)
        said.pins.pop(name, None)
    said.keep(pet)
    holds(pet, said)


@given(histories, st.sampled_from(SETTINGS))
@settings(max_examples=30, deadline=None)
def test_ids_are_never_given_twice_and_those_of_clusters_lead_to_clusters(history, params):
    gone, before = set(), set()

    def check(pet, said):
        nonlocal before
        numbers = [cluster.number for cluster in pet.album.clusters.values() if cluster.number is not None]
        assert len(numbers) == len(set(numbers))
        assert not gone & set(numbers)
        gone.update(before - set(numbers))
        before = set(numbers)
        assert pet.album.successors.keys() <= gone
        assert not pet.album.successors.keys() & set(pet.album.successors.values())

    play(history, params, check)


@given(histories, st.sampled_from(SETTINGS))
@settings(max_examples=30, deadline=None)
def test_a_corrected_album_is_read_back_as_it_was(history, params):
    def check(pet, said):
        held, read = pet.album, decode_album("pet_123", pet.tables())
        for name in (each.name for each in structs.fields(held)):
            if name not in {"spaces", "fragments"}:
                assert getattr(read, name) == getattr(held, name), name
        for number, space in held.spaces.items():
            assert np.array_equal(read.spaces[number].sums, space.sums)
            assert np.array_equal(read.spaces[number].weights, space.weights)
        pet.reload()

    play(history, params, check)


@given(histories, st.sampled_from(SETTINGS), st.integers(0, 30))
@settings(max_examples=30, deadline=None)
def test_a_job_that_comes_again_corrects_nothing(history, params, which):
    pet, jobs = play(history, params)
    first = jobs[which % len(jobs)]
    refused = first.corrections and first.job_id not in {i for part in pet.album.segments for i in part.jobs}

    applied = pet.apply(first._replace(sequence=LATER, force=True))

    assert refused or not applied.changed


@given(histories, st.sampled_from(SETTINGS))
@settings(max_examples=30, deadline=None)
def test_a_refused_job_leaves_no_trace(history, params):
    _, jobs = play(history, params)
    clean, soiled = Pet(params), Pet(params)
    never = Rename(cluster_id("pet_123", 10**9), "never")
    mixed = []
    for each in jobs:
        mixed += [each._replace(job_id=f"bad-{each.job_id}", force=False, corrections=[*each.corrections, never]), each]

    expected, applied = clean.apply(*jobs), soiled.apply(*mixed)

    assert {outcome.status for outcome in applied.outcomes[::2]} == {JobStatus.REJECTED}
    assert soiled.fields == clean.fields
    assert soiled.view == clean.view
    assert applied.changes == expected.changes


@given(histories, st.sampled_from(SETTINGS))
@settings(max_examples=30, deadline=None)
def test_the_same_jobs_give_the_same_bytes_together_too(history, params):
    pet, jobs = play(history, params)
    again, together = Pet(params), Pet(params)
    for each in jobs:
        rows, album = again.rows(), again.album
        apply(album, [each], rows, params, START_MS, complete=True)  # its commit meets a conflict
        again.apply(each)
    assert again.fields == pet.fields

    together.apply(*jobs)
    assert together.clusters == pet.clusters
    assert together.rows() == pet.rows()


def test_what_a_split_closes_is_closed_for_its_own_job_alone():
    """A job with `force` after it, in the same call, may put others to the photo that was split off."""
    forced = {"images": [], "removed": [], "image_ids": [], "model_version": "m@1", "force": True}
    again = forced | {"images": [insight("img-0", direction(1, 0.3, 0, 12))]}
    pet, jobs = play([(forced, None), (forced, ("split", [0], [0])), (again, None)], SETTINGS[0])

    together = Pet(SETTINGS[0])
    together.apply(*jobs)

    assert together.clusters == pet.clusters
    assert any(len(cluster["members"]) > 1 for cluster in pet.clusters if cluster["hero_image_id"] == "img-0")
