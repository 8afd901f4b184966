"""All images of one cluster, of which a view lists the best: gathered from the pet's rows, page by page."""

from collections.abc import Mapping
from itertools import chain, islice
from typing import Final, NamedTuple

import numpy as np

from sploot_clusterd.engine.album import Album, Cluster, ProvisionalCluster
from sploot_clusterd.engine.params import Params
from sploot_clusterd.engine.profile import Profile
from sploot_clusterd.engine.rows import Row, decode_row
from sploot_clusterd.engine.statistics import Cells, closeness
from sploot_clusterd.engine.vector_format import VectorFormat

_DIGITS: Final = 4


class Gathered(NamedTuple):
    """An image of the cluster; times in ms since the epoch."""

    image_id: str
    fit: float | None
    """How like the cluster's others it is, -1..1; None without a vector."""
    quality: float | None
    captured_ms: int | None
    taken_ms: int
    """When it was captured, else when it came."""
    cell: int | None = None
    """None without a vector."""


def find_cluster(album: Album, number: int) -> Cluster | ProvisionalCluster | None:
    """The cluster that a view shows under this number."""
    for cluster in album.clusters.values():
        if cluster.shown and cluster.number == number:
            return cluster
    for provisional in album.provisional:
        if provisional.last > provisional.first and provisional.number == number:
            return provisional
    return None


def profile_of(album: Album, cluster: Cluster) -> tuple[str, int]:
    """The model version and generation of the profile that the cluster's images are compared by; 0: none."""
    space = album.spaces[cluster.space]
    return space.model_version, space.profile


def provisional_members(album: Album, cluster: ProvisionalCluster) -> list[Gathered]:
    """The album knows all of them."""
    listed = chain.from_iterable(chunk.images.items() for chunk in album.chunks)
    return [
        Gathered(image_id, None, listing.quality, None, listing.turn[0])
        for image_id, listing in islice(listed, cluster.first, cluster.last)
    ]


class Gathering:
    """Takes the pet's rows in any order, some twice, and keeps what is told of the cluster's images.

    An image's `fit` is the centred cosine of its vector to the centroid of all images of the cluster.
    """

    def __init__(self, album: Album, cluster: Cluster, params: Params, profile: Profile | None) -> None:
        """`profile` is the one of `profile_of`."""
        space = album.spaces[cluster.space]
        self._heirs = album.heirs
        self._living = album.cells.keys()
        self._own = frozenset(cluster.cells)
        self._format = VectorFormat(space.layout, profile)
        self._about = Cells(space.sums, space.weights, space.profile > 0, space.scale).about(params.mean_prior)
        places = np.flatnonzero(np.isin(space.ids, cluster.cells))
        sums, weights = space.sums[places].sum(axis=0, keepdims=True), space.weights[places].sum(keepdims=True)
        self._centre = Cells(sums, weights)
        self._found: dict[str, Gathered] = {}

    def take(self, rows: Mapping[str, bytes]) -> None:
        """Raises BadStateError for a row that cannot be read."""
        for image_id, raw in rows.items():
            row = decode_row(raw)
            if row.vectors is None or (cell := self._living_of(row.vectors.cell)) not in self._own:
                continue
            self._found[image_id] = self._gathered(image_id, row, row.vectors.data)._replace(cell=cell)

    def members(self) -> list[Gathered]:
        """Of the rows that were taken."""
        return [*self._found.values()]

    def _living_of(self, cell: int) -> int | None:
        return cell if cell in self._living else self._heirs.get(cell)

    def _gathered(self, image_id: str, row: Row, stored: bytes) -> Gathered:
        fit = closeness(self._centre, 0, self._format.compared(stored), self._about)
        captured_ms = row.attributes.captured_ms if row.attributes is not None else None
        return Gathered(image_id, round(fit, _DIGITS), row.quality, captured_ms, row.taken_ms)
