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

from sploot_clusterd import completion, config, stdio
from sploot_clusterd.arguments import DEFAULT_DIRECTORY, command_line, parsed
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
            args = parsed(arguments)
            command = _command(args)
            if command in (_run, _run_embedded):
                return command(args)  # until it has something to put in order, SIGTERM may end it as it stands
            with stdio.interruptible(signal.SIGTERM):
                return command(args)
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise ClusterdError(stdio.told(error)) from error


def _command(args: argparse.Namespace) -> Callable[[argparse.Namespace], int]:
    if args.check:
        return _check
    if args.embedded and not args.command:
        return _run_embedded
    return {
        "demo": _demo,
        "config": _config,
        "replay": _replay,
        "backfill": _backfill,
        "dlq": _dlq,
        "profile": _profile,
        "partitions": _partitions,
        "history": _history,
        "eval": _eval,
        "dashboards": _dashboards,
        "alerts": _alerts,
        "completion": _completion,
        None: _run,
    }[args.command]


def _check(args: argparse.Namespace) -> int:
    from sploot_clusterd.probe import check, complete_url, readiness_url

    return check(complete_url(args.url) if args.url else readiness_url(config.read(args.config)))


def _demo(_args: argparse.Namespace) -> int:
    _compute_in_one_thread()
    from sploot_clusterd import output
    from sploot_clusterd.demo.command import run

    output.unblock()
    return run()


def _config(args: argparse.Namespace) -> int:
    from sploot_clusterd.config.show import lines

    settings = config.load(args.config)
    _compute_in_one_thread()
    from sploot_clusterd.engine import load_algorithm

    load_algorithm(settings.engine.algorithm)
    if settings.insights.url:
        from sploot_clusterd.insights.adapters import open_source

        open_source(settings.insights)
    if settings.tracing.endpoint:
        from sploot_clusterd import tracing

        tracing.require_extra()
    if settings.history.url:
        from sploot_clusterd import history

        history.require_extra()
        from sploot_clusterd.history.database import Database

        Database.open(settings.history).close()
    for warning in settings.warnings:
        stdio.say(f"warning: {warning}")
    print("\n".join(lines(settings)))
    return 0


def _replay(args: argparse.Namespace) -> int:
    from sploot_clusterd.replay.command import Plan, replay, target
    from sploot_clusterd.replay.pace import Pace

    plan = Plan(
        pace=Pace(args.rate, args.ramp, args.jitter),
        concurrency=args.concurrency,
        batch=args.batch,
        duration=args.duration,
        reports=args.report,
    )
    return replay(args.file, target(config.load(args.config), args.url), plan)


def _backfill(args: argparse.Namespace) -> int:
    from sploot_clusterd.backfill import run

    settings = _settings_for_redis(args)
    return run(settings, args.file, known=args.known, rate=args.rate, dry_run=args.dry_run, restart=args.restart)


def _dlq(args: argparse.Namespace) -> int:
    from sploot_clusterd.dlq.command import run

    return run(_settings_for_redis(args), args)


def _profile(args: argparse.Namespace) -> int:
    _compute_in_one_thread()
    from sploot_clusterd.profile.command import run

    return run(_settings_for_redis(args), args)


def _partitions(args: argparse.Namespace) -> int:
    from sploot_clusterd.partitions.command import run

    return run(_settings_for_redis(args), args)


def _history(args: argparse.Namespace) -> int:
    from sploot_clusterd import history

    history.require_extra()
    from sploot_clusterd.history.command import run

    return run(_settings_for_redis(args), args)


def _settings_for_redis(args: argparse.Namespace) -> config.Settings:
    """As configured; or with the private Redis that was asked for, or that runs here while no other one is named."""
    from sploot_clusterd import private_redis

    settings = config.read(args.config)
    if "redis.url" in settings.sources and not args.embedded:
        return settings
    directory = args.embedded or DEFAULT_DIRECTORY
    try:
        if private_redis.is_found(directory):
            overrides = private_redis.settings_of(directory)
            if "history.url" not in settings.sources and (file := private_redis.history_of(directory)).exists():
                overrides["history.url"] = config.Given(f"sqlite:///{file}", "--embedded")
            return config.read(args.config, overrides=overrides)
    except ConfigError as error:
        if args.embedded:
            raise
        stdio.say(f"warning: the Redis in {directory} is not asked: {error}")
    if args.embedded:
        raise ConfigError(
            f"{directory}: no daemon runs with its data there; `clusterd --embedded {directory}` starts one"
        )
    return settings


def _eval(args: argparse.Namespace) -> int:
    _compute_in_one_thread()
    from sploot_clusterd.engine import Params, load_algorithm
    from sploot_clusterd.evaluate.command import Asked, evaluate

    settings = config.read(args.config)
    params = Params.of(settings)
    algorithms = args.algorithm or [params.algorithm]
    for algorithm in algorithms:
        load_algorithm(algorithm)
    chosen = Asked(
        file=args.file,
        composition=args.composition,
        algorithms=algorithms,
        profile=args.profile or ("online" if settings.profiles.enabled else "none"),
        sizes=args.sizes,
        first=args.first,
        most=args.job_size,
        seed=args.seed,
        shuffles=args.shuffle,
        corrections=args.corrections,
        questions=args.questions,
        json=args.json,
        report=args.report,
    )
    return evaluate(chosen, params)


def _dashboards(args: argparse.Namespace) -> int:
    from sploot_clusterd.dashboards.deploy import deploy

    return deploy(dry_run=args.dry_run, runbooks=args.runbooks)


def _alerts(args: argparse.Namespace) -> int:
    from sploot_clusterd.alerts.fire import fire

    return fire(args.names, dry_run=args.dry_run)


def _completion(args: argparse.Namespace) -> int:
    return completion.run(command_line(), args.shell)


def _run(args: argparse.Namespace) -> int:
    _compute_in_one_thread()
    from sploot_clusterd import daemon, output

    output.unblock()
    return daemon.run(config.load(args.config))  # not held here: there are tokens in it


def _compute_in_one_thread() -> None:
    """To be called before numpy is imported: a BLAS that spins on every core starves the event loop and Redis."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def _run_embedded(args: argparse.Namespace) -> int:
    _compute_in_one_thread()
    from sploot_clusterd import output
    from sploot_clusterd.quickstart import run

    output.unblock()
    return run(args.embedded, args.config)
