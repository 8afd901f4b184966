"""What users' corrections demand of any grouping of cells, whichever algorithm made it."""

from collections.abc import Iterable

import numpy as np

from sploot_clusterd.engine.statistics import DIGITS, EQUAL, TINY, Cells, Centring, Ints


def obey(groups: Ints, anchors: Ints, cells: Cells, about: Centring) -> Ints:
    """The groups [k], changed as the anchors [k] of the cells (-1: none) demand.

    Cells of one anchor come together, and those of different anchors part. The rest of a group follows the anchor that
    has cells in it: a user who merged two looks of an animal wants the photos that are like either. Where several have,
    each of the rest follows the one whose cells there are nearest by centred cosine; of equals the oldest.
    """
    _, groups = np.unique(groups, return_inverse=True)
    obeyed = groups.astype(np.int64)
    anchored = anchors >= 0
    names, places = np.unique(anchors[anchored], return_inverse=True)
    numbers = int(groups.max(initial=-1)) + 1 + np.arange(len(names))
    obeyed[anchored] = numbers[places]
    for group in np.unique(groups[anchored]):
        inside = groups == group
        free = np.flatnonzero(inside & ~anchored)
        rivals = np.unique(anchors[inside & anchored])
        if len(free):
            nearest = _nearest(free, np.where(inside, anchors, -1), rivals, cells, about)
            obeyed[free] = numbers[names.searchsorted(rivals[nearest])]
    return obeyed


def keep(groups: Ints, anchors: Ints, held: Ints, cells: Cells, about: Centring) -> Ints:
    """The groups [k] that `obey` left, without strays: whoever is in a corrected cluster because of a look stays.

    `held` [k] is the anchor of the cluster that each cell is in so far (-1: none). One that grouping took out of it
    goes back to the group of that anchor if it is at least as like some cell of it as any of the group that took it,
    by centred cosine. So an image does not leave when its look is dissolved for being small, or is but one image.
    """
    leads = {anchor: group for anchor, group in zip(anchors.tolist(), groups.tolist(), strict=True) if anchor >= 0}
    homes = np.array([leads.get(anchor, -1) for anchor in held.tolist()], dtype=np.int64)
    strays = np.flatnonzero((anchors < 0) & (homes >= 0) & (homes != groups))
    if not len(strays):
        return groups
    images = cells.centred(about)
    images = images / np.maximum(np.linalg.norm(images, axis=1, keepdims=True), TINY)
    likeness = images[strays] @ images.T
    likeness[np.arange(len(strays)), strays] = -np.inf
    own = np.where(anchors == held[strays, None], likeness, -np.inf).max(axis=1)
    others = np.where(groups == groups[strays, None], likeness, -np.inf).max(axis=1)
    kept = groups.copy()
    back = strays[own >= others - EQUAL]
    kept[back] = homes[back]
    return kept


def close(groups: Ints, anchors: Ints, held: Ints, homes: Ints, closed: Iterable[int]) -> Ints:
    """The groups [k] without whoever joined a cluster that is not open to it.

    `closed` names the anchors of clusters that take in nothing that was shown in others, `homes` [k] numbers the one
    that each cell was shown in (-1: none), and `held` [k] is as in `keep`. Cells that are turned away stay with the
    others of their home that are.
    """
    away = np.zeros(len(groups), dtype=np.bool_)
    for anchor in closed:
        away |= np.isin(groups, groups[anchors == anchor]) & (anchors < 0) & (held != anchor) & (homes >= 0)
    turned = groups.copy()
    turned[away] = int(groups.max(initial=-1)) + 1 + homes[away]
    return turned


def _nearest(free: Ints, anchors: Ints, rivals: Ints, cells: Cells, about: Centring) -> Ints:
    """For each of the cells `free` [f] the place among `rivals` [r] of the anchor whose centre is nearest, [f]."""
    if len(rivals) == 1:
        return np.zeros(len(free), dtype=np.int64)
    images = cells.centred(about)
    centres = np.array([images[anchors == anchor].sum(axis=0) for anchor in rivals])
    lengths = np.linalg.norm(centres, axis=1)
    likeness = (images[free] @ centres.T / np.maximum(lengths, TINY)).astype(np.float64)
    return np.asarray(likeness.round(DIGITS).argmax(axis=1), dtype=np.int64)
