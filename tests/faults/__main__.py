"""`python -m tests.faults [--full] [--seeds N]`: the fault experiments, and a table of what they counted."""

# ruff: noqa: T201 - a command prints

import argparse
import asyncio
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from tests.faults.checker import Verdict
from tests.faults.harm import Outcome, Size
from tests.faults.plans import PLANS, Plan
from tests.faults.table import Row, refreshed

_LAST_WORDS = 20
_EXAMPLES = """examples:
  python -m tests.faults --only Redis          those about Redis, small
  python -m tests.faults --full --seeds 3 --table docs/reliability.md
                                               all but the soak, whole, into the page as they end
  python -m tests.faults --full --only soak --soak-minutes 60 --table docs/reliability.md
"""


def main() -> int:
    parser = argparse.ArgumentParser(
        "python -m tests.faults", epilog=_EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--full", action="store_true", help="up to 10,000 jobs and 40 kills a run")
    parser.add_argument("--seeds", type=int, default=1, metavar="N", help="runs of each experiment (default: 1)")
    parser.add_argument("--only", action="append", metavar="TEXT", help="those with TEXT in their name; repeatable")
    parser.add_argument("--soak-minutes", type=int, default=60, metavar="N", help="of the full soak (default: 60)")
    parser.add_argument("--table", type=Path, metavar="FILE", help="refresh the rows of what was run in that page")
    asked = parser.parse_args()
    plans = [plan for plan in PLANS if _is_asked_for(plan, asked)]
    print("\n".join(Row.HEAD))
    passed = True
    for number, plan in enumerate(plans, 1):
        if missing := plan.missing():
            print(f"not run: {plan.name}: {missing}", file=sys.stderr)
            passed = False
            continue
        row = _row(plan, _size(plan, asked), asked.seeds, progress=f"{number} of {len(plans)}")
        passed &= row.passed
        print(row, flush=True)
        if asked.table:
            asked.table.write_text(refreshed(asked.table.read_text(), row, [plan.name for plan in PLANS]))
    return 0 if passed else 1


def _is_asked_for(plan: Plan, asked: argparse.Namespace) -> bool:
    if plan.small is None and not asked.full:
        return False
    if asked.only:
        return any(text in plan.name for text in asked.only)
    return not (asked.full and plan.takes_an_hour)


def _size(plan: Plan, asked: argparse.Namespace) -> Size:
    if not asked.full and plan.small:
        return plan.small
    return replace(plan.full, harms=asked.soak_minutes) if plan.takes_an_hour else plan.full


def _row(plan: Plan, size: Size, seeds: int, *, progress: str) -> Row:
    row = Row(plan.name)
    for seed in range(1, seeds + 1):
        print(f"running {progress}: {plan.name}, seed {seed}", file=sys.stderr, flush=True)
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="faults-") as directory:
            try:
                outcome = asyncio.run(plan.run(Path(directory), seed, size))
            except AssertionError as error:  # what was to happen did not; the other experiments are run all the same
                outcome = Outcome(Verdict(details=_last_words(Path(directory))), 0, [str(error)])
        row.add(outcome, time.monotonic() - began)
        for text in (*outcome.breaches, *outcome.too_slow(), *outcome.verdict.details):
            print(f"  seed {seed}: {text}", file=sys.stderr, flush=True)
    return row


def _last_words(directory: Path) -> list[str]:
    """What the daemons logged last, but for each job's success."""
    return [
        line
        for log in sorted(directory.glob("daemon-*.log"))
        for line in [line for line in log.read_text().splitlines() if '"job done"' not in line][-_LAST_WORDS:]
    ]


if __name__ == "__main__":
    sys.exit(main())
