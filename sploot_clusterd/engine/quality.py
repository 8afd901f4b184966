"""How well the clusters of an album are set apart, told without labels."""

import numpy as np

from sploot_clusterd.engine.statistics import TINY, Cells, Centring, Ints


def silhouette(cells: Cells, counts: Ints, groups: Ints, about: Centring, least: int) -> float | None:
    """Mean over images of (b - a) / max(a, b), -1 to 1: a is an image's mean distance from the others of its group, b
    that from the images of the nearest other group; 0 for an image alone (Rousseeuw, "Silhouettes", 1987).

    `counts` [k] are the cells' images, `groups` [k] numbers them from 0; those of fewer images than `least` are left
    out. None if fewer than two are left. Distance is 1 - centred cosine. Means of it follow from sums, so no pair of
    images is looked at, as Hruschka, de Castro and Campello's simplified silhouette (2004) does by centroids. Theirs
    flatters small groups, for an image is near a centroid that it is part of. A cell counts as its mean image, by
    weight.
    """
    is_shown = np.bincount(groups, counts) >= least
    number = int(np.count_nonzero(is_shown))
    if number < 2:  # noqa: PLR2004 - nothing to be apart from
        return None
    sums, weights = cells.centred(about), cells.weights
    if number < len(is_shown):
        (shown,) = is_shown[groups].nonzero()
        groups = is_shown.cumsum()[groups[shown]] - 1
        sums, weights, counts = sums[shown], weights[shown], counts[shown]
    each = np.arange(len(groups))
    members = (groups == np.arange(number)[:, None]).astype(np.float32)
    totals = np.bincount(groups, weights)
    products = sums.dot((members @ sums).T).astype(np.float64) / weights[:, None]
    itself = weights / counts  # the product of an image of this weight with itself
    others = totals[groups] - itself
    cohesion = (products[each, groups] - itself) / np.maximum(others, TINY)
    products /= totals
    products[each, groups] = -np.inf
    separation = products.max(axis=1)
    apart = (cohesion - separation) / np.maximum(1.0 - np.minimum(cohesion, separation), TINY)
    mean = float(weights.dot(np.where(others > TINY, apart, 0.0))) / float(np.add.reduce(weights))
    return min(max(mean, -1.0), 1.0)
