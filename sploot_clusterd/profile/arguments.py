"""The arguments of `clusterd profile`, apart from what they need: the command line is parsed without redis or numpy."""

import argparse
from pathlib import Path
from typing import Final

from sploot_clusterd.subcommands import StorePath, adder

ABOUT: Final = "look at what was learned of each encoder, freeze or drop it, take it to another installation"
EXAMPLES: Final = """examples:
  clusterd profile list                     how far each model version's profile has come
  clusterd profile show clip-b32            one, with what is known of each vector kind
  clusterd profile freeze clip-b32          keep it as it is
"""
_LIST_EXAMPLES: Final = """example:
  clusterd profile list --json
"""
_SHOW_EXAMPLES: Final = """examples:
  clusterd profile show clip-b32
  clusterd profile show ''                  that of images without a model version
"""
_FREEZE_EXAMPLES: Final = """example:
  clusterd profile freeze clip-b32
"""
_DROP_EXAMPLES: Final = """examples:
  clusterd profile drop clip-b32 --dry-run
  clusterd profile drop clip-b32
"""
_EXPORT_EXAMPLES: Final = """example:
  clusterd profile export clip-b32 clip-b32.profile
"""
_IMPORT_EXAMPLES: Final = """example:
  clusterd profile import clip-b32.profile
"""


def add_arguments(parser: argparse.ArgumentParser, shared: argparse.ArgumentParser) -> None:
    """`shared` are the options of every command."""
    action = adder(parser, shared, "action", required=True)
    list_ = action("list", "print a line for each model version", _LIST_EXAMPLES)
    show = action("show", "print what there is of one", _SHOW_EXAMPLES)
    freeze = action("freeze", "keep the profile as it is, and delete the sample", _FREEZE_EXAMPLES)
    drop = action("drop", "forget the profile and the sample, so that learning begins anew", _DROP_EXAMPLES)
    drop.add_argument("--dry-run", action="store_true", help="say what would be forgotten, and change nothing")
    export = action("export", "write the profile in use to a file", _EXPORT_EXAMPLES)
    import_ = action("import", "publish a file as the next generation, settled", _IMPORT_EXAMPLES)
    for each in (list_, show):
        each.add_argument("--json", action="store_true", help="as JSON, for machines")
    for each in (show, freeze, drop, export):
        each.add_argument("model", metavar="MODEL", help="the model version, as list shows it")
    for each in (export, import_):
        each.add_argument("file", type=Path, action=StorePath, metavar="FILE")
