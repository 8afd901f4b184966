"""The database, as the rest of history reaches it: one connection that writes, and a few that read.

database = Database.open(settings.history)
with database.write() as connection:
    connection.execute(insert(pet_latest), rows)
"""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, exc, text

from sploot_clusterd.config import HistorySettings
from sploot_clusterd.config.history import libpq_url, sqlite_file
from sploot_clusterd.errors import ConfigError, HistorySchemaError, HistoryUnavailableError
from sploot_clusterd.history import postgresql, sqlite
from sploot_clusterd.history.schema import REVISION

READERS: Final = 3
"""Connections that read, in each process; a daemon's are beside the two of its process that writes."""
_PATIENCE: Final = 1.0
"""Seconds to wait for one of them."""
_AWAY: Final = (
    exc.OperationalError,
    exc.InterfaceError,
    exc.NotSupportedError,
    exc.TimeoutError,
    sqlite3.OperationalError,
)
"""What passes with time: a lost connection, a lock, a deadlock, a full disk; and statements that were prepared before a
migration, which NotSupportedError tells of once per connection. Some PRAGMAs are the driver's to run, and its error.
"""


class Database:
    """For threads: every method blocks. Connects when it is first used.

    Whatever the database is asked may raise HistoryUnavailableError for what passes with time, as
    HistorySchemaError and HistoryInUseError are; and sqlalchemy's DataError and IntegrityError for what never will.
    """

    def __init__(self, writer: Engine, readers: Engine, file: Path | None) -> None:
        self._writer = writer
        self._readers = readers
        self.file = file
        """SQLite's; None of PostgreSQL."""
        self._lock: sqlite.Lock | None = None

    @classmethod
    def open(cls, settings: HistorySettings) -> "Database":
        """Nothing is asked yet. Raises ConfigError for a URL by which nothing could be."""
        url = settings.url.reveal() if settings.url else ""
        if path := sqlite_file(url):
            file = Path(path).absolute()
            sqlite.require_local(file)
            return cls(sqlite.writer(file), sqlite.readers(file, READERS, _PATIENCE), file)
        if target := libpq_url(url):
            postgresql.require_understood(target)
            writer = postgresql.writer(target, pooler=settings.pooler)
            return cls(writer, postgresql.readers(target, READERS, _PATIENCE, pooler=settings.pooler), None)
        raise ConfigError("history.url is not set: it names the database, as sqlite:///file or postgresql://")

    @property
    def is_sqlite(self) -> bool:
        return self.file is not None

    @contextlib.contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction, committed at the end of the block. One at a time: others wait.

        The first one makes this process the only one that writes to a SQLite file. Raises HistoryInUseError.
        """
        if self.file and self._lock is None:
            self._lock = sqlite.Lock(self.file)
        with _told(), self._writer.begin() as connection, _forgetting_plans(connection):
            yield connection
        if self.file and sqlite.has_large_log(self.file):
            self.checkpoint()

    @contextlib.contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection on which each statement stands for itself. Fetch all, and let it go."""
        with _told(), self._readers.connect() as connection, _forgetting_plans(connection):
            yield connection

    @contextlib.contextmanager
    def autocommit(self) -> Iterator[Connection]:
        """The writing connection without a transaction, for what is refused within one: VACUUM, DETACH CONCURRENTLY."""
        if self.file and self._lock is None:
            self._lock = sqlite.Lock(self.file)
        with _told(), self._writer.connect() as connection:
            yield connection.execution_options(isolation_level="AUTOCOMMIT")

    def checkpoint(self) -> bool:
        """SQLite's log is written back and emptied: what was erased is in no file then. False if readers were in the
        way: again later. Of PostgreSQL nothing is to be done.
        """
        with _told():
            return not self.is_sqlite or sqlite.checkpoint(self._writer)

    def require_schema(self) -> None:
        """Raises HistorySchemaError where the tables are older than this version wants. Newer ones have only more."""
        found = self.revision()
        if found is not None and found >= REVISION:
            return
        state = f"at revision {found}" if found else "missing"
        raise HistorySchemaError(
            f"history's tables are {state}, and {REVISION} is wanted: run `clusterd history migrate`"
        )

    def revision(self) -> str | None:
        """What the tables were migrated to last; None where there are none."""
        if self.file and not self.file.exists():
            return None
        try:
            with self._readers.connect() as connection:
                found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
        except exc.ProgrammingError:  # PostgreSQL: there is no such table
            return None
        except _AWAY as error:
            if "no such table" in str(error):
                return None
            raise HistoryUnavailableError(_cause(error)) from error
        return found

    def copy_to(self, file: Path) -> None:
        """SQLite's file as it is now, what is in its log included, while it is written to."""
        if self.file:
            sqlite.copy(self.file, file)

    def connections_in_use(self) -> int:
        """Of this process, at this moment."""
        pools: Any = (self._readers.pool, self._writer.pool)
        return sum(pool.checkedout() for pool in pools)

    def close(self) -> None:
        """Closes every connection that is not in use, and gives up writing."""
        self._readers.dispose()
        self._writer.dispose()
        if self._lock:
            self._lock.release()
            self._lock = None


@contextlib.contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except exc.ProgrammingError as error:  # as a rule, of a table or a column that is not there
        raise HistorySchemaError(f"{_cause(error)}: run `clusterd history check`") from error
    except _AWAY as error:
        raise HistoryUnavailableError(_cause(error)) from error


@contextlib.contextmanager
def _forgetting_plans(connection: Connection) -> Iterator[None]:
    """A statement that was prepared before a migration fails on its connection for ever: that one is closed."""
    try:
        yield
    except exc.NotSupportedError:
        connection.invalidate()
        raise


def _cause(error: Exception) -> str:
    """The driver's own words, in a line, without the statement and its parameters."""
    cause: Any = error.orig if isinstance(error, exc.DBAPIError) else error
    return f"the database: {' '.join(str(cause).split()) or type(cause).__name__}"
