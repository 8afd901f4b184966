"""Cells drawn towards those most like them, before they are grouped: what neighbours share is signal, the rest noise.

Retrieval systems replace an image's vector so by a mean over its nearest neighbours, weighed by a power of the
likeness (Arandjelovic and Zisserman, "Three things everyone should know to improve object retrieval", 2012; Radenovic,
Tolias and Chum, "Fine-tuning CNN image retrieval with no human annotation", 2019).
"""

import numpy as np

from sploot_clusterd.engine.statistics import EQUAL, TINY, Doubles, Floats

_LEAST = 0.01


def smoothed(sums: Floats, weights: Doubles, neighbours: int, scale: float) -> Floats:
    """Sums [k, d] of the same lengths, turned towards those of the nearest cells. `sums` are centred, `weights` [k].

    A neighbour counts as one image at most, by (cosine / scale)^2, and a cell itself by its weight, as one at least.
    All that are as near as the last of the neighbours count, so it does not matter in which order cells stand.
    """
    count = len(weights)
    lengths = _lengths(sums)
    (nothing,) = (lengths[:, 0] <= _LEAST * weights).nonzero()  # nearly: its direction is but rounding
    units = sums / np.maximum(lengths, TINY)
    if len(nothing):
        units[nothing] = 0.0
    likeness = units.dot(units.T)
    itself = likeness.ravel()[:: count + 1]
    itself[:] = -np.inf
    if count > neighbours + 1:
        last = np.partition(likeness, count - neighbours, axis=1)[:, count - neighbours, None]
        likeness[likeness < last - np.float32(EQUAL)] = 0.0
    np.maximum(likeness, 0.0, out=likeness)
    likeness /= np.float32(scale)
    likeness *= likeness
    likeness *= np.minimum(weights, 1.0).astype(np.float32)
    itself[:] = np.maximum(weights, 1.0)
    found: Floats = likeness @ units
    found *= lengths / np.maximum(_lengths(found), TINY)
    if len(nothing):
        found[nothing] = sums[nothing]
    return found


def _lengths(rows: Floats) -> Floats:
    """Of each row, [k, 1]."""
    return np.asarray(np.sqrt(np.vecdot(rows, rows)))[:, None]
