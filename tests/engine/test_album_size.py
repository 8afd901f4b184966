"""The estimate of what albums take in memory, by which `albums.cache_bytes` is kept."""

import subprocess
import sys

import pytest

from sploot_clusterd.engine import Params, album_nbytes
from sploot_clusterd.model import Merge, Rename
from tests.engine.album_memory import KINDS
from tests.engine.corrected import FIRST, SECOND, album, corrected, stir
from tests.engine.pet import Pet, job, photos


@pytest.mark.parametrize("kind", KINDS)
def test_albums_take_no_more_than_is_estimated_and_no_less_than_a_third(kind: str):
    command = [sys.executable, "-m", "tests.engine.album_memory", kind]
    printed = subprocess.run(command, check=True, capture_output=True, text=True, timeout=50).stdout
    resident, estimate, allocated, estimate_of_one = map(int, printed.split())
    assert 0.6 < resident / estimate < 1.05
    assert 0.33 < allocated / estimate_of_one < 1.05, "what has just been made shares texts"


@pytest.mark.parametrize("kind", KINDS)
def test_from_the_state_before_it_is_the_same(kind: str):
    pet = Pet(Params(max_cells=12))
    nbytes = album_nbytes(pet.album)
    for each in KINDS[kind]():
        before = pet.album
        pet.apply(each)
        nbytes = album_nbytes(pet.album, before, nbytes)
        assert nbytes == album_nbytes(pet.album)


def test_from_the_state_before_it_is_the_same_after_corrections_and_removals():
    pet = album()
    first = pet.album
    corrected(pet, 2, Merge([FIRST, SECOND]), Rename(FIRST, "Beach"))
    second = pet.album
    pet.apply(job(3, image_ids=["bare-1", "bare-2"], labels=["Beach", "Sofa"], coverage={"Sofa": 0.5}))
    third = pet.album
    stir(pet, 4)
    fourth = pet.album
    pet.apply(job(9, removed=["bare-1", "g2-0", "g2-1", "g2-2", "g0-0"]))
    states = [first, second, third, fourth, pet.album]

    for before in states:
        for after in states:
            assert album_nbytes(after, before, album_nbytes(before)) == album_nbytes(after)


def test_it_grows_with_the_album():
    pet = Pet()
    sizes = [album_nbytes(pet.album)]
    for number in range(1, 4):
        pet.apply(job(number, *photos({number: 8})))
        sizes.append(album_nbytes(pet.album))

    assert sizes == sorted(set(sizes))
