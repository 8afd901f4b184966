"""Making the tables, and bringing them to the newest revision: `clusterd history migrate`, and nothing else, does it.

The daemon never does: several that start at once would get in each other's way, and a reader's query would hold up
all of them.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from typing import Final, TypeVar

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, exc, text

from sploot_clusterd.config import HistorySettings
from sploot_clusterd.config.history import libpq_url, sqlite_file
from sploot_clusterd.errors import ConfigError, HistoryInUseError, HistorySchemaError, HistoryUnavailableError
from sploot_clusterd.history import postgresql, sqlite
from sploot_clusterd.history.database import Database
from sploot_clusterd.history.schema import REVISION

T = TypeVar("T")

_LOCK: Final = 0x73706C6F6F74
"""Of PostgreSQL's advisory locks, the one that whoever migrates holds."""
SCRIPTS: Final = "sploot_clusterd.history:migrations"
_PATIENCE: Final = 60.0
_TICK: Final = 0.1


def migrate(settings: HistorySettings, *, patience: float = _PATIENCE) -> str | None:
    """Brings the tables to `REVISION`; the revision before, None where there was none. Several processes may do it at
    once: they wait for each other, for `patience` seconds.

    Raises ConfigError, HistoryUnavailableError, HistorySchemaError where it did not come about.
    """
    with closing(Database.open(settings)) as database:
        engine = _engine(settings, patience)  # before anything is asked, as `sqlite.migrator` says
        before = database.revision()
        if before is not None and before >= REVISION:
            return before
        try:
            with _alone(database, engine, patience) as connection:
                config = Config()
                config.set_main_option("script_location", SCRIPTS)
                config.attributes["connection"] = connection
                command.upgrade(config, REVISION)
        except (exc.OperationalError, exc.InterfaceError, exc.ProgrammingError) as error:
            raise HistoryUnavailableError(f"not migrated: {error.orig}") from error
        finally:
            engine.dispose()
        # An upgrade that took part in somebody else's transaction ends well and leaves nothing.
        database.require_schema()
    return before


def _engine(settings: HistorySettings, patience: float) -> Engine:
    url = settings.url.reveal() if settings.url else ""
    if path := sqlite_file(url):
        return sqlite.migrator(Path(path).absolute(), patience)
    if target := libpq_url(url):
        return postgresql.migrator(target)
    raise ConfigError("history.url is not set")


@contextmanager
def _alone(database: Database, engine: Engine, patience: float) -> Iterator[Connection]:
    """A connection, while no other process migrates, nor writes to a SQLite file."""
    with (
        _locked_file(database.file, patience) if database.file else nullcontext(),
        engine.connect() as connection,
        nullcontext() if database.file else _locked_server(connection, patience),
    ):
        yield connection


@contextmanager
def _locked_file(file: Path, patience: float) -> Iterator[None]:
    lock = _tried(lambda: _lock_of(file), patience)
    if lock is None:
        raise HistoryInUseError(f"another process has been writing to {file} for {patience:.0f} s: stop its daemon")
    try:
        yield
    finally:
        lock.release()


def _lock_of(file: Path) -> sqlite.Lock | None:
    try:
        return sqlite.Lock(file)
    except HistoryInUseError:
        return None


@contextmanager
def _locked_server(connection: Connection, patience: float) -> Iterator[None]:
    def ask() -> bool:
        got = bool(connection.scalar(text("SELECT pg_try_advisory_lock(:lock)"), {"lock": _LOCK}))
        connection.commit()  # else Alembic would take this for a transaction of somebody else's, who commits
        return got

    if not _tried(ask, patience):
        raise HistorySchemaError(f"another process has been migrating for {patience:.0f} s: look what it waits for")
    try:
        yield
    finally:
        connection.rollback()
        connection.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": _LOCK})
        connection.commit()


def _tried(attempt: Callable[[], T], patience: float) -> T:
    """The outcome of the first attempt that has one, or of the last."""
    deadline = time.monotonic() + patience
    while not (outcome := attempt()) and time.monotonic() < deadline:
        time.sleep(_TICK)
    return outcome
