"""Making the tables, and bringing them to the newest revision: `clusterd history migrate`, and nothing else, does it.

The daemon never does: several that start at once would get in each other's way, and a reader's query would hold up
all of them.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, exc, text

from sploot_clusterd.config import HistorySettings
from sploot_clusterd.config.history import libpq_url, sqlite_file
from sploot_clusterd.errors import ConfigError, HistorySchemaError, HistoryUnavailableError
from sploot_clusterd.history import postgresql, sqlite
from sploot_clusterd.history.database import Database
from sploot_clusterd.history.schema import REVISION

_LOCK: Final = 0x73706C6F6F74
"""Of PostgreSQL's advisory locks, the one that whoever migrates holds."""
_PATIENCE: Final = 60.0
_TICK: Final = 0.1


def migrate(settings: HistorySettings, *, patience: float = _PATIENCE) -> str | None:
    """Brings the tables to `REVISION`; the revision before, None where there was none. Several processes may do it at
    once: they wait for each other, for `patience` seconds.

    Raises ConfigError, HistoryUnavailableError, HistorySchemaError where it did not come about.
    """
    with _opened(settings) as database:
        before = database.revision()
        if before is not None and before > REVISION:
            database.require_schema()
        engine = _engine(settings)
        try:
            with engine.connect() as connection, _alone(connection, patience):
                config = Config()
                config.set_main_option("script_location", "sploot_clusterd.history:migrations")
                config.attributes["connection"] = connection
                command.upgrade(config, REVISION)
        except (exc.OperationalError, exc.InterfaceError, exc.ProgrammingError) as error:
            raise HistoryUnavailableError(f"not migrated: {error.orig}") from error
        finally:
            engine.dispose()
        # An upgrade that took part in somebody else's transaction ends well and leaves nothing.
        database.require_schema()
    return before


@contextmanager
def _opened(settings: HistorySettings) -> Iterator[Database]:
    database = Database.open(settings)
    try:
        yield database
    finally:
        database.close()


def _engine(settings: HistorySettings) -> Engine:
    url = settings.url.reveal() if settings.url else ""
    if path := sqlite_file(url):
        return sqlite.migrator(Path(path).absolute())
    if target := libpq_url(url):
        return postgresql.migrator(target)
    raise ConfigError("history.url is not set")


@contextmanager
def _alone(connection: Connection, patience: float) -> Iterator[None]:
    """One process migrates a PostgreSQL at a time. SQLite's transaction sees to it by itself."""
    if connection.dialect.name != "postgresql":
        yield
        return
    deadline = time.monotonic() + patience
    while not connection.scalar(text("SELECT pg_try_advisory_lock(:lock)"), {"lock": _LOCK}):
        connection.rollback()
        if time.monotonic() > deadline:
            raise HistorySchemaError(f"another process has been migrating for {patience:.0f} s: look what it waits for")
        time.sleep(_TICK)
    connection.commit()  # else Alembic would take this for a transaction of somebody else's, who commits
    try:
        yield
    finally:
        connection.rollback()
        connection.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": _LOCK})
        connection.commit()
