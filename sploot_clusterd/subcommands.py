"""How commands come to the command line: each says what it is for and shows an example."""

import argparse
from collections.abc import Callable, Mapping
from typing import Any

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


class StorePath(argparse.Action):
    """Stores the name of a file or directory, which a shell can complete."""

    @property
    def complete(self) -> Mapping[str, str | dict[str, str]]:
        """What shtab asks an action for. It is imported by `clusterd completion` alone."""
        import shtab  # noqa: PLC0415

        return shtab.FILE

    def __call__(
        self, _parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, _option: str | None = None
    ) -> None:
        setattr(namespace, self.dest, values)


class AppendPath(StorePath):
    """The same, for an option that may be given again."""

    def __call__(
        self, _parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, _option: str | None = None
    ) -> None:
        setattr(namespace, self.dest, [*getattr(namespace, self.dest), values])
