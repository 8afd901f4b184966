"""The arguments of `clusterd eval`, apart from what they need: the command line is parsed without numpy."""

import argparse
import contextlib
from pathlib import Path
from typing import Final

ABOUT: Final = "measure how well the engine clusters labelled albums (their layout: docs/evaluation.md)"
EXAMPLES: Final = """example:
  clusterd eval albums.npz --algorithm mixture --algorithm average_linkage
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="an .npz file of embeddings, labels and albums")
    parser.add_argument(
        "--albums", dest="composition", type=Path, metavar="FILE2", help="take which images form albums from this file"
    )
    parser.add_argument(
        "--algorithm",
        action="append",
        metavar="NAME",
        help="may be repeated; columns side by side (default: configured)",
    )
    parser.add_argument("--first", type=_count, metavar="N", help="only the first N albums")
    parser.add_argument("--job-size", type=_count, default=8, metavar="N", help="jobs of 1 to N images (default: 8)")
    parser.add_argument("--seed", type=int, default=0, help="of the jobs' sizes (default: 0)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to FILE as well")


def _count(text: str) -> int:
    with contextlib.suppress(ValueError):
        if (count := int(text)) >= 1:
            return count
    raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number of 1 or more")
