"""How the daemon's loops wait: until the daemon stops, and longer after each failure."""

import asyncio
import random
from typing import Final

_MOST_DOUBLINGS: Final = 64
"""More than any ceiling needs: an outage of a night has too many failures for a float."""


async def pause(stopping: asyncio.Event, seconds: float) -> bool:
    """The daemon's one sleep: `seconds`, or less if `stopping` is set. Returns whether it is."""
    try:
        async with asyncio.timeout(seconds):
            await stopping.wait()
    except TimeoutError:
        pass
    return stopping.is_set()


def backoff(failures: int, first: float, longest: float) -> float:
    """How long to wait after the `failures`-th failure in a row, in the unit of `first` and `longest`.

    min(longest, first * 2^(failures - 1)), times a random factor from 0.5 to 1, so that what failed for one reason does
    not come back at one moment.
    """
    ceiling = min(longest, first * 2.0 ** min(failures - 1, _MOST_DOUBLINGS))
    return ceiling * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, guards no secret
