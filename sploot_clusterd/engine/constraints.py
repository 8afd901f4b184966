"""What users' corrections demand of any grouping of cells, whichever algorithm made it."""

import numpy as np

from sploot_clusterd.engine.statistics import TINY, Cells, Centring, Ints, centred


def obey(groups: Ints, anchors: Ints, cells: Cells, about: Centring) -> Ints:
    """The groups [k], changed as little as the anchors [k] of the cells (-1: none) demand.

    Cells of one anchor must be together: they go to the group that holds most of their weight. Cells of different
    anchors must be apart: where several want one group it is parted, and its cells without an anchor go to the nearest
    of them by centred cosine. Ties go to the lowest group and the oldest anchor.
    """
    _, groups = np.unique(groups, return_inverse=True)
    wanted: dict[int, list[int]] = {}
    for anchor in np.unique(anchors[anchors >= 0]).tolist():
        own = anchors == anchor
        wanted.setdefault(int(np.bincount(groups[own], cells.weights[own]).argmax()), []).append(anchor)
    obeyed = groups.astype(np.int64)
    following = int(groups.max(initial=-1)) + 1
    for group, rivals in wanted.items():
        numbers = np.array([group, *range(following, following + len(rivals) - 1)])
        following += len(rivals) - 1
        free = (groups == group) & (anchors < 0)
        if len(rivals) > 1:
            obeyed[free] = numbers[_nearest(np.flatnonzero(free), anchors, rivals, cells, about)]
        for number, anchor in zip(numbers.tolist(), rivals, strict=True):
            obeyed[anchors == anchor] = number
    return obeyed


def _nearest(free: Ints, anchors: Ints, rivals: list[int], cells: Cells, about: Centring) -> Ints:
    """For each of the cells `free` [f] the place among `rivals` of the anchor whose centre it is nearest to, [f]."""
    images = centred(cells, about)
    centres = np.array([images[anchors == anchor].sum(axis=0) for anchor in rivals])
    lengths = np.linalg.norm(centres, axis=1)
    return np.asarray((images[free] @ centres.T / np.maximum(lengths, TINY)).argmax(axis=1), dtype=np.int64)
