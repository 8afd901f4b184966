"""`python -m tests.bench.burner SHARE`: takes this part of a core, as often as history writes; it does nothing else."""

import sys
import time

_EVERY = 0.25
"""Seconds."""


def burn(share: float) -> None:
    """For ever."""
    due = time.monotonic()
    while True:
        until = time.thread_time() + share * _EVERY
        while time.thread_time() < until:
            pass
        due += _EVERY
        time.sleep(max(0.0, due - time.monotonic()))


if __name__ == "__main__":
    burn(float(sys.argv[1]))
