"""From the vectors of one insight to one unit vector."""

import math
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from sploot_clusterd.engine.params import KindWeights
from sploot_clusterd.errors import BadJobError, BadStateError
from sploot_clusterd.model import KINDS

Floats = npt.NDArray[np.float32]
Layout = Sequence[tuple[str, int]]
"""The kinds of a space and their lengths, in the order in which they first appeared."""

_STORED: Final = np.dtype("<f2")
_LEVELS: Final = 127
_BLURRED: Final = 0.48
_SOFTNESS: Final = 0.05


def extend_layout(layout: Layout, vectors: Mapping[str, Floats], model_version: str) -> tuple[tuple[str, int], ...]:
    """The layout with the kinds it did not have. Raises BadJobError(dimension) where a length contradicts it."""
    lengths = dict(layout)
    for kind in KINDS:
        vector = vectors.get(kind)
        if vector is None:
            continue
        expected = lengths.setdefault(kind, len(vector))
        if len(vector) != expected:
            model = f"model version {model_version!r}" if model_version else "images without a model version"
            raise BadJobError("dimension", f"{kind}: {len(vector)} values where {model} has {expected} (expected)")
    return tuple(lengths.items())


def combine(vectors: Mapping[str, Floats], layout: Layout, weights: KindWeights) -> bytes:
    """One unit vector as little endian float16 bytes: each kind normalised, weighted, laid out, normalised again.

    A missing kind is zeros. Raises BadJobError(invalid) if nothing with a direction is left.
    """
    parts = [unit(vectors[kind]) * weights.of(kind) if kind in vectors else np.zeros(length) for kind, length in layout]
    whole = np.concatenate(parts) if len(parts) > 1 else parts[0]
    length = math.sqrt(float(whole.dot(whole)))
    if not 0.0 < length < math.inf:  # nor is it, if it is not a number
        raise BadJobError("invalid", "the vectors of an image have no direction: all zeros, not finite or of weight 0")
    return (whole / length).astype(_STORED).tobytes()


def restore(data: bytes, dimension: int) -> Floats:
    """A stored vector as float32 [dimension]; kinds that came to the space later are zeros. Raises BadStateError."""
    if len(data) % 2 or len(data) > 2 * dimension:
        raise BadStateError(f"a vector of {len(data)} bytes in a space of {dimension} dimensions")
    vector = padded(np.frombuffer(data, dtype=_STORED).astype(np.float32), dimension)
    if np.count_nonzero(np.isfinite(vector)) < len(vector):
        raise BadStateError("a stored vector is not finite")
    return vector


def quantised(vector: Floats) -> tuple[np.float32, bytes]:
    """The vector [d] in signed bytes, and the step between them: its largest value is 127 steps."""
    step = np.float32(float(np.abs(vector).max(initial=0.0)) / _LEVELS)
    return step, (np.rint(vector / step) if step else vector).astype(np.int8).tobytes()


def padded(vector: Floats, dimension: int) -> Floats:
    """With zeros for the kinds that came to the space later, [dimension]."""
    if len(vector) == dimension:
        return vector
    return np.concatenate([vector, np.zeros(dimension - len(vector), dtype=np.float32)])


def image_weight(quality: float | None) -> float:
    """How far an image moves a centroid, 0.2 to 1: a blurred photo hardly does. Unknown quality counts in full."""
    if quality is None:
        return 1.0
    return 0.2 + 0.8 / (1.0 + math.exp((_BLURRED - quality) / _SOFTNESS))


def unit(vector: Floats) -> npt.NDArray[np.float64]:
    """The vector at length 1 (or 0), in double precision: in which squares of single precision cannot overflow."""
    wide = vector.astype(np.float64)
    length = math.sqrt(float(wide.dot(wide)))
    return wide / length if length else wide
