"""The estimate of what albums take in memory, by which `albums.cache_bytes` is kept."""

import subprocess
import sys

import pytest

from sploot_clusterd.engine import album_nbytes
from tests.engine.album_memory import KINDS
from tests.engine.pet import Pet, job, photos


@pytest.mark.parametrize("kind", KINDS)
def test_albums_take_no_more_than_is_estimated_and_no_less_than_a_third(kind: str):
    command = [sys.executable, "-m", "tests.engine.album_memory", kind]
    printed = subprocess.run(command, check=True, capture_output=True, text=True, timeout=50).stdout
    resident, estimate, allocated, estimate_of_one = map(int, printed.split())
    assert 0.6 < resident / estimate < 1.05
    assert 0.33 < allocated / estimate_of_one < 1.05, "what has just been made shares texts"


def test_it_grows_with_the_album():
    pet = Pet()
    sizes = [album_nbytes(pet.album)]
    for number in range(1, 4):
        pet.apply(job(number, *photos({number: 8})))
        sizes.append(album_nbytes(pet.album))

    assert sizes == sorted(set(sizes))
