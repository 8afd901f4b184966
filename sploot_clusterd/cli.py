"""The command `clusterd`: it parses, builds what was asked for, runs it and gives the exit code.

0: fine; 1: unhealthy or failed; 2: wrong usage or configuration. Rooms are imported by the command that needs them, for
`--check` has to be as quick as a bare interpreter.
"""

# ruff: noqa: T201 - a command prints
# ruff: noqa: PLC0415 - and imports late on purpose

import argparse
import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Final

from sploot_clusterd import config, stdio
from sploot_clusterd.arguments import DEFAULT_DIRECTORY, parsed
from sploot_clusterd.errors import ClusterdError, ConfigError

_FAILED: Final = 1
_WRONG_USAGE: Final = 2


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
            asked = parsed(arguments)
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


def _command(asked: argparse.Namespace) -> Callable[[argparse.Namespace], int]:
    if asked.check:
        return _check
    if asked.embedded and not asked.command:
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

    return run(_settings_for_redis(asked), asked)


def _profile(asked: argparse.Namespace) -> int:
    _compute_in_one_thread()
    from sploot_clusterd.profile.command import run

    return run(_settings_for_redis(asked), asked)


def _settings_for_redis(asked: argparse.Namespace) -> config.Settings:
    """As configured; or with the private Redis that was asked for, or that runs here while no other one is named."""
    from sploot_clusterd import private_redis

    settings = config.read(asked.config)
    if "redis.url" in settings.sources and not asked.embedded:
        return settings
    directory = asked.embedded or DEFAULT_DIRECTORY
    try:
        if private_redis.is_found(directory):
            return config.read(asked.config, overrides=private_redis.settings_of(directory))
    except ConfigError as error:
        if asked.embedded:
            raise
        stdio.say(f"warning: the Redis in {directory} is not asked: {error}")
    if asked.embedded:
        raise ConfigError(
            f"{directory}: no daemon runs with its data there; `clusterd --embedded {directory}` starts one"
        )
    return settings


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
        questions=asked.questions,
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
