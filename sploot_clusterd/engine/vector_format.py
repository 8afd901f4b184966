"""How the images of one space are stored and compared: as they are, or by the profile of their model version."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from sploot_clusterd.engine.params import KindWeights
from sploot_clusterd.engine.profile import Profile
from sploot_clusterd.engine.vectors import Floats, Layout, combine, extend_layout, padded, quantised, restore, unit
from sploot_clusterd.errors import BadStateError

_WHOLE: Final = np.dtype("<f2")
_STEP: Final = np.dtype("<f4")
"""A reduced vector is stored as a step and signed bytes: within 2 % of its length, at half the size of float16."""


@dataclass(frozen=True, slots=True)
class VectorFormat:
    """Of the kinds of `layout` in their order.

    Until its profile is settled, an album stores vectors whole, so that it can move to a better one; by a settled
    profile it stores them reduced.
    """

    layout: Layout
    profile: Profile | None = None

    @property
    def generation(self) -> int:
        return self.profile.generation if self.profile is not None else 0

    @property
    def scale(self) -> float:
        """How large cosines are, as the profile found them."""
        return self.profile.scale if self.profile is not None else 1.0

    @property
    def dimension(self) -> int:
        """Length of a vector as it is compared."""
        return sum(reduced for _, _, reduced in self._kinds())

    def with_kinds(self, vectors: Mapping[str, Floats], model_version: str) -> "VectorFormat":
        """This format with the kinds that it did not have. Raises BadJobError(dimension) where a length is wrong."""
        layout = extend_layout(self.layout, vectors, model_version)
        return self if len(layout) == len(self.layout) else replace(self, layout=layout)

    def pack(self, vectors: Mapping[str, Floats], weights: KindWeights) -> bytes:
        """What is stored of an image. Raises BadJobError(invalid) if its vectors have no direction."""
        return self.keep(combine(vectors, self.layout, weights))

    def compared(self, stored: bytes) -> Floats:
        """The image's vector as it is compared, of length 1 (0 if the fleet's mean is all there is to it).

        float32 [dimension]. Kinds that came to the space later are zeros. Raises BadStateError.
        """
        if not self._reduces:
            return self._reduced(restore(stored, self._length))
        if len(stored) < _STEP.itemsize or len(stored) - _STEP.itemsize > self.dimension:
            raise BadStateError(f"a reduced vector of {len(stored)} bytes in a space of {self.dimension} dimensions")
        levels = np.frombuffer(stored, dtype=np.int8, offset=_STEP.itemsize).astype(np.float32)
        return _at_length_one(padded(levels, self.dimension))

    def whole(self, stored: bytes) -> bytes:
        """The vector before it was reduced, as float16; of a reduced one, nearly (`KindProfile.expand`)."""
        if self.profile is None or not self._reduces:
            return stored
        vector, whole = self.compared(stored), np.zeros(self._length, dtype=np.float32)
        before = after = 0
        for kind, length, reduced in self._kinds():
            part = vector[after : after + reduced]
            known = self.profile.of_kind(kind, length)
            share = float(np.linalg.norm(part))
            whole[before : before + length] = known.expand(part) * share if known is not None and share else part
            before, after = before + length, after + reduced
        return unit(whole).astype(_WHOLE).tobytes()

    def keep(self, whole: bytes) -> bytes:
        """What is stored of an image whose whole vector, as float16, is given."""
        if not self._reduces:
            return whole
        step, levels = quantised(self._reduced(restore(whole, self._length)))
        return step.astype(_STEP).tobytes() + levels

    @property
    def _reduces(self) -> bool:
        """Whether vectors are stored as they are compared."""
        return self.profile is not None and self.profile.settled

    @property
    def _length(self) -> int:
        return sum(length for _, length in self.layout)

    def _kinds(self) -> Iterator[tuple[str, int, int]]:
        """Name, length and reduced length of each kind."""
        for kind, length in self.layout:
            yield kind, length, self.profile.dimension(kind, length) if self.profile is not None else length

    def _reduced(self, whole: Floats) -> Floats:
        """Each kind reduced by the profile, at the length that its weight gave it."""
        if self.profile is None:
            return whole
        vector = np.zeros(self.dimension, dtype=np.float32)
        before = after = 0
        for kind, length, reduced in self._kinds():
            part = whole[before : before + length]
            share = math.sqrt(float(part.dot(part)))
            known = self.profile.of_kind(kind, length)
            if share:
                vector[after : after + reduced] = (
                    _at_length_one(known.reduce(part / np.float32(share))) * np.float32(share)
                    if known is not None
                    else part
                )
            before, after = before + length, after + reduced
        return _at_length_one(vector)


def _at_length_one(vector: Floats) -> Floats:
    length = math.sqrt(float(vector.dot(vector)))
    return np.asarray(vector / np.float32(length)) if length else vector
