"""The vector sum of a micro-cluster as bytes.

Most cells of a small album hold one image, whose sum is its weight times a vector that is stored in two bytes a value,
or one: their sums take no more. Each form gives back the very numbers that were put in, or it is not used.
"""

import math
from collections.abc import Callable
from typing import Final, Literal

import numpy as np

from sploot_clusterd.engine.statistics import Floats

Form = Literal["i1", "f2", "f4"]
_SUM: Final = np.dtype("<f4")
_VALUE: Final = np.dtype("<f2")
_LEVELS: Final = 127


def pack(sums: Floats, weight: float) -> tuple[Form, bytes]:
    """The short form of a cell of one image: sums float32 [d], which are its weight times a unit vector."""
    for form, packed in _PACKED.items():
        raw = packed(sums, weight)
        if unpack(raw, weight, form).tobytes() == sums.tobytes():
            return form, raw
    return whole(sums)


def whole(sums: Floats) -> tuple[Form, bytes]:
    """The form of any other cell."""
    return "f4", sums.astype(_SUM).tobytes()


def unpack(raw: bytes, weight: float, form: Form) -> Floats:
    """float32 [d]. Raises ValueError for bytes that are not whole values."""
    if form == "i1":
        levels = np.frombuffer(raw, dtype=np.int8).astype(np.float32)
        length = np.float32(math.sqrt(float(levels @ levels)))
        return np.asarray(np.float32(weight) * (levels / length if length else levels))
    if form == "f2":
        return np.asarray(np.float32(weight) * np.frombuffer(raw, dtype=_VALUE).astype(np.float32))
    return np.frombuffer(raw, dtype=_SUM).astype(np.float32)


def _as_levels(sums: Floats, weight: float) -> bytes:
    """As `Encoding` stores a reduced vector, whose largest value is 127 steps."""
    del weight
    step = float(np.abs(sums).max(initial=0.0)) / _LEVELS
    return (np.rint(sums / step) if step else sums).astype(np.int8).tobytes()


def _as_values(sums: Floats, weight: float) -> bytes:
    """As `vectors.combine` leaves a whole vector."""
    return (sums / np.float32(weight)).astype(_VALUE).tobytes()


_PACKED: Final[dict[Form, Callable[[Floats, float], bytes]]] = {"f2": _as_values, "i1": _as_levels}
