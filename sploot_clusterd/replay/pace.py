"""When each job of a run is due: at a rate, which may grow at first, and by chance a little earlier or later."""

import math
import random
from collections.abc import Iterator
from itertools import count
from typing import NamedTuple


class Pace(NamedTuple):
    """`rate` is jobs a second, 0: as fast as it goes. Over the first `ramp` seconds it grows from 0. `jitter` is a
    share of the pause between two jobs, 0 to 1: with .5 pauses are between half as long and half as long again.
    """

    rate: float
    ramp: float = 0.0
    jitter: float = 0.0

    def due(self) -> Iterator[float]:
        """For each job the seconds after the beginning at which it is to be posted, never less than for the one before;
        without an end.
        """
        earlier = latest = 0.0
        for number in count():
            at = self._even(number)
            latest = max(latest, at + random.uniform(-0.5, 0.5) * self.jitter * (at - earlier))  # noqa: S311 - no secret
            yield latest
            earlier = at

    def _even(self, number: int) -> float:
        """While the rate grows, the jobs due until then grow with the square of the time."""
        if not self.rate:
            return 0.0
        in_ramp = self.rate * self.ramp / 2
        if number < in_ramp:
            return math.sqrt(2 * number * self.ramp / self.rate)
        return self.ramp + (number - in_ramp) / self.rate
