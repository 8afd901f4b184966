"""Which lengths vectors have, by model version and kind: two of them under one name are two encoders."""

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from sploot_clusterd.engine import Fresh, Profile

_MOST_KNOWN: Final = 256
_LATELY: Final = 3600.0
"""Seconds for which two lengths are told after they were seen last."""


class Lengths:
    """What this process has seen. For several threads: each step is one operation on a dict."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._first: OrderedDict[tuple[str, str], int] = OrderedDict()
        self._text, self._seen_at = "", 0.0

    def note(self, image: Fresh, profile: Profile | None) -> None:
        """An image came in; `profile` is the one that is current for its model version."""
        for kind, vector in image.vectors.items():
            known = profile.kinds.get(kind) if profile is not None else None
            first = self._first.setdefault((image.model_version, kind), len(vector))
            expected = known.length if known is not None else first
            if len(vector) != expected:
                self._text = (
                    f"vectors of two lengths come under one model version: {kind} of {image.model_version!r} has "
                    f"{expected} values and {len(vector)}; no profile helps both"
                )
                self._seen_at = self._clock()
        while len(self._first) > _MOST_KNOWN:
            self._first.popitem(last=False)

    def warning(self) -> str:
        """Empty if there was nothing lately."""
        return self._text if self._text and self._clock() - self._seen_at < _LATELY else ""
