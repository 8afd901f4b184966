"""A pet's photos as a map: each cell a point, those that are alike near each other.

The two axes are the first principal components of the cells' centred means, weighed as their images are. An album has
some hundred cells, however many images, so a map costs as much for 10,000 of them.
"""

from typing import Final

import numpy as np

from sploot_clusterd import view
from sploot_clusterd.engine.album import Album, Cluster, Space
from sploot_clusterd.engine.params import Params
from sploot_clusterd.engine.statistics import EQUAL, TINY, Cells, Doubles
from sploot_clusterd.model import cluster_id

_DIGITS: Final = 4
_AXES: Final = 2


def maps(album: Album, params: Params) -> view.Maps:
    """A map for each model version that the album has images of: those of different ones cannot be compared."""
    homes = {cell: cluster for cluster in album.clusters.values() for cell in cluster.cells}
    spaces = sorted((space for space in album.spaces.values() if space.ids), key=lambda each: each.number)
    return view.Maps([_map(album, space, homes, params) for space in spaces], album.version)


def _map(album: Album, space: Space, homes: dict[int, Cluster], params: Params) -> view.Map:
    cells = Cells(space.sums, space.weights, space.profile > 0, space.scale)
    means = cells.centred(cells.about(params.mean_prior)).astype(np.float64) / cells.weights[:, None]
    places = np.round(principal(means, cells.weights), _DIGITS) + 0.0  # no negative zero
    points = []
    for cell_id, (x, y) in zip(space.ids, places.tolist(), strict=True):
        cell, cluster = album.cells[cell_id], homes[cell_id]
        name = cluster_id(album.pet_id, cluster.number) if album.is_seen(cluster) else None
        image = cell.members[0].image_id if cell.members else None
        points.append(view.MapCell(cell_id, x, y, cell.count, name, image))
    return view.Map(space.model_version, points)


def principal(points: Doubles, weights: Doubles) -> Doubles:
    """Where k points [k, d] lie along the two directions in which they, weighed [k], differ most: [k, 2], the largest
    distance from the middle being 1. Each direction points to where its largest share lies, so that a map is not
    mirrored by the next photo.
    """
    shares = weights / weights.sum()
    spread = points - shares @ points
    scaled = spread * np.sqrt(shares)[:, None]
    is_wide = len(points) < points.shape[1]  # the smaller of two products has the same eigenvalues
    values, vectors = np.linalg.eigh(scaled @ scaled.T if is_wide else scaled.T @ scaled)
    largest = [n for n in range(len(values))[::-1][:_AXES] if values[n] > EQUAL * max(values[-1], TINY)]
    axes = vectors.T[largest] @ scaled if is_wide else vectors.T[largest]
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    axes *= np.sign(np.take_along_axis(axes, np.abs(axes).argmax(axis=1)[:, None], axis=1))
    places = np.zeros((len(points), _AXES))
    places[:, : len(axes)] = spread @ axes.T
    return np.asarray(places / max(float(np.abs(places).max()), TINY))
