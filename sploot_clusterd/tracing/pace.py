"""The pace of the process that sends: in short steps, with pauses in between.

Cores may share what computes, two by two: while one works, a request that is answered on the other takes up to two
thirds longer. Of many short steps each answer feels a little; of one long step those that come meanwhile feel all, and
they are the slowest hundredth.
"""

import time
from typing import Final

PAUSE: Final = 0.001
"""Seconds; as long as some requests take."""
_STEP: Final = 0.0003
"""Seconds of CPU."""


class Pace:
    """That of one thread."""

    def __init__(self) -> None:
        self._began = time.thread_time()

    def step(self) -> None:
        """Pauses, if it worked for long enough since the last pause."""
        if time.thread_time() - self._began > _STEP:
            time.sleep(PAUSE)
            self._began = time.thread_time()
