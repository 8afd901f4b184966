"""The arguments of `clusterd alerts`."""

import argparse
from typing import Final

from sploot_clusterd.subcommands import adder

ABOUT: Final = "try whether alerts reach who is to hear of them"
EXAMPLES: Final = """example:
  ALERTMANAGER_URL=http://127.0.0.1:9093 clusterd alerts fire --dry-run
"""
_FIRE_EXAMPLES: Final = """environment:
  ALERTMANAGER_URL    where the Alertmanager is

examples:
  clusterd alerts fire --dry-run            which alerts there are, and how urgent each is
  clusterd alerts fire                      each of them, as a drill: they end by themselves after five minutes
  clusterd alerts fire ClusterdDown ClusterdDeadLetters
"""


def add_arguments(parser: argparse.ArgumentParser, shared: argparse.ArgumentParser) -> None:
    """`shared` are the options of every command."""
    action = adder(parser, shared, "action", required=True)
    fire = action("fire", "send alerts to the Alertmanager as a drill", _FIRE_EXAMPLES)
    fire.add_argument("names", nargs="*", metavar="ALERT", help="these, in place of all")
    fire.add_argument("--dry-run", action="store_true", help="print the alerts that would be sent, and send none")
