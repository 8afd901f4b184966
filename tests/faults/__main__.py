"""`python -m tests.faults [--full] [--seeds N]`: the fault experiments, and a table of what they counted."""

# ruff: noqa: T201 - a command prints

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

from tests.faults import experiments
from tests.faults.checker import Verdict
from tests.faults.experiments import Recovery, Size

_EXAMPLES = """example:
  python -m tests.faults --full --seeds 3     the figures of docs/reliability.md
"""

Experiment = Callable[[Path, int, Size], Awaitable[Verdict | Recovery]]


class Plan(NamedTuple):
    """An experiment, and how large it is by default and in full."""

    run: Experiment
    small: Size
    full: Size


_SMALL, _FULL = Size(jobs=1500, rate=400, harms=4), Size(jobs=10_000, rate=250, harms=20)
_EXPERIMENTS = {
    "kill -9 of a daemon": Plan(experiments.kill_storm, _SMALL, _FULL),
    "kill -9 of a daemon, all jobs of one pet": Plan(experiments.hot_pet, _SMALL, Size(3000, 150, 10)),
    "SIGTERM of a daemon": Plan(experiments.restarts, _SMALL, Size(5000, 250, 20)),
    "SIGSTOP of a daemon for twice the reclaim time": Plan(experiments.stopped_daemon, _SMALL, _FULL),
    "SIGSTOP of Redis for 1 and 6 s": Plan(experiments.stopped_redis, Size(1500, 300, 2), Size(5000, 250, 8)),
    "kill -9 of Redis": Plan(experiments.redis_killed, _SMALL, _FULL),
    "one reply of Redis in 50 lost": Plan(experiments.lost_replies, Size(1500, 300, 50), Size(10_000, 300, 50)),
    "Redis out of memory for 1 s": Plan(experiments.full_memory, Size(1500, 300, 2), Size(5000, 250, 10)),
}


def main() -> int:
    parser = argparse.ArgumentParser(
        "python -m tests.faults", epilog=_EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--full", action="store_true", help="up to 10,000 jobs and 20 harms an experiment")
    parser.add_argument("--seeds", type=int, default=1, help="runs of each experiment (default: 1)")
    parser.add_argument("--only", default="", metavar="TEXT", help="experiments whose name has TEXT in it")
    asked = parser.parse_args()
    print("| experiment | seed | harms | jobs | once | never | twice | dead letters | seconds |")
    print("|---|---|---|---|---|---|---|---|---|")
    clean = [
        _row(name, plan.run, seed, plan.full if asked.full else plan.small)
        for name, plan in _EXPERIMENTS.items()
        if asked.only in name
        for seed in range(1, asked.seeds + 1)
    ]
    return 0 if all(clean) else 1


def _row(name: str, experiment: Experiment, seed: int, size: Size) -> bool:
    print(f"running: {name}, seed {seed}", end="\r", file=sys.stderr, flush=True)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="faults-") as directory:
        result = asyncio.run(experiment(Path(directory), seed, size))
    counts = result.verdict if isinstance(result, Recovery) else result
    more = f", ready again after {result.green_after:.2f} s at most" if isinstance(result, Recovery) else ""
    print(
        f"| {name}{more} | {seed} | {size.harms} | {size.jobs} | {counts.once} | {counts.never} | {counts.twice} "
        f"| {counts.dead_letters} | {time.monotonic() - began:.0f} |",
        flush=True,
    )
    for detail in counts.details:
        print(f"  {detail}", file=sys.stderr)
    return counts.clean if not isinstance(result, Recovery) else result.survived and result.red and counts.clean


if __name__ == "__main__":
    sys.exit(main())
