"""`python -m tests.bench [--json FILE] [--only NAME]`: what the daemon costs, beside bare baselines of the same run."""

# ruff: noqa: T201 - a command prints

import argparse
import os
import sys
from dataclasses import asdict
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as the daemon does; read when numpy is imported

import msgspec

from tests.bench.engine import albums
from tests.bench.figure import Figure, Measure, Size, middle
from tests.bench.http import reads, submits
from tests.bench.jobs import jobs
from tests.bench.memory import memory
from tests.bench.process import process

_EXAMPLES = """example:
  python -m tests.bench --only reads --json reads.json     the read path; all of it takes a few minutes
"""
MEASURES: dict[str, Measure] = {
    "engine": albums,
    "reads": reads,
    "submits": submits,
    "jobs": jobs,
    "memory": memory,
    "process": process,
}


def main(arguments: list[str] | None = None, size: Size | None = None) -> int:
    parser = argparse.ArgumentParser(
        "python -m tests.bench",
        description="Measures the daemon beside bare baselines. Figures are medians, with lowest and highest.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", choices=MEASURES, help="one group of figures")
    parser.add_argument("--json", type=Path, metavar="FILE", help="writes every repeat to FILE")
    asked = parser.parse_args(arguments)
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.2f}\n")
    print("| figure | unit | clusterd | bare | ratio | load |")
    print("|---|---|---|---|---|---|")
    figures: list[Figure] = []
    for name, measure in MEASURES.items():
        if asked.only in {None, name}:
            print(f"measuring: {name}", end="\r", file=sys.stderr, flush=True)
            taken = measure(size or Size())
            figures += taken
            for figure in taken:
                print(_row(figure), flush=True)
    if asked.json:
        rows = [{**asdict(figure), "ratios": figure.ratios} for figure in figures]
        asked.json.write_bytes(msgspec.json.encode(rows))
    return 0


def _row(figure: Figure) -> str:
    columns = (figure.name, figure.unit, middle(figure.ours), middle(figure.bare), middle(figure.ratios, 2))
    return f"| {' | '.join(columns)} | {figure.load:.1f} |"


if __name__ == "__main__":
    sys.exit(main())
