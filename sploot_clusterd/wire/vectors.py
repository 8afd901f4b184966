"""A request's images with their vectors: unpacked, and checked to be vectors.

What raises raises `BadJobError` with reason `invalid`, and a text that names the field and what is allowed.
"""

import base64
import binascii
import math
from collections.abc import Iterator
from datetime import UTC
from typing import Any, Final

import msgspec
import numpy as np

from sploot_clusterd.config import LimitsSettings
from sploot_clusterd.errors import BadJobError
from sploot_clusterd.model import KINDS, FloatVector, ImageInsight, Insight, JobPayload, JobRequest, PackedVector
from sploot_clusterd.wire.decoding import explained

_DTYPES: Final[dict[str, np.dtype[Any]]] = {"f16": np.dtype("<f2"), "f32": np.dtype("<f4")}
_SAFE_SCALE: Final = (1e-30, 1e30)
"""Between these a float32 vector's squares neither vanish nor overflow once it is normalised in float32."""


def insights(request: JobRequest, limits: LimitsSettings) -> Iterator[Insight]:
    """The request's images with their vectors unpacked and checked, in the order given."""
    for n, image in enumerate((request.payload or JobPayload()).images or ()):
        vectors = {}
        for kind in KINDS:
            vector = _vector(image, kind, f"payload.images[{n}].{kind}", limits.vector_length)
            if vector is not None:
                vectors[kind] = vector
        yield Insight(image.image_id, vectors, image.quality, image.label, _epoch_ms(image))


def packed(image: ImageInsight, limits: LimitsSettings) -> ImageInsight:
    """An image that no decoder of ours has seen, checked as a job's is, and with its vectors packed."""
    vectors = {kind: _vector(image, kind, kind, limits.vector_length) for kind in KINDS}
    others = {name: getattr(image, name) for name in image.__struct_fields__ if name not in KINDS}
    data = {kind: _pack(vector) for kind, vector in vectors.items() if vector is not None}
    try:
        return msgspec.convert({**others, **data}, ImageInsight)
    except msgspec.ValidationError as error:
        raise BadJobError("invalid", explained(error)) from None


def _vector(image: ImageInsight, kind: str, where: str, longest: int) -> FloatVector | None:
    value = getattr(image, kind)
    if value is None:
        return None
    vector: np.ndarray[tuple[int], np.dtype[Any]]
    # Of a list fromiter takes less than array.
    is_packed = isinstance(value, PackedVector)
    vector = _unpack(value, where) if is_packed else np.fromiter(value, np.float64, len(value))
    if not 0 < vector.size <= longest:
        raise BadJobError("invalid", f"{where}: a vector has 1 to {longest} numbers, got {vector.size}")
    peak = float(np.abs(vector).max())  # NaN and infinity carry through a maximum
    if not math.isfinite(peak):
        raise BadJobError("invalid", f"{where}: the numbers of a vector are finite")
    if peak == 0.0:
        raise BadJobError("invalid", f"{where}: a vector is not all zeros")
    if not _SAFE_SCALE[0] < peak < _SAFE_SCALE[1]:
        vector = vector / peak  # only the direction is used
    return vector.astype(np.float32, copy=False)


def _pack(vector: FloatVector) -> PackedVector:
    return PackedVector("f32", base64.b64encode(vector.astype(_DTYPES["f32"], copy=False).tobytes()).decode())


def _unpack(packed: PackedVector, where: str) -> FloatVector:
    dtype = _DTYPES[packed.dtype]
    try:
        data = binascii.a2b_base64(packed.data, strict_mode=True)
    except ValueError:
        raise BadJobError("invalid", f"{where}.data: expected base64") from None
    if len(data) % dtype.itemsize:
        raise BadJobError("invalid", f"{where}.data: {len(data)} bytes are no whole number of {packed.dtype} values")
    vector: FloatVector = np.frombuffer(data, dtype).astype(np.float32)
    return vector


def _epoch_ms(image: ImageInsight) -> int | None:
    """A time without a zone is taken as UTC, as the reference did."""
    at = image.captured_at
    if at is None:
        return None
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)
