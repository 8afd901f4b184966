"""The arguments of `clusterd replay`, apart from what they need: a probe must not pay for what it does not use."""

import argparse
import contextlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

from sploot_clusterd.subcommands import AppendPath, StorePath

ABOUT: Final = "post the jobs of a JSON or JSON Lines file to a running daemon"
EXAMPLES: Final = """examples:
  INTERNAL_TOKEN_FILE=clusterd-data/token clusterd replay --rate 50 jobs.jsonl
  zcat jobs.jsonl.gz | clusterd replay -
  clusterd replay --batch 500 --rate 0 backfill.jsonl.gz
  clusterd replay --duration 10m --ramp 1m --jitter .5 --report soak.html jobs.jsonl
"""
_MOST_AT_ONCE: Final = 1000
_MOST_LINES: Final = 1000
"""What the batch route takes."""
_UNITS: Final = {"s": 1.0, "m": 60.0, "h": 3600.0}
_SUFFIXES: Final = {".json", ".html"}


def add_arguments(
    parser: argparse.ArgumentParser, file: Callable[[str], Path | None], rate: Callable[[str], float]
) -> None:
    """`file` reads the name of a file, or that of standard input; `rate` a number of jobs a second."""
    parser.add_argument(
        "file",
        type=file,
        action=StorePath,
        metavar="FILE",
        help="a job, an array of jobs, or a job a line, also as gzip; -: standard input",
    )
    parser.add_argument(
        "--rate", type=rate, default=100.0, help="jobs a second; 0: as fast as it goes (default: %(default)g)"
    )
    parser.add_argument(
        "--concurrency", type=_whole(_MOST_AT_ONCE), default=16, metavar="N", help="requests at once (default: 16)"
    )
    parser.add_argument(
        "--batch", type=_whole(_MOST_LINES), default=0, metavar="N", help="N jobs in a request, by the batch route"
    )
    parser.add_argument("--ramp", type=_seconds, default=0.0, metavar="TIME", help="the rate grows from 0 for so long")
    parser.add_argument(
        "--jitter",
        type=_share,
        default=0.0,
        metavar="SHARE",
        help="vary the pauses between jobs by up to so much, 0 to 1",
    )
    rehearsal = parser.add_argument_group(
        "rehearsal",
        "With one of these, jobs get new ids, views are looked at, and the run is held against the objectives.",
    )
    rehearsal.add_argument(
        "--duration", type=_seconds, metavar="TIME", help="begin the file anew until so long has passed (30s, 10m, 2h)"
    )
    rehearsal.add_argument(
        "--report",
        type=_report,
        action=AppendPath,
        default=[],
        metavar="FILE",
        help="write how it went, as .json or .html",
    )


def mistake(args: argparse.Namespace) -> str | None:
    """What is wrong with a choice of options."""
    if not args.rate and (args.ramp or args.jitter):
        return "replay: --ramp and --jitter need a --rate above 0"
    if args.duration == 0:
        return "replay: --duration: expected more than 0"
    return None


def _whole(most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        with contextlib.suppress(ValueError):
            if 1 <= (number := int(text)) <= most:
                return number
        raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number from 1 to {most:,}")

    return read


def _seconds(text: str) -> float:
    if found := re.fullmatch(r"(\d{1,6}(?:\.\d{1,3})?)([smh])", text):
        return float(found[1]) * _UNITS[found[2]]
    raise argparse.ArgumentTypeError(f"{text!r}: expected a time like 30s, 10m or 2h")


def _share(text: str) -> float:
    with contextlib.suppress(ValueError):
        if 0 <= (share := float(text)) <= 1:
            return share
    raise argparse.ArgumentTypeError(f"{text!r}: expected a number from 0 to 1")


def _report(text: str) -> Path:
    if (file := Path(text)).suffix in _SUFFIXES:
        return file
    raise argparse.ArgumentTypeError(f"{text!r}: expected a name that ends with .json or .html")
