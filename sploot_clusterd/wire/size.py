"""What is refused before it is decoded: requests that nest too deep, or hold far more than any job may."""

from typing import Final

import numpy as np

from sploot_clusterd.config import LimitsSettings
from sploot_clusterd.errors import BadJobError, Reason

_LEVELS: Final = 64
"""How deep a request may nest: ten times what the contract needs, and far from where a decoder gives up, which depends
on the interpreter and on who calls it. What one door takes the other must not refuse.
"""
TOO_DEEP: Final = f"not JSON that can be read: lists and objects nested more than {_LEVELS} levels deep"
_PARTS_AN_IMAGE: Final = 40
"""Texts, lists and objects that an insight has at most, with a label, a coverage key and a correction for each."""
_FREE_PARTS: Final = 10_000
"""For metadata, and for keys that are ignored."""
_LEAST_LARGE: Final = 2 * _FREE_PARTS
"""Bytes that so many parts take at least."""
_ENVELOPE: Final = 32
"""Parts that a request is wrapped in on its way, at most. What one door takes the other must not refuse."""
_QUOTE: Final = ord('"')
_ALL_ELSE: Final = bytes(set(range(256)) - set(b'[]{}"'))
_STEPS: Final = np.array([1 if byte in b"[{" else -1 if byte in b"]}" else 0 for byte in range(256)], np.int8)


def check_nesting(raw: bytes, around: int = 0) -> None:
    """Raises BadJobError if a request nests too deep. `around`: the levels of what it is wrapped in."""
    if is_deeper(raw, _LEVELS + around):
        raise BadJobError("malformed", TOO_DEEP)


def check_amount(raw: bytes, limits: LimitsSettings, where: str = "the body", *, wrapped: bool = False) -> None:
    """Raises BadJobError if a request, or the part `where` of one, holds far more than any job within the limits.

    A decoder reads a body in one go, and nobody else gets a turn meanwhile: 8 MiB of ids would take it seconds, only to
    be refused then. A look at each byte is all that this may cost: quotation marks, brackets and commas tell.
    """
    if len(raw) < _LEAST_LARGE:
        return
    parts = 2 * limits.image_ids_per_job + _PARTS_AN_IMAGE * limits.images_per_job + _FREE_PARTS
    values = parts + limits.images_per_job * limits.vector_length
    more = _ENVELOPE if wrapped else 0
    if raw.count(b'"') // 2 + raw.count(b"[") + raw.count(b"{") > parts + more:
        # What nests too deep is no JSON that can be read: the graver fault, where both are there.
        reason: Reason = "malformed" if is_deeper(raw, _LEVELS + wrapped) else "invalid"
        raise BadJobError(reason, f"{where}: at most {parts} texts, keys, lists and objects are allowed")
    if raw.count(b",") > values + more:
        raise BadJobError("invalid", f"{where}: at most {values} values are allowed")


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
