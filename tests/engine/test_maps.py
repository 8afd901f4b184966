"""The map of a pet's photos: where its cells lie, and what does not depend on chance."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sploot_clusterd.engine.maps import maps, principal
from sploot_clusterd.model import cluster_number
from tests.engine.gathering import gathered, pet_of
from tests.engine.pet import Pet, direction, insight, job


def test_points_are_the_cells_with_all_their_images_and_looks_lie_apart():
    pet = pet_of(20)
    (found,) = maps(pet.album, pet.params).maps
    assert (found.model_version, sum(each.size for each in found.cells)) == ("m@1", 60)
    shown = {each["id"]: each["size"] for each in pet.clusters}
    middles = {}
    for cluster, size in shown.items():
        own = [each for each in found.cells if each.cluster == cluster]
        assert sum(each.size for each in own) == size
        middles[cluster] = np.array([[each.x, each.y] for each in own])
    for cluster, places in middles.items():
        spread = np.linalg.norm(places - places.mean(axis=0), axis=1).mean()
        others = [each.mean(axis=0) for name, each in middles.items() if name != cluster]
        assert all(np.linalg.norm(places.mean(axis=0) - each) > 2 * spread for each in others)


def test_images_of_a_cluster_tell_their_points():
    pet = pet_of(20)
    points = {each.cell: each for each in maps(pet.album, pet.params).maps[0].cells}
    for shown in pet.clusters:
        _, members = gathered(pet, cluster_number("pet_123", shown["id"]))
        cells = [each.cell for each in members]
        assert all(points[cell].cluster == shown["id"] for cell in cells)
        assert all(cells.count(cell) == points[cell].size for cell in set(cells))


def test_each_model_version_has_a_map_and_no_album_has_none():
    pet = Pet()
    assert maps(pet.album, pet.params).maps == []
    pet.apply(job(1, insight("a", direction(0))))
    (only,) = maps(pet.album, pet.params).maps
    assert [(each.x, each.y, each.size, each.image_id) for each in only.cells] == [(0.0, 0.0, 1, "a")]
    pet.apply(job(2, insight("b", direction(1, dimension=16)), model_version="m@2"))
    assert [each.model_version for each in maps(pet.album, pet.params).maps] == ["m@1", "m@2"]


@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 9))
def test_a_map_keeps_to_its_frame_and_does_not_depend_on_the_order(count: int, dimension: int, seed: int):
    draw = np.random.default_rng(seed)
    points, weights = draw.normal(size=(count, dimension)), draw.uniform(0.2, 3.0, count)
    places = principal(points, weights)
    assert places.shape == (count, 2)
    assert np.abs(places).max() <= 1.0 + 1e-9
    order = draw.permutation(count)
    assert principal(points[order], weights[order]) == pytest.approx(places[order], abs=1e-6)
    assert weights @ places == pytest.approx(0.0, abs=1e-6)


def test_points_on_a_line_stay_on_one():
    line = np.outer(np.arange(5.0), [3.0, 0.0, 4.0])
    assert principal(line, np.ones(5)) == pytest.approx(np.c_[np.linspace(-1, 1, 5), np.zeros(5)])
    assert (principal(np.ones((3, 4)), np.ones(3)) == 0).all()
