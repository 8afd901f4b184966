"""Encoder profiles: what all images of one model version have in common, taken out before they are compared.

An encoder puts all images near one direction and spreads them far more along some axes than along others, whatever they
show. A profile holds, for each kind of vector, the fleet's mean and, where they help, its leading principal axes. An
image is compared by its coordinates on these axes, each divided by a power of the variance along it, else by its
difference from the mean. And it holds the encoder's scale: how large the cosines then are.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Self

import msgspec
import numpy as np
from msgspec import Struct

from sploot_clusterd.engine.scale import Likeness
from sploot_clusterd.engine.spectrum import Spectrum
from sploot_clusterd.engine.vectors import Floats
from sploot_clusterd.errors import BadStateError, ClusterdError

FORMAT: Final = 2
_BEFORE_SCALES: Final = 1
"""A former format, whose profiles know nothing of scale and spectrum."""
_TINY: Final = 1e-12
_MOST_MEAN: Final = 1.001
"""In any direction, with room for rounding."""


class NeedsProfileError(ClusterdError):
    """An album was built with a profile that is not at hand: get it and call again."""

    def __init__(self, model_version: str, generation: int) -> None:
        super().__init__(f"generation {generation} of the profile of model version {model_version!r} is not at hand")
        self.model_version = model_version
        self.generation = generation


@dataclass(frozen=True, slots=True, eq=False)
class KindProfile:
    """Of one kind of vector with d values, D axes of them; D = 0: vectors are compared in full."""

    mean: Floats
    """[d], of vectors of length 1"""
    axes: Floats
    """[D, d], orthonormal rows, by falling variance"""
    scales: Floats
    """[D], what coordinates are multiplied by"""
    rest: float
    """Mean squared length of what the axes leave out."""
    spectrum: Spectrum | None = None
    """What the axes were chosen by; None: they were learned by a former version."""

    @classmethod
    def in_full(cls, mean: Floats, spectrum: Spectrum | None = None) -> Self:
        """Without axes."""
        return cls(mean, np.zeros((0, len(mean)), np.float32), np.zeros(0, np.float32), 0.0, spectrum)

    @property
    def length(self) -> int:
        return int(self.mean.shape[0])

    @property
    def dimension(self) -> int:
        """How many values are compared."""
        return len(self.scales) or self.length

    def reduce(self, vectors: Floats) -> Floats:
        """Scaled coordinates [..., D] of vectors [..., d] of length 1; not normalised."""
        if not len(self.scales):
            return np.asarray(vectors - self.mean, dtype=np.float32)
        return np.asarray((vectors - self.mean).dot(self.axes.T) * self.scales, dtype=np.float32)

    def expand(self, reduced: Floats) -> Floats:
        """Nearly the vector [d] of length 1 whose reduced form has the direction of `reduced` [D].

        The lost length is the one that, with the mean and what the axes leave out, gives length 1 again.
        """
        towards = (reduced / self.scales) @ self.axes if len(self.scales) else reduced
        square, across = float(towards @ towards), float(towards @ self.mean)
        missing = float(self.mean @ self.mean) + self.rest - 1.0
        root = np.sqrt(max(across * across - square * missing, 0.0))
        vector = self.mean + np.float32(max(root - across, 0.0) / max(square, _TINY)) * towards
        return np.asarray(vector / max(float(np.linalg.norm(vector)), _TINY), dtype=np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """One generation of a model version's profile. Kinds that the sample knows too little of are not in it."""

    model_version: str
    generation: int
    sampled: int
    """Images it was learned from."""
    settled: bool
    """It is final: nothing more is learned, and albums store reduced vectors."""
    drift: float | None
    """How differently the generation before it saw the same pairs of images, 0 to 1; None for a first one."""
    kinds: Mapping[str, KindProfile]
    likeness: Likeness | None = None
    """What the scale follows from; None if it could not be measured: it is 1 then."""

    @property
    def scale(self) -> float:
        """How large the cosines are of images that are compared by this profile, at most 1."""
        return self.likeness.scale if self.likeness is not None else 1.0

    def of_kind(self, kind: str, length: int) -> KindProfile | None:
        """What is known of this kind, where it is `length` long: two encoders may go by one model version."""
        known = self.kinds.get(kind)
        return known if known is not None and known.length == length else None

    def fits(self, lengths: Mapping[str, int]) -> bool:
        """Whether it was learned from vectors of these lengths, as far as it knows their kinds."""
        return all(kind not in self.kinds or self.kinds[kind].length == length for kind, length in lengths.items())

    def dimension(self, kind: str, length: int) -> int:
        """How many values this kind, `length` long, has once reduced."""
        known = self.of_kind(kind, length)
        return length if known is None else known.dimension

    def summary(self) -> dict[str, Any]:
        """What a person wants to know of it."""
        return {
            "model_version": self.model_version,
            "generation": self.generation,
            "sampled": self.sampled,
            "settled": self.settled,
            "drift": self.drift,
            "scale": round(self.scale, 4),
            "likeness": self.likeness and {name: round(value, 4) for name, value in self.likeness._asdict().items()},
            "kinds": {
                kind: {
                    "length": known.length,
                    "dimension": known.dimension,
                    "mean_length": round(float(np.linalg.norm(known.mean)), 4),
                    "left_out": round(known.rest, 4),
                    "spectrum": known.spectrum
                    and {name: round(value, 4) for name, value in known.spectrum._asdict().items()},
                }
                for kind, known in self.kinds.items()
            },
        }


