"""What holds of albums that went back to what they were, whatever happened since."""

from copy import deepcopy
from dataclasses import dataclass

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from sploot_clusterd.engine import JobStatus, decode_album
from sploot_clusterd.engine.rows import decode_row
from sploot_clusterd.snapshot import Restore
from tests.engine.corrected_pets import SETTINGS, contents, histories, holds, play, told
from tests.engine.pet import Pet, job
from tests.engine.said import Said, clusters

LATER = 900


@dataclass
class Then:
    """A pet at one moment."""

    name: str
    said: Said
    shown: list[dict]
    rows: dict[str, bytes]


def live(rows: dict[str, bytes]) -> set[str]:
    return {name for name, raw in rows.items() if decode_row(raw).exists}


def lives(history, params, moment: int) -> tuple[Pet, Then]:
    """The pet after its history, and as it was at one of the moments in it."""
    moments = list[Then]()

    def keep(pet: Pet, said: Said) -> None:
        moments.append(Then(pet.snapshot(), deepcopy(said), pet.clusters, pet.rows()))

    pet, _ = play(history, params, keep)
    return pet, moments[moment % len(moments)]


def went_back(pet: Pet, then: Then):
    (outcome,) = pet.apply(job(LATER, restore=Restore(1, then.name), model_version=None)).outcomes
    assert outcome.status is JobStatus.APPLIED


@given(histories, st.sampled_from(SETTINGS))
@settings(max_examples=7, deadline=None)
def test_where_nothing_came_since_all_is_as_it_was(history, params):
    pet, _ = lives(history, params, -1)
    then = Then(pet.snapshot(), Said(), pet.clusters, pet.rows())
    version, metrics = pet.view["version"], pet.view["metrics"]

    went_back(pet, then)

    assert (pet.clusters, pet.rows(), pet.view["version"]) == (then.shown, then.rows, version + 1)
    assert pet.view["metrics"] | {"processed_at": ""} == metrics | {"processed_at": ""}


@given(histories, st.sampled_from(SETTINGS), st.integers(0, 30))
@settings(max_examples=12, deadline=None)
def test_what_was_said_then_holds_again_and_no_image_is_lost(history, params, moment):
    pet, then = lives(history, params, moment)
    present = live(pet.rows())

    went_back(pet, then)

    assert live(pet.rows()) == present | live(then.rows)
    then.said.keep(pet)
    holds(pet, then.said)
    assert all(pet.rows()[name] == raw for name, raw in then.rows.items() if decode_row(raw).vectors)
    assert sum(map(len, clusters(pet).values())) == sum(cell.count for cell in pet.album.cells.values())


@given(histories, st.sampled_from(SETTINGS), st.integers(0, 30))
@settings(max_examples=7, deadline=None)
def test_it_is_read_back_as_it_was_and_numbers_lead_to_what_is_there(history, params, moment):
    pet, then = lives(history, params, moment)
    given_out, seen = pet.album.counters.number, {each.number for each in pet.album.clusters.values() if each.shown}

    went_back(pet, then)

    held, read = pet.album, decode_album("pet_123", pet.tables())
    for name in (each.name for each in structs.fields(held)):
        if name not in {"spaces", "fragments"}:
            assert getattr(read, name) == getattr(held, name), name
    for number, space in held.spaces.items():
        assert np.array_equal(read.spaces[number].sums, space.sums)
    numbers = [each.number for each in (*held.clusters.values(), *held.provisional) if each.number is not None]
    assert len(numbers) == len(set(numbers))
    assert not held.successors.keys() & set(numbers)
    assert set(held.successors.values()) <= set(numbers)
    assert held.counters.number >= given_out
    assert seen <= {*numbers, *held.successors}


@given(histories, contents, st.sampled_from(SETTINGS), st.integers(0, 30))
@settings(max_examples=7, deadline=None)
def test_life_goes_on_from_memory_as_from_what_is_stored(history, content, params, moment):
    pet, then = lives(history, params, moment)
    went_back(pet, then)
    other = Pet(params, fields=dict(pet.fields))
    other.reload()

    for each in (pet, other):
        (outcome,) = each.apply(told(LATER + 1, content)).outcomes
        assert outcome.status is JobStatus.APPLIED

    assert other.fields == pet.fields
    then.said.pins = {name: at for name, at in then.said.pins.items() if name not in content["removed"]}
    then.said.keep(pet)
    holds(pet, then.said)


@given(histories, st.sampled_from(SETTINGS), st.integers(0, 30))
@settings(max_examples=5, deadline=None)
def test_together_with_other_jobs_it_comes_to_the_same(history, params, moment):
    pet, then = lives(history, params, moment)
    twin = Pet(params, pet.album, dict(pet.fields), snapshots=pet.snapshots)
    jobs = [
        job(LATER - 1, image_ids=["bare-0"]),
        job(LATER, restore=Restore(1, then.name), model_version=None),
        job(LATER + 1, removed=["img-1"]),
    ]

    for each in jobs:
        pet.apply(each)
    twin.apply(*jobs)

    assert twin.clusters == pet.clusters
    assert twin.rows() == pet.rows()
