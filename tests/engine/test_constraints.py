"""Anchors against groupings: together what has one anchor, apart what has different ones, the rest as it was."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sploot_clusterd.engine.constraints import keep, obey
from sploot_clusterd.engine.evidence import agglomerate
from sploot_clusterd.engine.statistics import Cells


def cells(count, seed=0, dimension=6):
    random = np.random.default_rng(seed)
    weights = random.uniform(0.2, 3.0, count)
    units = random.normal(size=(count, dimension))
    units /= np.maximum(np.linalg.norm(units, axis=1, keepdims=True), 1e-9)
    return Cells((units * weights[:, None]).astype(np.float32), weights)


def obeyed(groups, anchors, of=None):
    """Numbered in the order of their first cells."""
    of = of or cells(len(groups))
    return numbered(obey(np.array(groups, dtype=np.int64), np.array(anchors, dtype=np.int64), of, of.about(16.0)))


def numbered(groups):
    numbers = {}
    return [numbers.setdefault(group, len(numbers)) for group in groups.tolist()]


@pytest.mark.parametrize(
    ("groups", "anchors", "expected"),
    [
        ([5, 5, -1], [-1, -1, -1], [0, 0, 1]),
        ([0, 0, 1, 1], [-1, 7, 7, 7], [0, 0, 0, 0]),
        ([0, 0, 1, 1, 2], [7, -1, 7, -1, -1], [0, 0, 0, 0, 1]),
        ([0, 0, 1, 1, 2, 2], [7, -1, 7, -1, 7, -1], [0] * 6),
        ([0, 1, 2], [3, 3, 3], [0, 0, 0]),
        ([0, 1], [3, 4], [0, 1]),
        ([], [], []),
    ],
)
def test_cells_of_an_anchor_come_together_and_the_rest_of_their_groups_follows(groups, anchors, expected):
    of = Cells(np.eye(max(len(groups), 1), dtype=np.float32)[: len(groups)], np.ones(len(groups)))
    assert obeyed(groups, anchors, of) == expected


def test_a_group_that_two_anchors_want_is_parted_and_the_others_go_to_the_nearer():
    sums = np.array([[1, 0.1, 0], [0, 1, 0.1], [0.9, 0, 0.1], [0, 0.9, 0], [0, 0, 1]], dtype=np.float32)

    parted = obeyed([0, 0, 0, 0, 1], [8, 9, -1, -1, -1], Cells(sums, np.ones(5)))

    assert parted == [0, 1, 0, 1, 2]


def test_several_looks_of_two_anchors_in_one_group_each_draw_what_is_near_them_there():
    sums = np.array([[1, 0, 0.1], [0, 1, 0.1], [0.1, 0, 1], [0.9, 0.1, 0], [0, 0.1, 0.9]], dtype=np.float32)

    parted = obeyed([0, 0, 1, 0, 1], [8, 9, 9, -1, -1], Cells(sums, np.ones(5)))

    assert parted == [0, 1, 1, 0, 1]


@pytest.mark.parametrize(
    ("likest", "held", "expected"),
    [([1, 0.1, 0], 8, [0, 0, 1, 1]), ([0, 0.1, 1], 8, [0, 1, 1, 1]), ([1, 0.1, 0], -1, [0, 1, 1, 1])],
)
def test_a_stray_goes_back_only_to_where_it_was_and_only_if_it_is_more_like_a_look_there(likest, held, expected):
    of = Cells(np.array([[1, 0, 0], likest, [0, 0, 1], [0, 0.1, 1]], dtype=np.float32), np.ones(4))
    groups, anchors, before = (np.array(each) for each in ([0, 1, 1, 1], [8, -1, -1, -1], [8, held, -1, -1]))

    kept = keep(groups, anchors, before, of, of.about(16.0))

    assert numbered(kept) == expected


@st.composite
def groupings(draw):
    count = draw(st.integers(1, 12))
    return [
        draw(st.lists(st.integers(least, most), min_size=count, max_size=count)) for least, most in ((0, 4), (-1, 3))
    ]


def led(numbers, pair):
    """Whether each of the groups holds a cell with an anchor."""
    return numbers <= {group for group, anchor in zip(*pair, strict=True) if anchor >= 0}


@given(groupings())
@settings(deadline=None)
def test_one_anchor_is_one_group_and_the_rest_parts_only_where_it_must(pair):
    groups, anchors = pair

    result = obeyed(groups, anchors)

    for one, other in combinations(range(len(groups)), 2):
        both = anchors[one] >= 0 and anchors[other] >= 0
        if both:
            assert (result[one] == result[other]) == (anchors[one] == anchors[other])
        elif groups[one] != groups[other] and not led({groups[one], groups[other]}, pair):
            assert result[one] != result[other]
    assert obeyed(result, anchors) == obeyed(obeyed(result, anchors), anchors)


@given(groupings(), st.integers(1, 6))
@settings(deadline=None)
def test_permanent_merges_keep_anchors_apart_and_stop_where_only_they_are_left(pair, at_most):
    _, anchors = pair
    of = cells(len(anchors), 3)

    sums = of.centred(of.about(16.0))
    groups = agglomerate(sums, of.weights, 0.15, 0.05, at_most=at_most, anchors=np.array(anchors, dtype=np.int64))

    for group in set(groups.tolist()):
        assert len({anchors[at] for at in np.flatnonzero(groups == group)} - {-1}) <= 1
    kinds = len(set(anchors) - {-1})
    assert len(set(groups.tolist())) <= max(at_most, kinds, 1)
