"""The vector sum of a micro-cluster as bytes.

Most cells of a small album hold one image, whose sum is its weight times a vector that is stored in two bytes a value,
or one: their sums take no more. Each form gives back the very numbers that were put in, or it is not used.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from sploot_clusterd.engine.statistics import Doubles, Floats
from sploot_clusterd.engine.vectors import quantised

Form = Literal["i1", "f2", "f4"]
_STORED: Final[dict[Form, np.dtype[Any]]] = {"i1": np.dtype("i1"), "f2": np.dtype("<f2"), "f4": np.dtype("<f4")}
_AT_ONCE: Final = 64
"""Cells that are read together: what lies in between stays in the processor's cache and in memory that is at hand."""
_SIGN: Final = 0x8000
_INFINITE: Final = 0x7C00
"""From here on a positive float16 is no number."""
_EXTENDED: Final = np.int32(0x70000000)
"""Where a shift leaves copies of the sign, below the sign's own place."""
_EXPONENT: Final = np.float32(2.0**112)


def pack(sums: Floats, weight: float, stored: bytes = b"") -> tuple[Form, bytes]:
    """The short form of a cell of one image: sums float32 [d], which are its weight times a unit vector.

    `stored` may be the image's vector, if it is at hand.
    """
    if _are_halves(stored, sums, weight):
        return "f2", stored
    halves = (sums / np.float32(weight)).astype(_STORED["f2"]).tobytes()  # as `vectors.combine` leaves a whole vector
    if _are_halves(halves, sums, weight):
        return "f2", halves
    _, levels = quantised(sums)  # as `VectorFormat` stores a reduced vector
    if unpack(levels, np.array([weight]), "i1").tobytes() == sums.tobytes():
        return "i1", levels
    return whole(sums)


def _are_halves(stored: bytes, sums: Floats, weight: float) -> bool:
    """Whether the sums are the weight times these bytes as float16."""
    if len(stored) != _STORED["f2"].itemsize * len(sums):
        return False
    halves = np.frombuffer(stored, _STORED["f2"]).astype(np.float32)
    return (np.float32(weight) * halves).tobytes() == sums.tobytes()


def whole(sums: Floats) -> tuple[Form, bytes]:
    """The form of any other cell."""
    return "f4", sums.astype(_STORED["f4"], copy=False).tobytes()


def unpack(raw: bytes, weights: Doubles, form: Form) -> Floats:
    """float32 [k, d] of k cells of these weights, in a row.

    Raises ValueError if the bytes are no whole values, or a sum or a weight is not finite.
    """
    stored = np.frombuffer(raw, dtype=_STORED[form]).reshape(len(weights), -1)
    if form == "f4":
        return _finite(stored.astype(np.float32))
    factors = _finite(weights.astype(np.float32)[:, None])
    return _times_halves(stored, factors) if form == "f2" else np.asarray(factors * _at_length_one(stored))


def stacked(packed: Sequence[tuple[Form, memoryview]], weights: Doubles, dimension: int) -> Floats:
    """float32 [k, dimension] of cells of whatever forms; what a cell has no values for is zeros.

    Those whose sums have the same form and number of bytes are read together. Raises ValueError as `unpack` does, and
    if the bytes of a cell are too many.
    """
    places = defaultdict[tuple[Form, int], list[int]](list)
    for at, (form, raw) in enumerate(packed):
        places[form, len(raw)].append(at)
    sums = np.zeros((len(packed), dimension), dtype=np.float32)
    for (form, size), ats in places.items():
        length, rest = divmod(size, _STORED[form].itemsize)
        if rest or length > dimension:
            raise ValueError(f"{size} bytes in a space of {dimension} dimensions")
        for first in range(0, len(ats), _AT_ONCE):
            some = ats[first : first + _AT_ONCE]
            sums[some, :length] = unpack(b"".join([packed[at][1] for at in some]), weights[some], form)
    return sums


def _times_halves(halves: npt.NDArray[Any], factors: Floats) -> Floats:
    """The factors [k, 1] times float16 [k, d], to the last bit as numpy would have it, in a third of the time.

    A float16 has its exponent and fraction in the same order as a float32, 13 bits lower, and its exponents count from
    112 less. So it is shifted, and the factor makes up for the exponent, which is exact.
    """
    if halves.view("<i2").max(initial=0) >= _INFINITE or halves.view("<u2").max(initial=0) >= _SIGN + _INFINITE:
        raise ValueError("a value is not finite")
    bits = halves.view("<i2").astype(np.int32)
    bits <<= 13
    bits &= ~_EXTENDED
    sums = bits.view(np.float32)
    sums *= _finite(factors * _EXPONENT)
    return sums


def _finite(values: Floats) -> Floats:
    if not np.isfinite(values).all():
        raise ValueError("a value is not finite")
    return values


def _at_length_one(stored: npt.NDArray[Any]) -> Floats:
    """Levels [k, d] as vectors of length 1, or 0."""
    levels = stored.astype(np.int32)
    lengths = np.sqrt(np.einsum("ij,ij->i", levels, levels)).astype(np.float32)
    return np.asarray(levels.astype(np.float32) / np.where(lengths, lengths, np.float32(1.0))[:, None])
