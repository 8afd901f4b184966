"""`clusterd history`: what operators do with the database."""

# ruff: noqa: T201 - a command prints

import argparse
import contextlib
import json
import time
from typing import TYPE_CHECKING, Final

from sploot_clusterd.config import HistorySettings, Settings
from sploot_clusterd.errors import ClusterdError, ConfigError
from sploot_clusterd.history.backfill_command import backfill
from sploot_clusterd.history.database import Database
from sploot_clusterd.history.erased_command import apply_erased, list_erased
from sploot_clusterd.history.figures import figures
from sploot_clusterd.history.migrating import migrate
from sploot_clusterd.history.restore_command import restore
from sploot_clusterd.history.retention import make_weeks, prune
from sploot_clusterd.history.schema import REVISION

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_COLUMN: Final = 24


def run(settings: Settings, args: argparse.Namespace) -> int:
    """What the command line asks for; the exit code. Raises ClusterdError, where the database is away too."""
    if settings.history.url is None:
        raise ConfigError("history.url is not set: give the database as DATABASE_URL=sqlite:///file or postgresql://")
    if args.action == "backfill":
        return backfill(settings)
    if args.action == "restore":
        return restore(settings, as_json=args.json)
    commands: dict[str, Callable[[HistorySettings, argparse.Namespace], int]] = {
        "migrate": _migrate,
        "check": _check,
        "prune": _prune,
        "backup": _backup,
        "erased": _erased,
    }
    return commands[args.action](settings.history, args)


def _migrate(settings: HistorySettings, _args: argparse.Namespace) -> int:
    before = migrate(settings)
    with contextlib.closing(Database.open(settings)) as database:
        make_weeks(database, settings.retention_days, _now_ms())
    is_done = before is not None and before >= REVISION
    print(f"history is at {before}" if is_done else f"history: from {before or 'nothing'} to {REVISION}")
    return 0


def _check(settings: HistorySettings, args: argparse.Namespace) -> int:
    with contextlib.closing(Database.open(settings)) as database:
        database.require_schema()
        found = figures(database)
    if args.json:
        print(json.dumps(found))
    else:
        for name, value in found.items():
            print(f"{name.replace('_', ' '):<{_COLUMN}} {'-' if value is None else value}")
    return 0


def _prune(settings: HistorySettings, _args: argparse.Namespace) -> int:
    with contextlib.closing(Database.open(settings)) as database:
        database.require_schema()
        done = prune(database, settings.retention_days, _now_ms())
    weeks = f"; weeks: {done.weeks_made} made, {done.weeks_dropped} dropped, {done.weeks_put_off} in use"
    print(f"{done.rows} rows dropped{'' if database.is_sqlite else weeks}")
    return 0


def _backup(settings: HistorySettings, args: argparse.Namespace) -> int:
    file: Path = args.file.absolute()
    with contextlib.closing(Database.open(settings)) as database:
        if not database.is_sqlite:
            raise ConfigError("history backup copies a SQLite file; of PostgreSQL pg_dump makes a copy")
        database.require_schema()
        try:
            database.copy_to(file)
        except FileExistsError:
            raise ClusterdError(f"{file} is there already") from None
    print(f"{file}: {file.stat().st_size} bytes")
    return 0


def _erased(settings: HistorySettings, args: argparse.Namespace) -> int:
    with contextlib.closing(Database.open(settings)) as database:
        database.require_schema()
        return apply_erased(database, args.apply) if args.apply else list_erased(database)


def _now_ms() -> int:
    return int(time.time() * 1000)
