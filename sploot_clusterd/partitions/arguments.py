"""The arguments of `clusterd partitions`, apart from what they need: parsing them takes neither redis nor numpy."""

import argparse
from typing import Final

from sploot_clusterd.partitioning import MOST_PARTITIONS
from sploot_clusterd.subcommands import adder

ABOUT: Final = "look at the stream's partitions, change their number, see how a producer finds a pet's"
EXAMPLES: Final = """examples:
  clusterd partitions show                  who reads each partition, and how much waits there
  clusterd partitions show pet_123          the one of this pet
  clusterd partitions code go               what a producer in Go needs, to add to partitions itself
  clusterd partitions plan 16               what another number would move, and for how long
  clusterd partitions move 16               changes the number, while daemons run
"""
_SHOW_EXAMPLES: Final = """examples:
  clusterd partitions show
  clusterd partitions show --json pet_123 pet_456
"""
_CODE_EXAMPLES: Final = """example:
  clusterd partitions code python
"""
_PLAN_EXAMPLES: Final = """example:
  clusterd partitions plan 16
"""
_MOVE_EXAMPLES: Final = """examples:
  clusterd partitions move 16               one group of partitions after the other
  clusterd partitions move 16               the same again: goes on where it was interrupted

While a group is in motion, submits and corrections of its pets are answered 503 with Retry-After; reading goes
on. A number that is a multiple of the present one makes many small groups. From one partition to several, all daemons
have to be stopped first.
"""
LANGUAGES: Final = ("python", "go", "javascript", "java")


def add_arguments(parser: argparse.ArgumentParser, shared: argparse.ArgumentParser) -> None:
    """`shared` are the options of every command."""
    action = adder(parser, shared, "action", required=True)
    show = action("show", "print a line for each partition, or for each pet's", _SHOW_EXAMPLES)
    show.add_argument("--json", action="store_true", help="a JSON object a line, for machines")
    show.add_argument("pets", nargs="*", metavar="PET_ID", help="only the partitions of these")
    plan = action("plan", "print what another number of partitions would move; change nothing", _PLAN_EXAMPLES)
    move = action("move", "change the number of partitions, or go on with it", _MOVE_EXAMPLES)
    move.add_argument("--dry-run", action="store_true", help="as plan: change nothing")
    for each in (plan, move):
        each.add_argument("--json", action="store_true", help="a JSON object a line, for machines")
        each.add_argument(
            "count", type=_count, metavar="COUNT", help=f"how many there are to be, 1 to {MOST_PARTITIONS}"
        )
    code = action("code", "print a function from a pet's id to its partition's stream", _CODE_EXAMPLES)
    code.add_argument("language", choices=LANGUAGES, metavar="LANGUAGE", help=f"one of {', '.join(LANGUAGES)}")


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text[:9]) <= MOST_PARTITIONS):
        raise argparse.ArgumentTypeError(f"expected a whole number from 1 to {MOST_PARTITIONS}, got {text[:80]!r}")
    return int(text)
