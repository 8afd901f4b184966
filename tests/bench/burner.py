"""`python -m tests.bench.burner SHARE`: takes this part of a core, as often as history writes; it does nothing else."""

import os
import sys
import time

_EVERY = 0.25
"""Seconds."""


def burn(share: float) -> None:
    """As long as whoever started it is there."""
    due, parent = time.monotonic(), os.getppid()
    while os.getppid() == parent:
        until = time.thread_time() + share * _EVERY
        while time.thread_time() < until:
            pass
        due += _EVERY
        time.sleep(max(0.0, due - time.monotonic()))


if __name__ == "__main__":
    burn(float(sys.argv[1]))
