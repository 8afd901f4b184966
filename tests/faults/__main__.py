"""`python -m tests.faults [--full] [--seeds N]`: the fault experiments, and a table of what they counted."""

# ruff: noqa: T201 - a command prints

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

from tests.faults.plans import PLANS, Plan
from tests.faults.table import Row, refreshed

_EXAMPLES = """examples:
  python -m tests.faults --only Redis          those about Redis, small
  python -m tests.faults --full --seeds 3 --table docs/reliability.md
                                               all of them whole, into the page as they end
"""


def main() -> int:
    parser = argparse.ArgumentParser(
        "python -m tests.faults", epilog=_EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--full", action="store_true", help="up to 10,000 jobs and 40 harms a run")
    parser.add_argument("--seeds", type=int, default=1, help="runs of each experiment (default: 1)")
    parser.add_argument(
        "--only", action="append", metavar="TEXT", help="those whose name has TEXT in it; may be repeated"
    )
    parser.add_argument(
        "--table", type=Path, metavar="FILE", help="refresh the rows of what was run in this page's table"
    )
    asked = parser.parse_args()
    plans = [plan for plan in PLANS if not asked.only or any(text in plan.name for text in asked.only)]
    print("\n".join(Row.HEAD))
    passed = True
    for number, plan in enumerate(plans, 1):
        row = _row(plan, asked.seeds, full=asked.full, progress=f"{number} of {len(plans)}")
        passed &= row.passed
        print(row, flush=True)
        if asked.table:
            asked.table.write_text(refreshed(asked.table.read_text(), row, [plan.name for plan in PLANS]))
    return 0 if passed else 1


def _row(plan: Plan, seeds: int, *, full: bool, progress: str) -> Row:
    row = Row(plan.name)
    for seed in range(1, seeds + 1):
        print(f"running {progress}: {plan.name}, seed {seed}", file=sys.stderr, flush=True)
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="faults-") as directory:
            outcome = asyncio.run(plan.run(Path(directory), seed, plan.full if full else plan.small))
        row.add(outcome, time.monotonic() - began)
        for text in (*outcome.breaches, *outcome.verdict.details):
            print(f"  seed {seed}: {text}", file=sys.stderr, flush=True)
    return row


if __name__ == "__main__":
    sys.exit(main())
