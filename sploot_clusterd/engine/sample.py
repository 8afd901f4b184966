"""The fleet's sample: which images encoder profiles are learned from, without favour to pets with many photos.

Each pet has a few slots. A slot's priority is a hash of its name, and the sample is the slots of lowest priority that
have come up so far (bottom-k sampling: Cohen and Kaplan, "Summarizing data using bottom-k sketches", 2007). So it does
not depend on the order in which pets come, and who submits more photos does not weigh more.
"""

import hashlib
import heapq
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import msgspec
import numpy as np
from msgspec import Struct

from sploot_clusterd.engine.vectors import Floats, unit
from sploot_clusterd.errors import BadStateError
from sploot_clusterd.model import SAMPLE_LIMIT, SLOTS_A_PET

STORED: Final = np.dtype("<f2")
_PRIORITIES: Final = float(1 << 53)


class Sampled(Struct, array_like=True, frozen=True, gc=False):
    """One image of the sample."""

    quality: float | None
    vectors: dict[str, bytes]
    """Each kind at length 1, as little endian float16."""

    @property
    def lengths(self) -> dict[str, int]:
        """How many values each kind has."""
        return {kind: len(raw) // STORED.itemsize for kind, raw in self.vectors.items()}


class Fresh(NamedTuple):
    """An image whose vectors a job brought: it may be sampled."""

    image_id: str
    model_version: str
    quality: float | None
    vectors: Mapping[str, Floats]

    def sampled(self) -> Sampled:
        stored = {kind: unit(vector).astype(STORED).tobytes() for kind, vector in self.vectors.items()}
        return Sampled(self.quality, stored)


_encode = msgspec.msgpack.Encoder().encode
_decoder = msgspec.msgpack.Decoder(Sampled)


def encode_sampled(sampled: Sampled) -> bytes:
    return _encode(sampled)


def decode_sampled(raw: bytes) -> Sampled:
    """Raises BadStateError."""
    try:
        sampled = _decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadStateError(f"an image of the fleet's sample cannot be read: {error}") from None
    if not all(map(_is_whole, sampled.vectors.values())):
        raise BadStateError("an image of the fleet's sample has a vector that is empty, cut off or not finite")
    return sampled


def slot(pet_id: str, image_id: str) -> tuple[str, float]:
    """The slot that the image may take, and the slot's priority, 0 to 1: the lowest are sampled."""
    name = f"{pet_id}#{_hash(image_id) % SLOTS_A_PET}"
    return name, (_hash(name) >> 11) / _PRIORITIES


def pet_of(name: str) -> str:
    """The pet of the slot of that name."""
    return name.rpartition("#")[0]


class Sample:
    """The sample of one model version in memory, by the rules by which the daemons keep theirs in Redis.

    The slots of lowest priority stay, `limit` of them, and the first image to come keeps its slot.
    """

    def __init__(self, limit: int = SAMPLE_LIMIT) -> None:
        self._limit = limit
        self._images: dict[str, Sampled] = {}
        self._falling: list[tuple[float, str]] = []  # a heap: its first slot, the priority negated, gives way first

    def __len__(self) -> int:
        return len(self._images)

    @property
    def threshold(self) -> float | None:
        """Priority below which a slot may enter; None while there is room for any."""
        return -self._falling[0][0] if len(self) >= self._limit else None

    def add(self, pet_id: str, image: Fresh) -> bool:
        """Offers the image to its slot; whether it is in the sample now."""
        name, priority = slot(pet_id, image.image_id)
        if name in self._images or (self.threshold is not None and priority >= self.threshold):
            return False
        if self.threshold is not None:
            _, evicted = heapq.heappop(self._falling)
            del self._images[evicted]
        heapq.heappush(self._falling, (-priority, name))
        self._images[name] = image.sampled()
        return True

    def pets(self) -> list[str]:
        """The pet of each of `images`."""
        return [pet_of(name) for name in sorted(self._images)]

    def images(self) -> list[Sampled]:
        """In the order of the slots: what is learned does not depend on the order in which images came."""
        return [self._images[name] for name in sorted(self._images)]


def matrix(kind: str, sample: Sequence[Sampled]) -> Floats:
    """The sample's vectors of one kind, [n, d] at length 1; those of another length than most are left out."""
    stored = [sampled.vectors[kind] for sampled in sample if kind in sampled.vectors]
    lengths = [len(raw) for raw in stored]
    if not lengths:
        return np.zeros((0, 0), dtype=np.float32)
    length = max(set(lengths), key=lambda each: (lengths.count(each), each))
    rows = [np.frombuffer(raw, dtype=STORED) for raw in stored if len(raw) == length]
    matrix = np.array(rows, dtype=np.float32)
    return np.asarray(matrix / np.maximum(np.linalg.norm(matrix, axis=1, keepdims=True), 1e-6))


def _is_whole(raw: bytes) -> bool:
    return len(raw) > 0 and len(raw) % STORED.itemsize == 0 and bool(np.isfinite(np.frombuffer(raw, STORED)).all())


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())
