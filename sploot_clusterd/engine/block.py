"""A space's statistics while jobs are applied: copied from the album once, then changed in place."""

from bisect import bisect_left
from copy import copy
from typing import Self

import numpy as np

from sploot_clusterd.engine.album import Space
from sploot_clusterd.engine.profile import Profile
from sploot_clusterd.engine.statistics import Cells, Doubles, Floats
from sploot_clusterd.engine.vector_format import VectorFormat
from sploot_clusterd.errors import BadStateError


class Block:
    """Growing arrays of sums [k, d] and weights [k] beside the rising ids of their cells.

    The space's own arrays are used until the first change and never written to.
    """

    def __init__(self, space: Space, profile: Profile | None) -> None:
        self.number = space.number
        self.model_version = space.model_version
        self.vector_format = VectorFormat(space.layout, profile)
        self.moved = space.moved
        self.partitioned = space.partitioned
        self.silhouette = space.silhouette
        self.ids = list(space.ids)
        self._sums: Floats = space.sums
        self._weights: Doubles = space.weights
        self._owned = False
        self._cells: Cells | None = None

    @classmethod
    def empty(cls, number: int, model_version: str, vector_format: VectorFormat) -> Self:
        """A space without images."""
        sums: Floats = np.zeros((0, vector_format.dimension), dtype=np.float32)
        space = Space(number, model_version, tuple(vector_format.layout), (), sums, np.zeros(0))
        return cls(space, vector_format.profile)

    @property
    def cells(self) -> Cells:
        """The statistics as they stand; not to be kept over a change."""
        if self._cells is None:
            count = len(self.ids)
            sums, weights = self._sums[:count], self._weights[:count]
            self._cells = Cells(sums, weights, self.vector_format.profile is not None, self.vector_format.scale)
        return self._cells

    def index(self, cell_id: int) -> int:
        """Raises BadStateError if the cell is not of this space."""
        at = bisect_left(self.ids, cell_id)
        if at == len(self.ids) or self.ids[at] != cell_id:
            raise BadStateError(f"cell {cell_id} is not in space {self.number}")
        return at

    def extend(self, vector_format: VectorFormat) -> None:
        """A kind seen for the first time: the images so far are zeros in it."""
        self.vector_format = vector_format
        wider = self.vector_format.dimension - self._sums.shape[1]
        if wider:
            self._sums = np.pad(self._sums, ((0, 0), (0, wider)))
            self._weights = self._weights.copy()
            self._cells = None
            self._owned = True

    def add(self, at: int, vector: Floats, weight: float) -> None:
        """Adds (or, with a negative weight, takes away) one image. vector: float32 [d]."""
        self._own(len(self.ids))
        self._sums[at] += weight * vector
        self._weights[at] += weight

    def append(self, cell_id: int, vector: Floats, weight: float) -> None:
        """A new cell; its id is above all others."""
        self._own(len(self.ids) + 1)
        np.multiply(vector, weight, out=self._sums[len(self.ids)])
        self._weights[len(self.ids)] = weight
        self.ids.append(cell_id)

    def keep(self, indices: list[int]) -> None:
        """Drops all other cells."""
        self._sums, self._weights = self._sums[indices], self._weights[indices]
        self.ids = [self.ids[at] for at in indices]
        self._cells = None
        self._owned = True

    def merge(self, into: int, other: int) -> None:
        """Adds one cell's statistics to another's; the other is left for `keep` to drop."""
        self._own(len(self.ids))
        self._sums[into] += self._sums[other]
        self._weights[into] += self._weights[other]

    def fork(self) -> "Block":
        """A copy that shares the arrays until either of the two changes them."""
        self._owned = False
        twin = copy(self)
        twin.ids = list(self.ids)
        return twin

    def freeze(self) -> Space:
        return Space(
            self.number,
            self.model_version,
            tuple(self.vector_format.layout),
            tuple(self.ids),
            self.cells.sums,
            self.cells.weights,
            self.moved,
            self.partitioned,
            self.vector_format.generation,
            self.silhouette,
            self.vector_format.scale,
        )

    def _own(self, rows: int) -> None:
        """Makes the arrays ours and long enough. They double, so that many new cells do not cost a copy each."""
        self._cells = None
        room = len(self._sums)
        if self._owned and rows <= room:
            return
        room = rows if rows <= room else max(rows, 2 * room if self._owned else rows)
        sums, weights = np.empty((room, self._sums.shape[1]), dtype=np.float32), np.empty(room)
        count = len(self.ids)
        sums[:count], weights[:count] = self._sums[:count], self._weights[:count]
        self._sums, self._weights, self._owned = sums, weights, True
