"""How a process that stays up looks for garbage: seldom, as what we make is freed by counting."""

import gc
from typing import Final

_THRESHOLDS: Final = (20_000, 50, 1000)
"""Allocations between collections of young, middle and old objects. With the defaults, albums in memory are gone
through again and again, for up to 75 ms with 500 of them, and nothing is found.
"""


def look_seldom() -> None:
    """To be called when all is imported: that stays, and is not gone through any more."""
    gc.set_threshold(*_THRESHOLDS)
    gc.freeze()
