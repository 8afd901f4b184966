"""`python -m tests.bench [--only NAME] [--json FILE] [--draw DIR]`: what the daemon costs, beside bare baselines of the
same run.
"""

# ruff: noqa: T201 - a command prints

import argparse
import os
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as the daemon does; read when numpy is imported

import msgspec

from tests.bench.backlog import backlog
from tests.bench.engine import albums
from tests.bench.figure import Figure, Measure, Size, middle
from tests.bench.growth import growth
from tests.bench.http import reads, submits
from tests.bench.jobs import jobs
from tests.bench.memory import memory
from tests.bench.process import process
from tests.bench.rivals import rivals
from tests.bench.shapes import shapes

_EXAMPLES = """example:
  python -m tests.bench --only reads --json reads.json                 the read path
  python -m tests.bench --json bench.json --draw docs/pictures         everything; it takes a quarter of an hour
  python -m tests.bench --from bench.json --draw docs/pictures         the same pictures again
"""
_FULL_FLEET = 100_000
MEASURES: dict[str, Measure] = {
    "engine": albums,
    "reads": reads,
    "submits": submits,
    "jobs": jobs,
    "backlog": backlog,
    "shapes": shapes,
    "memory": memory,
    "growth": growth,
    "rivals": rivals,
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
    parser.add_argument("--draw", type=Path, metavar="DIR", help="draws what a job costs into DIR (needs matplotlib)")
    parser.add_argument(
        "--from", type=Path, metavar="FILE", dest="source", help="takes the figures of FILE, measures nothing"
    )
    parser.add_argument("--full", action="store_true", help="grows a fleet of 100,000 pets: some GB, and half an hour")
    asked = parser.parse_args(arguments)
    size = size or (Size(fleet=_FULL_FLEET) if asked.full else Size())
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.2f}\n")
    print("| figure | unit | clusterd | bare | ratio | load |")
    print("|---|---|---|---|---|---|")
    figures: list[Figure] = []
    for figure in _read(asked.source) if asked.source else _measured(asked.only, size):
        figures.append(figure)
        print(_row(figure), flush=True)
    if asked.json:
        rows = [{**asdict(figure), "ratios": figure.ratios} for figure in figures]
        asked.json.write_bytes(msgspec.json.encode(rows))
    if asked.draw:
        from tests.bench.draw import draw  # noqa: PLC0415 - matplotlib is not for everybody

        for path in draw(figures, asked.draw):
            print(f"drawn: {path}", file=sys.stderr)
    return 0


def _measured(only: str | None, size: Size) -> Iterator[Figure]:
    for name, measure in MEASURES.items():
        if only in {None, name}:
            print(f"measuring: {name}", end="\r", file=sys.stderr, flush=True)
            yield from measure(size)


def _read(file: Path) -> list[Figure]:
    """Figures that `--json` wrote."""
    return msgspec.json.decode(file.read_bytes(), type=list[Figure])


def _row(figure: Figure) -> str:
    columns = (figure.name, figure.unit, middle(figure.ours), middle(figure.bare), middle(figure.ratios, 2))
    return f"| {' | '.join(columns)} | {figure.load:.1f} |"


if __name__ == "__main__":
    sys.exit(main())
