"""How commands come to the command line: each says what it is for and shows an example."""

import argparse
from collections.abc import Callable

Add = Callable[[str, str, str], argparse.ArgumentParser]
"""Adds a command by its name, what it does, and its examples."""


def adder(
    parser: argparse.ArgumentParser, shared: argparse.ArgumentParser, dest: str, *, required: bool = False
) -> Add:
    """For commands of `parser`, whose names end up in `dest`. `shared` are the options of every command."""
    commands = parser.add_subparsers(dest=dest, metavar=dest.upper(), required=required)

    def add(name: str, about: str, examples: str) -> argparse.ArgumentParser:
        layout = argparse.RawDescriptionHelpFormatter
        return commands.add_parser(
            name, help=about, description=about, epilog=examples, formatter_class=layout, parents=[shared]
        )

    return add
