"""How many pets are loaded, computed and committed at a time."""

from typing import Final

_FIRST: Final = 8
_MOST: Final = 64
_BEARABLE: Final = 8
"""One conflict among so many pets is borne; more, and the window is halved."""


class Window:
    """As many pets as rivals leave in peace: another process's commit costs what was computed for that pet, and is the
    likelier the more time there was for it. Without rivals, a round trip for many pets is cheaper than one for few.

    Doubles and halves as a congestion window does, and begins small, for rivals often start together.
    """

    def __init__(self) -> None:
        self.pets = _FIRST

    def saw(self, pets: int, conflicts: int) -> None:
        """What came of an attempt at that many."""
        if conflicts * _BEARABLE > pets:
            self.pets = max(1, self.pets // 2)
        elif not conflicts and pets >= self.pets:  # fewer than were allowed say nothing about more
            self.pets = min(self.pets * 2, _MOST)
