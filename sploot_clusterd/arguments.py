"""The command line of `clusterd`: its options, its commands, and which of them go together."""

import argparse
import contextlib
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from sploot_clusterd import __version__, completion
from sploot_clusterd.alerts import arguments as alerts
from sploot_clusterd.dashboards import arguments as dashboards
from sploot_clusterd.dlq import arguments as letters
from sploot_clusterd.evaluate import arguments as evaluation
from sploot_clusterd.history import arguments as history
from sploot_clusterd.partitions import arguments as partitions
from sploot_clusterd.profile import arguments as profiles
from sploot_clusterd.replay import arguments as replays
from sploot_clusterd.subcommands import StorePath, adder

DEFAULT_DIRECTORY: Final = Path("clusterd-data")
_COMMANDS: Final = (
    "demo",
    "config",
    "replay",
    "backfill",
    "dlq",
    "profile",
    "partitions",
    "history",
    "eval",
    "dashboards",
    "alerts",
    "completion",
)

_MAIN_EXAMPLES: Final = """examples:
  clusterd demo                             see it: pets to look at, nothing is kept
  clusterd --embedded                       try it: a private Redis, its data in ./clusterd-data
  clusterd --config /etc/clusterd.toml      run as configured
  clusterd --check || echo "not ready"      ask the running daemon whether it is ready
"""
_DEMO_EXAMPLES: Final = """example:
  clusterd demo
"""
_CONFIG_EXAMPLES: Final = """example:
  CLUSTER_CONSUMERS=4 clusterd config --config config.toml
"""
_BACKFILL_ABOUT: Final = "have the daemon fetch whole pets from the storage service"
_BACKFILL_EXAMPLES: Final = """examples:
  clusterd backfill pets.txt                pet ids, one a line
  psql -At -c 'select id from pets' | clusterd backfill --rate 20 -
  clusterd backfill --known --dry-run       how many pets are known here
"""


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """What was asked for; None are the process's own. Ends the process, by exit code 2, where that makes no sense."""
    parser = command_line()
    args = parser.parse_args(arguments, argparse.Namespace(config=None, url=None))
    if args.url and not args.check and args.command != "replay":
        parser.error("--url goes with --check or with replay")
    if args.command and args.check:
        parser.error(f"{args.command} takes no --check")
    if args.embedded and args.command not in {None, "backfill", "dlq", "profile", "partitions", "history"}:
        parser.error(f"{args.command} takes no --embedded")
    if args.command == "demo" and args.config:
        parser.error("demo takes no --config: its settings are its own")
    if args.check and args.embedded:
        parser.error("--check takes no --embedded: it asks a daemon that runs already")
    if args.command == "replay" and (mistake := replays.mistake(args)):
        parser.error(mistake)
    if args.command == "dlq" and (mistake := letters.mistake(args)):
        parser.error(mistake)
    return args


def command_line() -> argparse.ArgumentParser:
    """The parser of all options and commands."""
    shared = _shared_options()
    parser = argparse.ArgumentParser(
        "clusterd",
        description="Keeps every pet's photo clusters up to date, and serves them.",
        epilog=_MAIN_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[shared],
    )
    parser.add_argument("--version", action="version", version=f"clusterd {__version__}")
    parser.add_argument("--check", action="store_true", help="ask the running daemon whether it is ready, and exit")
    parser.add_argument(
        "--embedded",
        nargs="?",
        metavar="DIR",
        type=_directory,
        action=StorePath,
        const=DEFAULT_DIRECTORY,
        help=f"run a private Redis with its data in DIR (default: ./{DEFAULT_DIRECTORY})",
    )
    _add_commands(parser, shared)
    return parser


