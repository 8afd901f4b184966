"""`python -m tests.bench`: what the daemon costs, beside bare baselines of the same run."""

# ruff: noqa: T201 - a command prints

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as the daemon does; read when numpy is imported

import msgspec

from sploot_clusterd import garbage
from tests.bench.backlog import backlog
from tests.bench.cluster import cluster
from tests.bench.engine import albums
from tests.bench.figure import Figure, Measure, Size
from tests.bench.growth import growth
from tests.bench.history import history
from tests.bench.http import reads, submits
from tests.bench.insights import insights
from tests.bench.jobs import jobs
from tests.bench.memory import memory
from tests.bench.pages import pages
from tests.bench.process import process
from tests.bench.queueing import queueing
from tests.bench.rivals import rivals
from tests.bench.shapes import shapes
from tests.bench.table import HEAD, refreshed, row
from tests.bench.tracing import tracing

_EXAMPLES = """example:
  python -m tests.bench --only reads --json reads.json                 the read path
  python -m tests.bench --json bench.json --table docs/performance.md --draw docs/pictures
                                                    everything, into the page; tracing takes twenty minutes of it
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
    "cluster": cluster,
    "process": process,
    "pages": pages,
    "insights": insights,
    "history": history,
    "queueing": queueing,
    "tracing": tracing,
}


def main(arguments: list[str] | None = None, size: Size | None = None) -> int:
    parser = argparse.ArgumentParser(
        "python -m tests.bench",
        description="Measures the daemon beside bare baselines. Figures are medians, with lowest and highest.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", action="append", choices=MEASURES, help="one group of figures; repeatable")
    parser.add_argument("--json", type=Path, metavar="FILE", help="writes every repeat to FILE")
    parser.add_argument("--table", type=Path, metavar="FILE", help="refreshes the tables of what was run in that page")
    parser.add_argument("--draw", type=Path, metavar="DIR", help="draws what a job costs into DIR (needs matplotlib)")
    parser.add_argument(
        "--from", type=Path, metavar="FILE", dest="source", help="takes the figures of FILE, measures nothing"
    )
    parser.add_argument("--full", action="store_true", help="grows a fleet of 100,000 pets: some GB, and half an hour")
    asked = parser.parse_args(arguments)
    size = size or (Size(fleet=_FULL_FLEET) if asked.full else Size())
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.2f}\n")
    print(HEAD)
    figures: dict[str, Sequence[Figure]] = {}
    for group, measured in _read(asked.source) if asked.source else _measured(asked.only, size):
        figures[group] = measured
        print(*map(row, measured), sep="\n", flush=True)
        if asked.table:
            asked.table.write_text(refreshed(asked.table.read_text(), group, measured))
    if asked.json:
        rows = {group: [{**asdict(each), "ratios": each.ratios} for each in of_it] for group, of_it in figures.items()}
        asked.json.write_bytes(msgspec.json.encode(rows))
    if asked.draw:
        from tests.bench.draw import draw  # noqa: PLC0415 - matplotlib is not for everybody

        for path in draw([each for of_it in figures.values() for each in of_it], asked.draw):
            print(f"drawn: {path}", file=sys.stderr)
    return 0


def _measured(only: Sequence[str] | None, size: Size) -> Iterator[tuple[str, Sequence[Figure]]]:
    for name, measure in MEASURES.items():
        if only is None or name in only:
            print(f"measuring: {name}", end="\r", file=sys.stderr, flush=True)
            yield name, measure(size)


def _read(file: Path) -> Iterator[tuple[str, Sequence[Figure]]]:
    """Figures that `--json` wrote, by group."""
    yield from msgspec.json.decode(file.read_bytes(), type=dict[str, list[Figure]]).items()


if __name__ == "__main__":
    garbage.look_seldom()  # as the daemon does
    sys.exit(main())
