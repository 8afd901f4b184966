"""`clusterd completion`: what makes a shell complete commands, options and files, made from the parser by shtab."""

# ruff: noqa: T201 - a command prints

import argparse
from typing import Final

SHELLS: Final = ("bash", "zsh", "fish")
ABOUT: Final = "print what makes a shell complete commands, options and files"
EXAMPLES: Final = """examples:
  clusterd completion bash > ~/.local/share/bash-completion/completions/clusterd
  clusterd completion zsh > ~/.zfunc/_clusterd         where ~/.zfunc is in $fpath
  clusterd completion fish > ~/.config/fish/completions/clusterd.fish
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=SHELLS, metavar="SHELL", help=f"one of {', '.join(SHELLS)}")


def run(parser: argparse.ArgumentParser, shell: str) -> int:
    """Prints the script of `shell` for the whole command line, which `parser` describes."""
    import shtab  # noqa: PLC0415 - no other command needs it

    print(shtab.complete(parser, shell))
    return 0
