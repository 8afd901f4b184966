"""What a well-shaped job must also satisfy: the limits that are settings, and vectors that are vectors.

What raises raises `BadJobError` with reason `invalid`, and a text that names the field and what is allowed.
"""

import base64
import binascii
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC
from typing import Any, Final, Protocol

import numpy as np

from sploot_clusterd.errors import BadJobError
from sploot_clusterd.model import (
    KINDS,
    Correction,
    FloatVector,
    ImageInsight,
    Insight,
    JobPayload,
    JobRequest,
    PackedVector,
    cluster_id,
    cluster_number,
    clusters_named,
    images_corrected,
)


class Limits(Protocol):
    """The settings that bound a job (`settings.limits`)."""

    @property
    def images_per_job(self) -> int: ...
    @property
    def image_ids_per_job(self) -> int: ...
    @property
    def vector_length(self) -> int: ...
    @property
    def id_length(self) -> int: ...


_DTYPES: Final[dict[str, np.dtype[Any]]] = {"f16": np.dtype("<f2"), "f32": np.dtype("<f4")}
_SAFE_SCALE: Final = (1e-30, 1e30)
"""Between these a float32 vector's squares neither vanish nor overflow once it is normalised in float32."""
_QUOTE: Final = ord('"')
_ALL_ELSE: Final = bytes(set(range(256)) - set(b'[]{}"'))
_STEPS: Final = np.array([1 if byte in b"[{" else -1 if byte in b"]}" else 0 for byte in range(256)], np.int8)


def is_deeper(raw: bytes, levels: int) -> bool:
    """Whether the JSON in `raw` nests lists and objects more than `levels` deep. Where it says no, no decoder gets any
    deeper, JSON or not.

    Nearly all jobs have fewer brackets than that and are done with a count. For the others it takes about a quarter of
    the time that decoding them took.
    """
    if raw.count(b"[") + raw.count(b"{") <= levels:
        return False
    if b"\\" in raw:
        raw = raw.replace(rb"\\", b"").replace(rb"\"", b"")
    marks = np.frombuffer(raw.translate(None, _ALL_ELSE), np.uint8)
    in_strings = np.cumsum(marks == _QUOTE, dtype=np.uint8) & 1  # it wraps, but stays odd or even
    return bool(np.where(in_strings, 0, _STEPS[marks]).cumsum(dtype=np.int32).max() > levels)


def check_limits(request: JobRequest, limits: Limits) -> None:
    """Lengths of lists and ids."""
    _check_id("pet_id", request.pet_id, limits.id_length)
    if request.job_id:
        _check_id("job_id", request.job_id, limits.id_length)
    payload = request.payload
    if payload is None:
        return
    few, many = limits.images_per_job, limits.image_ids_per_job
    if payload.images:
        _check_count("images", payload.images, few)
        _check_ids("payload.images[{}].image_id", [image.image_id for image in payload.images], limits.id_length)
    if payload.image_ids:
        _check_count("image_ids", payload.image_ids, many)
        _check_ids("payload.image_ids[{}]", payload.image_ids, limits.id_length)
    if payload.removed_image_ids:
        _check_count("removed_image_ids", payload.removed_image_ids, many)
        _check_ids("payload.removed_image_ids[{}]", payload.removed_image_ids, limits.id_length)
    if payload.labels:
        _check_count("labels", payload.labels, few)
    if payload.coverage:
        _check_count("coverage", payload.coverage, few)
    if payload.corrections:
        check_corrections("payload.corrections", payload.corrections, request.pet_id, limits)


def check_corrections(where: str, corrections: Sequence[Correction], pet_id: str, limits: Limits) -> None:
    """How many there are, of what length their lists and ids are, and that they name clusters of the pet."""
    most, images = limits.images_per_job, 0  # each of these images is placed anew, as those of a job are
    if len(corrections) > most:
        raise BadJobError("invalid", f"{where}: at most {most} entries are allowed, got {len(corrections)}")
    for n, correction in enumerate(corrections):
        clusters, image_ids = clusters_named(correction), images_corrected(correction)
        if len(clusters) > most:
            raise BadJobError("invalid", f"{where}[{n}].clusters: at most {most} ids are allowed, got {len(clusters)}")
        if any(cluster_number(pet_id, cluster) is None for cluster in clusters):
            raise BadJobError("invalid", f"{where}[{n}]: a cluster's id is {cluster_id(pet_id[:128], '<number>')} here")
        _check_ids(f"{where}[{n}]", image_ids, limits.id_length)
        images += len(image_ids)
    if images > most:
        raise BadJobError("invalid", f"{where}: at most {most} images in all are allowed, got {images}")


def insights(request: JobRequest, limits: Limits) -> Iterator[Insight]:
    """The request's images with their vectors unpacked and checked, in the order given."""
    for n, image in enumerate((request.payload or JobPayload()).images or ()):
        vectors = {}
        for kind in KINDS:
            vector = _vector(image, kind, f"payload.images[{n}].{kind}", limits.vector_length)
            if vector is not None:
                vectors[kind] = vector
        yield Insight(image.image_id, vectors, image.quality, image.label, _epoch_ms(image))


def _check_count(name: str, given: Collection[object], most: int) -> None:
    if len(given) > most:
        raise BadJobError("invalid", f"payload.{name}: at most {most} entries are allowed, got {len(given)}")


def _check_ids(where: str, ids: Sequence[str], longest: int) -> None:
    """`where` has braces in the place of an id's number."""
    if ids and len(max(ids, key=len)) > longest:
        for n, given in enumerate(ids):
            _check_id(where.format(n), given, longest)


def _check_id(where: str, given: str, longest: int) -> None:
    if len(given) > longest:
        raise BadJobError("invalid", f"{where}: an id has at most {longest} characters")


def _vector(image: ImageInsight, kind: str, where: str, longest: int) -> FloatVector | None:
    given = getattr(image, kind)
    if given is None:
        return None
    vector: np.ndarray[tuple[int], np.dtype[Any]]
    vector = _unpack(given, where) if isinstance(given, PackedVector) else np.array(given, np.float64)
    if not 0 < vector.size <= longest:
        raise BadJobError("invalid", f"{where}: a vector has 1 to {longest} numbers, got {vector.size}")
    peak = float(np.abs(vector).max())  # NaN and infinity carry through a maximum
    if not np.isfinite(peak):
        raise BadJobError("invalid", f"{where}: the numbers of a vector are finite")
    if peak == 0.0:
        raise BadJobError("invalid", f"{where}: a vector is not all zeros")
    if not _SAFE_SCALE[0] < peak < _SAFE_SCALE[1]:
        vector = vector / peak  # only the direction is used
    return vector.astype(np.float32, copy=False)


def _unpack(packed: PackedVector, where: str) -> FloatVector:
    dtype = _DTYPES[packed.dtype]
    try:
        data = base64.b64decode(packed.data, validate=True)
    except (binascii.Error, ValueError):
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