def _shared_options() -> argparse.ArgumentParser:
    """Options that may stand before and after a subcommand: without defaults, for the second would undo the first."""
    shared = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    shared.add_argument(
        "--config",
        metavar="FILE",
        type=Path,
        action=StorePath,
        help="TOML file; else $CLUSTERD_CONFIG, else /etc/sploot-clusterd/config.toml where it exists",
    )
    shared.add_argument(
        "--url", metavar="URL", help="where the daemon is, if not where the configuration says (--check, replay)"
    )
    return shared


def _redis_options(shared: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """Those of commands that ask Redis themselves."""
    options = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS, parents=[shared])
    _add_embedded(options)
    return options


def _add_embedded(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--embedded",
        nargs="?",
        metavar="DIR",
        type=_directory,
        action=StorePath,
        const=DEFAULT_DIRECTORY,
        default=argparse.SUPPRESS,
        help=f"ask the private Redis of the daemon that runs with its data in DIR (default: ./{DEFAULT_DIRECTORY}, "
        "if one runs there and redis.url is not set)",
    )


def _add_commands(parser: argparse.ArgumentParser, shared: argparse.ArgumentParser) -> None:
    command = adder(parser, shared, "command")
    command("demo", "show what it does, with pets, a Redis and a storage service of its own", _DEMO_EXAMPLES)
    command("config", "print the effective settings and where each comes from; fail as a start would", _CONFIG_EXAMPLES)
    replays.add_arguments(command("replay", replays.ABOUT, replays.EXAMPLES), _file, _rate)
    _add_backfill(command("backfill", _BACKFILL_ABOUT, _BACKFILL_EXAMPLES))
    of_redis = _redis_options(shared)
    letters.add_arguments(command("dlq", letters.ABOUT, letters.EXAMPLES), of_redis, _rate)
    profiles.add_arguments(command("profile", profiles.ABOUT, profiles.EXAMPLES), of_redis)
    partitions.add_arguments(command("partitions", partitions.ABOUT, partitions.EXAMPLES), of_redis)
    history.add_arguments(command("history", history.ABOUT, history.EXAMPLES), of_redis)
    dashboards.add_arguments(command("dashboards", dashboards.ABOUT, dashboards.EXAMPLES), shared)
    alerts.add_arguments(command("alerts", alerts.ABOUT, alerts.EXAMPLES), shared)
    evaluation.add_arguments(command("eval", evaluation.ABOUT, evaluation.EXAMPLES))
    completion.add_arguments(command("completion", completion.ABOUT, completion.EXAMPLES))


def _add_backfill(parser: argparse.ArgumentParser) -> None:
    pets = parser.add_mutually_exclusive_group(required=True)
    pets.add_argument(
        "file",
        nargs="?",
        type=_file,
        action=StorePath,
        default=Path(),
        metavar="FILE",
        help="pet ids, one a line; -: standard input",
    )
    pets.add_argument("--known", action="store_true", help="all pets that have an album here")
    parser.add_argument(
        "--rate", type=_rate, default=100.0, help="pets a second; 0: as fast as it goes (default: %(default)g)"
    )
    parser.add_argument("--dry-run", action="store_true", help="count the pets that are meant, and ask for none")
    parser.add_argument("--restart", action="store_true", help="all of them, those of an interrupted run too")
    _add_embedded(parser)


def _file(text: str) -> Path | None:
    """None is standard input; a file of that name is `./-`."""
    return None if text == "-" else Path(text)


def _rate(text: str) -> float:
    with contextlib.suppress(ValueError):
        if 0 <= (rate := float(text)) < math.inf:
            return rate
    raise argparse.ArgumentTypeError(f"{text!r}: expected a number of 0 or more")


def _directory(text: str) -> Path:
    """As an option's value may be left out, `--embedded config` could mean either; and an empty DIR was a variable."""
    if not text:
        raise argparse.ArgumentTypeError("DIR is empty: expected a directory, or nothing")
    if text in _COMMANDS:
        raise argparse.ArgumentTypeError(
            f"{text} is a command, which takes no --embedded; for a directory of that name write ./{text}"
        )
    return Path(text)
