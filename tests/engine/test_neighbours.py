"""What is left of cells once they are drawn towards their neighbours."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sploot_clusterd.engine.neighbours import smoothed


def cells(count: int, seed: int = 0, dimension: int = 24) -> tuple[np.ndarray, np.ndarray]:
    """Sums about three centres, and weights."""
    rng = np.random.default_rng(seed)
    weights = rng.choice([0.2, 0.7, 1.0, 3.0], size=count)
    units = rng.normal(size=(3, dimension))[rng.integers(3, size=count)] + rng.normal(size=(count, dimension))
    units /= np.linalg.norm(units, axis=1, keepdims=True)
    return (units * weights[:, None]).astype(np.float32), weights


def plain(sums: np.ndarray, weights: np.ndarray, neighbours: int, scale: float) -> np.ndarray:
    """Cell by cell, as the docs say."""
    units = sums / np.linalg.norm(sums, axis=1, keepdims=True)
    found = []
    for at, unit in enumerate(units):
        cosines = {other: float(unit @ units[other]) for other in range(len(units)) if other != at}
        nearest = sorted(cosines, key=lambda other: -cosines[other])[:neighbours]
        total = unit * max(weights[at], 1.0)
        for other in nearest:
            total = total + units[other] * (max(cosines[other], 0.0) / scale) ** 2 * min(weights[other], 1.0)
        found.append(total / np.linalg.norm(total) * np.linalg.norm(sums[at]))
    return np.array(found)


@given(st.integers(1, 40), st.integers(0, 20), st.sampled_from([1.0, 0.4]))
@settings(max_examples=30, deadline=None)
def test_it_is_what_a_loop_over_cells_gives(count, seed, scale):
    sums, weights = cells(count, seed)

    assert smoothed(sums, weights, 8, scale) == pytest.approx(plain(sums, weights, 8, scale), abs=1e-3)


@given(st.integers(2, 30), st.integers(0, 20))
@settings(max_examples=30, deadline=None)
def test_it_does_not_matter_in_which_order_cells_stand(count, seed):
    sums, weights = cells(count, seed)
    order = np.random.default_rng(seed).permutation(count)

    turned = smoothed(sums[order], weights[order], 8, 1.0)

    assert turned == pytest.approx(smoothed(sums, weights, 8, 1.0)[order], abs=1e-4)


def test_cells_of_one_centre_come_nearer_and_those_of_others_hardly():
    rng = np.random.default_rng(3)
    group = np.repeat([0, 1], 20)
    units = np.linalg.qr(rng.normal(size=(64, 2)))[0].T[group] + 0.2 * rng.normal(size=(40, 64))
    units = (units / np.linalg.norm(units, axis=1, keepdims=True)).astype(np.float32)

    found = smoothed(units, np.ones(40), 8, 1.0)

    def inside_and_between(rows: np.ndarray) -> tuple[float, float]:
        cosines = rows @ rows.T
        same = group[:, None] == group
        return float(cosines[same].mean()), float(cosines[~same].mean())

    assert inside_and_between(found)[0] > inside_and_between(units)[0] + 0.2
    assert inside_and_between(found)[1] < inside_and_between(units)[1] + 0.05


def test_what_has_no_direction_stays_and_draws_nobody():
    sums, weights = cells(6)
    nothing = np.full((1, 24), 1e-7, np.float32)

    found = smoothed(np.vstack([sums, nothing]), np.append(weights, 1.0), 8, 1.0)

    assert np.array_equal(found[6], nothing[0])
    assert found[:6] == pytest.approx(smoothed(sums, weights, 8, 1.0), abs=1e-6)
