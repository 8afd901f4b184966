"""Times by the million, in little memory: each is known to within a hundredth of itself."""

import math
from collections import Counter
from typing import Final

_GROWTH: Final = math.log(1.02)
_LEAST: Final = 1e-6


class Latencies:
    """Seconds, and how many there were of about each."""

    def __init__(self) -> None:
        self._counts = Counter[int]()
        self.longest = 0.0

    def add(self, seconds: float) -> None:
        self._counts[math.floor(math.log(max(seconds, _LEAST)) / _GROWTH)] += 1
        self.longest = max(self.longest, seconds)

    def __len__(self) -> int:
        return self._counts.total()

    def quantile(self, share: float) -> float | None:
        """What so large a share stays below, in seconds; None where there are none."""
        left = math.ceil(share * len(self))
        for step in sorted(self._counts):
            left -= self._counts[step]
            if left <= 0:
                return min(math.exp((step + 0.5) * _GROWTH), self.longest)
        return None
