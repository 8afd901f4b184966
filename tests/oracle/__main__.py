"""`python -m tests.oracle [--full] [--seed N]`: worlds one after the other, until one disagrees with the pages."""

# ruff: noqa: T201 - a command prints

import argparse
import sys
import time
import traceback
from itertools import count

from tests.oracle.world import World

_STEPS = 60


def main() -> int:
    parser = argparse.ArgumentParser("python -m tests.oracle")
    parser.add_argument("--full", action="store_true", help="for an hour instead of a minute")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="the first world's (default: 1)")
    asked = parser.parse_args()
    end = time.monotonic() + (3600 if asked.full else 60)
    failed = jobs = worlds = 0
    for seed in count(asked.seed):
        if time.monotonic() > end:
            break
        world, worlds = World(seed), worlds + 1
        try:
            world.live(_STEPS)
        except AssertionError:
            failed += 1
            print(f"world {seed}:", file=sys.stderr)
            traceback.print_exc()
        jobs += world.jobs
    print(f"{worlds} worlds of {jobs} jobs: {failed} disagreed with the pages")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
