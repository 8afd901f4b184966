"""The arguments of `clusterd partitions`, apart from what they need: parsing them takes neither redis nor numpy."""

import argparse
from typing import Final

from sploot_clusterd.subcommands import adder

ABOUT: Final = "look at the stream's partitions, and see how a producer finds a pet's"
EXAMPLES: Final = """examples:
  clusterd partitions show                  who reads each partition, and how much waits there
  clusterd partitions show pet_123          the one of this pet
  clusterd partitions code go               what a producer in Go needs, to add to partitions itself
"""
_SHOW_EXAMPLES: Final = """examples:
  clusterd partitions show
  clusterd partitions show --json pet_123 pet_456
"""
_CODE_EXAMPLES: Final = """example:
  clusterd partitions code python
"""
LANGUAGES: Final = ("python", "go", "javascript", "java")


def add_arguments(parser: argparse.ArgumentParser, shared: argparse.ArgumentParser) -> None:
    """`shared` are the options of every command."""
    action = adder(parser, shared, "action", required=True)
    show = action("show", "print a line for each partition, or for each pet's", _SHOW_EXAMPLES)
    show.add_argument("--json", action="store_true", help="a JSON object a line, for machines")
    show.add_argument("pets", nargs="*", metavar="PET_ID", help="only the partitions of these")
    code = action("code", "print a function from a pet's id to its partition's stream", _CODE_EXAMPLES)
    code.add_argument("language", choices=LANGUAGES, metavar="LANGUAGE", help=f"one of {', '.join(LANGUAGES)}")
