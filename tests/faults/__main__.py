"""`python -m tests.faults [--full] [--seeds N]`: the fault experiments, and a table of what they counted."""

# ruff: noqa: T201 - a command prints

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from tests.faults import experiments
from tests.faults.checker import Verdict
from tests.faults.experiments import Recovery, Size

_EXAMPLES = """example:
  python -m tests.faults --full --seeds 3     the figures of docs/reliability, about ten minutes
"""
_SMALL = Size(jobs=1500, rate=400, harms=4)
_FULL = Size(jobs=10_000, rate=250, harms=20)

Experiment = Callable[[Path, int, Size], Awaitable[Verdict | Recovery]]
_EXPERIMENTS: dict[str, Experiment] = {
    "kill -9 of daemons": experiments.kill_storm,
    "SIGSTOP for twice the reclaim time": experiments.stopped_daemon,
    "kill -9 of Redis": experiments.redis_killed,
}


def main() -> int:
    parser = argparse.ArgumentParser(
        "python -m tests.faults", epilog=_EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--full", action="store_true", help="10,000 jobs and 20 harms an experiment")
    parser.add_argument("--seeds", type=int, default=1, help="runs of each experiment (default: 1)")
    asked = parser.parse_args()
    print("| experiment | seed | harms | jobs | once | never | twice | dead letters | seconds |")
    print("|---|---|---|---|---|---|---|---|---|")
    clean = [
        _row(name, experiment, seed, _FULL if asked.full else _SMALL)
        for name, experiment in _EXPERIMENTS.items()
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
