"""The yardstick: exact average linkage over all images, from scratch after every job.

It keeps every image as a cell of its own, so an album grows with its images and a job costs their square: it is there
to compare with, on albums of some thousand images at most. Where another algorithm built the album, its cells count as
one image each until a `force` takes them apart.
"""

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from sploot_clusterd.engine.params import Params
from sploot_clusterd.engine.statistics import DIGITS, Cells, Ints


class AverageLinkage:
    micro_cells = False

    def due(self, moved: int, partitioned: int, params: Params) -> bool:
        del partitioned, params
        return moved > 0

    def attach(self, cells: Cells, groups: Ints, params: Params) -> int | None:
        """None, a group of its own: the partition follows within the same job."""
        del cells, groups, params
        return None

    def partition(self, cells: Cells, params: Params) -> Ints:
        if len(cells.weights) < 2:  # noqa: PLR2004 - a tree needs two leaves
            return np.zeros(len(cells.weights), dtype=np.int64)
        units = cells.sums / np.maximum(np.linalg.norm(cells.sums, axis=1, keepdims=True), 1e-12)
        distances = np.clip(1.0 - units @ units.T, 0.0, 2.0).round(DIGITS)
        np.fill_diagonal(distances, 0.0)
        tree = linkage(squareform(distances, checks=False), "average")
        return np.asarray(fcluster(tree, params.linkage_distance, "distance"), dtype=np.int64)
