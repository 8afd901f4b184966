"""Others are let by between any two steps that may take long, however large the album and whatever is done to it."""

import pytest

from sploot_clusterd.engine import Params
from sploot_clusterd.model import Rename
from sploot_clusterd.snapshot import Restore
from tests.engine.pet import Pet, direction, insight, job, photos
from tests.support.stretches import Stretches

WHOLE = [["brought up to date"], ["frozen"], ["encoded"]]
"""What a call ends with."""


@pytest.fixture
def stretches(monkeypatch: pytest.MonkeyPatch) -> Stretches:
    return Stretches(monkeypatch)


@pytest.fixture
def pet(stretches: Stretches) -> Pet:
    """An album of two spaces, of three images each."""
    pet = Pet(Params(rebuild_least=10**6), checkpoint=stretches.checkpoint)
    pet.apply(job(1, *photos([2, 1])))
    pet.apply(job(2, *photos({2: 2, 3: 1}), model_version="m@2"))
    stretches.take()
    return pet


def test_between_jobs_and_between_their_images(pet: Pet, stretches: Stretches):
    pet.apply(job(3, *photos({4: 3})), job(4, removed=["g0-0", "g0-1"]))
    assert stretches.take() == [
        ["job"],
        *[["image"]] * 3,
        ["brought up to date"],
        ["job"],
        *[["image"]] * 2,
        *WHOLE,
    ]


def test_beside_corrections(pet: Pet, stretches: Stretches):
    """They are made in a draft of their own."""
    named = next(iter(pet.members()))
    pet.apply(job(3, *photos({4: 3}), corrections=[Rename(named, "Mine")]))
    assert stretches.take() == [["job"], *[["image"]] * 3, *WHOLE]


def test_where_all_cells_are_founded_anew(pet: Pet, stretches: Stretches):
    pet.apply(job(3, insight("new", direction(0)), force=True))
    asked_for_all_rows = [["job"], ["image"]]
    assert stretches.take() == [
        *asked_for_all_rows,
        ["job"],
        ["image"],
        *[["image founded anew"]] * 7,
        *[["space partitioned"]] * 2,
        *WHOLE,
    ]


def test_where_an_album_goes_back(pet: Pet, stretches: Stretches):
    version, name = pet.album.version, pet.snapshot()
    pet.apply(job(3, *photos({4: 3})))
    stretches.take()
    pet.apply(job(4, restore=Restore(version, name), model_version=None), job(5, image_ids=["bare"]))
    asked_for_all_rows = [["job"]]
    assert stretches.take() == [
        *asked_for_all_rows,
        ["job"],
        *[["image put back"]] * 3,
        ["brought up to date"],
        ["job"],
        ["image"],
        *WHOLE,
    ]
