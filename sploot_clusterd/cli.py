"""The command `clusterd`: it parses, builds what was asked for, runs it and gives the exit code.

0: fine; 1: unhealthy or failed; 2: wrong usage or configuration. Rooms are imported by the command that needs them, for
`--check` has to be as quick as a bare interpreter.
"""

# ruff: noqa: T201 - a command prints
# ruff: noqa: PLC0415 - and imports late on purpose

import argparse
import contextlib
import math
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from sploot_clusterd import __version__, config, stdio
from sploot_clusterd.dlq import arguments as letters
from sploot_clusterd.errors import ClusterdError, ConfigError
from sploot_clusterd.evaluate import arguments as evaluation
from sploot_clusterd.profile import arguments as profiles
from sploot_clusterd.subcommands import adder

_FAILED: Final = 1
_WRONG_USAGE: Final = 2
_DEFAULT_DIRECTORY: Final = Path("clusterd-data")
_COMMANDS: Final = ("config", "replay", "dlq", "profile", "eval")

_MAIN_EXAMPLES: Final = """examples:
  clusterd --embedded                       try it: a private Redis, its data in ./clusterd-data
  clusterd --config /etc/clusterd.toml      run as configured
  clusterd --check || echo "not ready"      ask the running daemon whether it is ready
"""
_CONFIG_EXAMPLES: Final = """example:
  CLUSTER_CONSUMERS=4 clusterd config --config config.toml
"""
_REPLAY_EXAMPLES: Final = """examples:
  INTERNAL_TOKEN_FILE=clusterd-data/token clusterd replay --rate 50 jobs.jsonl
  zcat jobs.jsonl.gz | clusterd replay -
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """The console script. `arguments` None are the process's own."""
    stdio.prepare()
    try:
        with stdio.interruptible(signal.SIGINT):
            return _carried_out(arguments)
    except ConfigError as error:
        stdio.say(f"clusterd: {error}")
        return _WRONG_USAGE
    except ClusterdError as error:
        stdio.say(f"clusterd: {error}")
        return _FAILED
    except KeyboardInterrupt:
        stdio.say("clusterd: interrupted")
        return _FAILED
    except BrokenPipeError:  # who read our output has gone, as `| head` does
        return _FAILED
    finally:
        stdio.finish()


def _carried_out(arguments: Sequence[str] | None) -> int:
    try:
        try:
            asked = _parsed(arguments)
            command = _command(asked)
            if command in (_run, _run_embedded):
                return command(asked)  # until it has something to put in order, SIGTERM may end it as it stands
            with stdio.interruptible(signal.SIGTERM):
                return command(asked)
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise ClusterdError(stdio.told(error)) from error


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = _parser()
    asked = parser.parse_args(arguments, argparse.Namespace(config=None, url=None))
    if asked.url and not asked.check and asked.command != "replay":
        parser.error("--url goes with --check or with replay")
    if asked.command and (asked.check or asked.embedded):
        parser.error(f"{asked.command} takes neither --check nor --embedded")
    if asked.check and asked.embedded:
        parser.error("--check takes no --embedded: it asks a daemon that runs already")
    if asked.command == "dlq" and (mistake := letters.mistake(asked)):
        parser.error(mistake)
    return asked


def _parser() -> argparse.ArgumentParser:
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
        const=_DEFAULT_DIRECTORY,
        help=f"run a private Redis with its data in DIR (default: ./{_DEFAULT_DIRECTORY})",
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
        help="TOML file; else $CLUSTERD_CONFIG, else /etc/sploot-clusterd/config.toml where it exists",
    )
    shared.add_argument(
        "--url", metavar="URL", help="where the daemon is, if not where the configuration says (--check, replay)"
    )
    return shared


def _add_commands(parser: argparse.ArgumentParser, shared: argparse.ArgumentParser) -> None:
    command = adder(parser, shared, "command")
    command("config", "print the effective settings and where each comes from; fail as a start would", _CONFIG_EXAMPLES)
    replay = command("replay", "post the jobs of a JSON or JSON Lines file to a running daemon", _REPLAY_EXAMPLES)
    replay.add_argument(
        "file", type=_file, metavar="FILE", help="a job, an array of jobs, or a job a line; -: standard input"
    )
    replay.add_argument(
        "--rate", type=_rate, default=100.0, help="jobs a second; 0: as fast as it goes (default: %(default)g)"
    )
    letters.add_arguments(command("dlq", letters.ABOUT, letters.EXAMPLES), shared, _rate)
    profiles.add_arguments(command("profile", profiles.ABOUT, profiles.EXAMPLES), shared)
    evaluation.add_arguments(command("eval", evaluation.ABOUT, evaluation.EXAMPLES))


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


def _command(asked: argparse.Namespace) -> Callable[[argparse.Namespace], int]:
    if asked.check:
        return _check
    if asked.embedded:
        return _run_embedded
    return {"config": _config, "replay": _replay, "dlq": _dlq, "profile": _profile, "eval": _eval, None: _run}[
        asked.command
    ]


def _check(asked: argparse.Namespace) -> int:
    from sploot_clusterd.probe import check, complete_url, readiness_url

    return check(complete_url(asked.url) if asked.url else readiness_url(config.read(asked.config)))


def _config(asked: argparse.Namespace) -> int:
    from sploot_clusterd.config.show import lines

    settings = config.load(asked.config)
    _compute_in_one_thread()
    from sploot_clusterd.engine import load_algorithm

    load_algorithm(settings.engine.algorithm)
    for warning in settings.warnings:
        stdio.say(f"warning: {warning}")
    print("\n".join(lines(settings)))
    return 0


def _replay(asked: argparse.Namespace) -> int:
    from sploot_clusterd.replay import replay, target

    return replay(asked.file, target(config.load(asked.config), asked.url), asked.rate)


def _dlq(asked: argparse.Namespace) -> int:
    from sploot_clusterd.dlq.command import run

    return run(config.read(asked.config), asked)


def _profile(asked: argparse.Namespace) -> int:
    _compute_in_one_thread()
    from sploot_clusterd.profile.command import run

    return run(config.read(asked.config), asked)


def _eval(asked: argparse.Namespace) -> int:
    _compute_in_one_thread()
    from sploot_clusterd.engine import Params, load_algorithm
    from sploot_clusterd.evaluate.command import Asked, evaluate

    settings = config.read(asked.config)
    params = Params.of(settings)
    algorithms = asked.algorithm or [params.algorithm]
    for algorithm in algorithms:
        load_algorithm(algorithm)
    chosen = Asked(
        file=asked.file,
        composition=asked.composition,
        algorithms=algorithms,
        profile=asked.profile or ("online" if settings.profiles.enabled else "none"),
        sizes=asked.sizes,
        first=asked.first,
        most=asked.job_size,
        seed=asked.seed,
        shuffles=asked.shuffle,
        corrections=asked.corrections,
        json=asked.json,
        report=asked.report,
    )
    return evaluate(chosen, params)


def _run(asked: argparse.Namespace) -> int:
    _compute_in_one_thread()
    from sploot_clusterd import daemon, output

    output.unblock()
    return daemon.run(config.load(asked.config))  # not held here: there are tokens in it


def _compute_in_one_thread() -> None:
    """To be called before numpy is imported: a BLAS that spins on every core starves the event loop and Redis."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def _run_embedded(asked: argparse.Namespace) -> int:
    _compute_in_one_thread()
    from sploot_clusterd import output
    from sploot_clusterd.quickstart import run

    output.unblock()
    return run(asked.embedded, asked.config)
