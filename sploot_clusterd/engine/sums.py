"""The vector sum of a micro-cluster as bytes.

Most cells of a small album hold one image, whose sum is its weight times a vector that is stored in two bytes a value,
or one: their sums take no more. Each form gives back the very numbers that were put in, or it is not used.
"""

from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from sploot_clusterd.engine.statistics import Doubles, Floats
from sploot_clusterd.engine.vectors import quantised

Form = Literal["i1", "f2", "f4"]
_STORED: Final[dict[Form, np.dtype[Any]]] = {"i1": np.dtype("i1"), "f2": np.dtype("<f2"), "f4": np.dtype("<f4")}


def pack(sums: Floats, weight: float) -> tuple[Form, bytes]:
    """The short form of a cell of one image: sums float32 [d], which are its weight times a unit vector."""
    halves = (sums / np.float32(weight)).astype(_STORED["f2"])  # as `vectors.combine` leaves a whole vector
    if (np.float32(weight) * halves.astype(np.float32)).tobytes() == sums.tobytes():
        return "f2", halves.tobytes()
    _, levels = quantised(sums)  # as `Encoding` stores a reduced vector
    if unpack(levels, np.array([weight]), "i1").tobytes() == sums.tobytes():
        return "i1", levels
    return whole(sums)


def whole(sums: Floats) -> tuple[Form, bytes]:
    """The form of any other cell."""
    return "f4", sums.astype(_STORED["f4"]).tobytes()


def unpack(raw: bytes, weights: Doubles, form: Form) -> Floats:
    """float32 [k, d] of k cells of these weights, in a row. Raises ValueError if the bytes are no whole values."""
    stored = values(raw, len(weights), form).astype(np.float32)
    return stored if form == "f4" else np.asarray(factors(weights, form)[:, None] * stored)


def values(raw: bytes, count: int, form: Form) -> npt.NDArray[Any]:
    """What the sums [count, d] of cells in a row are multiples of, by `factors`. Raises ValueError as `unpack` does."""
    stored = np.frombuffer(raw, dtype=_STORED[form]).reshape(count, -1)
    if form != "i1":
        return stored
    levels = stored.astype(np.int32)
    lengths = np.sqrt(np.einsum("ij,ij->i", levels, levels)).astype(np.float32)
    return np.asarray(levels.astype(np.float32) / np.where(lengths, lengths, np.float32(1.0))[:, None])


def factors(weights: Doubles, form: Form) -> Floats:
    """[k]: whole sums have their weight in them."""
    return np.ones(len(weights), dtype=np.float32) if form == "f4" else weights.astype(np.float32)