class Profiles(NamedTuple):
    """The profiles at hand. `adopt` names, a model version each, the generation that albums move to now."""

    known: Mapping[tuple[str, int], Profile] = {}
    adopt: Mapping[str, int] = {}

    def get(self, model_version: str, generation: int) -> Profile | None:
        """None for generation 0, that of albums without a profile. Raises NeedsProfileError."""
        if not generation:
            return None
        profile = self.known.get((model_version, generation))
        if profile is None:
            raise NeedsProfileError(model_version, generation)
        return profile


NO_PROFILES: Final = Profiles()


class _KindRecord(Struct, array_like=True):
    mean: bytes
    axes: bytes
    scales: bytes
    rest: float
    spectrum: Spectrum | None = None


class _Record(Struct, array_like=True):
    format: int
    model_version: str
    generation: int
    sampled: int
    settled: bool
    drift: float | None
    kinds: dict[str, _KindRecord] = field(default_factory=dict)
    likeness: Likeness | None = None


_encode = msgspec.msgpack.Encoder().encode
_decoder = msgspec.msgpack.Decoder(_Record)
_AXES: Final = np.dtype("<f2")
_EXACT: Final = np.dtype("<f4")


def encode_profile(profile: Profile) -> bytes:
    """Axes are stored as float16: a tenth of a per mille of an image's direction, at half the size."""
    kinds = {
        kind: _KindRecord(
            known.mean.astype(_EXACT).tobytes(),
            known.axes.astype(_AXES).tobytes(),
            known.scales.astype(_EXACT).tobytes(),
            known.rest,
            known.spectrum,
        )
        for kind, known in profile.kinds.items()
    }
    head = profile.model_version, profile.generation, profile.sampled, profile.settled, profile.drift
    return _encode(_Record(FORMAT, *head, kinds, profile.likeness))


def decode_profile(raw: bytes) -> Profile:
    """Raises BadStateError for anything that is no profile or contradicts itself."""
    try:
        record = _decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadStateError(f"a profile cannot be read: {error}") from None
    if record.format not in (FORMAT, _BEFORE_SCALES):
        raise BadStateError(f"a profile has format {record.format}, not {FORMAT}")
    if record.generation < 1 or not math.isfinite(record.drift or 0.0):
        raise BadStateError("a profile has no generation, or a drift that is not finite")
    if record.likeness is not None and not np.isfinite(record.likeness).all():
        raise BadStateError("a profile has a likeness that is not finite")
    return Profile(
        record.model_version,
        record.generation,
        record.sampled,
        record.settled,
        record.drift,
        {kind: _kind(kind, known) for kind, known in record.kinds.items()},
        record.likeness,
    )


def _kind(kind: str, record: _KindRecord) -> KindProfile:
    if len(record.mean) % 4 or len(record.scales) % 4 or len(record.axes) != len(record.scales) * len(record.mean) // 8:
        raise BadStateError(f"the profile's {kind} has arrays that do not fit together")
    if not record.mean or not 0.0 <= record.rest < math.inf:
        raise BadStateError(f"the profile's {kind} has no mean, or leaves out what is not a length")
    if record.spectrum is not None and not np.isfinite(record.spectrum).all():
        raise BadStateError(f"the profile's {kind} has a spectrum that is not finite")
    mean, scales = (np.frombuffer(raw, dtype=_EXACT).astype(np.float32) for raw in (record.mean, record.scales))
    axes = np.frombuffer(record.axes, dtype=_AXES).astype(np.float32).reshape(len(scales), len(mean))
    if not (np.isfinite(mean).all() and np.isfinite(axes).all() and np.isfinite(scales).all() and (scales > 0).all()):
        raise BadStateError(f"the profile's {kind} has values that are not finite, or a scale that is not above 0")
    if np.abs(mean).max() > _MOST_MEAN:
        raise BadStateError(f"the profile's {kind} has a mean that vectors of length 1 cannot have")
    return KindProfile(mean, axes, scales, record.rest, record.spectrum)
