"""The arguments of `clusterd eval`, apart from what they need: the command line is parsed without numpy."""

import argparse
import contextlib
from pathlib import Path
from typing import Final

from sploot_clusterd.subcommands import StorePath

ABOUT: Final = "measure how well the engine clusters labelled albums (their layout: docs/evaluation.md)"
EXAMPLES: Final = """examples:
  clusterd eval albums.npz --algorithm mixture --algorithm average_linkage --report report.html
  clusterd eval albums.npz --profile none     as if no profile were ever learned
"""
_MODES: Final = ("none", "online", "folds")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file", type=Path, action=StorePath, metavar="FILE", help="an .npz file of embeddings, labels and albums"
    )
    parser.add_argument(
        "--albums",
        dest="composition",
        type=Path,
        action=StorePath,
        metavar="FILE2",
        help="take which images form albums from this file",
    )
    parser.add_argument(
        "--algorithm",
        action="append",
        metavar="NAME",
        help="may be repeated; columns side by side (default: configured)",
    )
    parser.add_argument(
        "--profile",
        type=_profile,
        metavar="none|online|folds|FILE",
        help="compare images without a profile; by one learned meanwhile, as the daemon does; by one learned from the "
        "labels of other folds; or by one of `clusterd profile export` (default: online, if profiles.enabled)",
    )
    parser.add_argument("--sizes", type=_sizes, metavar="MIN:MAX", help="only albums of MIN to MAX images")
    parser.add_argument("--first", type=_count, metavar="N", help="only the first N albums (of these)")
    parser.add_argument("--job-size", type=_count, default=8, metavar="N", help="jobs of 1 to N images (default: 8)")
    parser.add_argument("--seed", type=int, default=0, help="of the jobs' sizes and the shuffles (default: 0)")
    parser.add_argument(
        "--shuffle",
        type=_count,
        default=0,
        metavar="N",
        help="also in N shuffled orders of arrival: print the spread of F1",
    )
    parser.add_argument(
        "--corrections",
        type=_count,
        default=0,
        metavar="N",
        help="also with a user who knows the labels and makes up to N corrections an album: print what they gain",
    )
    parser.add_argument(
        "--questions",
        type=_count,
        default=0,
        metavar="N",
        help="also with a user who answers N of the daemon's questions an album, and N of random pairs: print what "
        "that gains",
    )
    parser.add_argument(
        "--json", type=Path, action=StorePath, metavar="FILE", help="write the figures, and each album's, to FILE"
    )
    parser.add_argument(
        "--report",
        type=Path,
        action=StorePath,
        metavar="FILE",
        help="write a page with pictures to FILE (HTML; needs matplotlib)",
    )


def _count(text: str) -> int:
    with contextlib.suppress(ValueError):
        if (count := int(text)) >= 1:
            return count
    raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number of 1 or more")


def _profile(text: str) -> str | Path:
    """A file that has the name of a mode is `./online`."""
    if not text:
        raise argparse.ArgumentTypeError(f"expected one of {', '.join(_MODES)}, or a file")
    return text if text in _MODES else Path(text)


def _sizes(text: str) -> range:
    least, colon, most = text.partition(":")
    with contextlib.suppress(argparse.ArgumentTypeError):
        if colon and _count(least) <= _count(most):
            return range(_count(least), _count(most) + 1)
    raise argparse.ArgumentTypeError(f"{text!r}: expected MIN:MAX, two whole numbers of 1 or more, such as 30:200")
