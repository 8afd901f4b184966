"""SQLite as history needs it: one process writes a file, by one connection, which alone makes checkpoints.

Versions before 3.51.3 may damage a file that two connections write to or checkpoint at once.
"""

import contextlib
import fcntl
import os
import sqlite3
import time
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, NullPool, QueuePool, create_engine, event

from sploot_clusterd.errors import ConfigError, HistoryInUseError, HistoryUnavailableError
from sploot_clusterd.ownership import open_ours

_BUSY_SECONDS: Final = 5.0
_READ_SECONDS: Final = 5.0
"""A read that takes longer is interrupted: while it lasts, the log cannot be written back."""
_STEPS: Final = 100_000
"""Of SQLite's machine, between two looks at the clock: some milliseconds."""
_LARGEST_LOG: Final = 64 * 2**20
"""Bytes of the write-ahead log at which it is written back whole, waiting for readers."""
_CHECKPOINT_PATIENCE_MS: Final = 1000
_PRAGMAS: Final = ("auto_vacuum = INCREMENTAL", "journal_mode = WAL", "synchronous = FULL", "secure_delete = ON")
_OF_READERS: Final = ("query_only = ON", "wal_autocheckpoint = 0", "temp_store = MEMORY")
_NETWORKS: Final = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "ceph", "fuse.sshfs", "fuse.glusterfs"})
"""File systems without the shared memory that the write-ahead log lies in."""


def writer(file: Path) -> Engine:
    """Of one connection, whose transactions are of writers from their beginning."""
    return _beginning(_engine(file, _PRAGMAS, poolclass=QueuePool, pool_size=1, max_overflow=0))


def readers(file: Path, count: int, patience: float) -> Engine:
    """Of `count` connections that cannot write; who waits `patience` seconds for one gets TimeoutError, and who has one
    for too long, OperationalError.
    """
    pool: Any = {"poolclass": QueuePool, "pool_size": count, "max_overflow": 0, "pool_timeout": patience}
    engine = _engine(file, _OF_READERS, **pool)

    @event.listens_for(engine, "checkout")
    def _(connection: sqlite3.Connection, *_: object) -> None:
        deadline = time.monotonic() + _READ_SECONDS
        connection.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS)

    return engine.execution_options(isolation_level="AUTOCOMMIT")


def migrator(file: Path, patience: float) -> Engine:
    """As the writer, and it makes the file, for this user alone; it waits so many seconds for others that do the same.
    Raises ConfigError for a file that somebody else could change.

    To be made before this process has a connection to the file: whoever closes a file, by whatever descriptor, gives up
    all POSIX locks that his process has on it, and then others would take away the log that is being written.
    """
    os.close(open_ours(file))
    return _beginning(_engine(file, _PRAGMAS, "rwc", patience, poolclass=NullPool))


def _beginning(engine: Engine) -> Engine:
    @event.listens_for(engine, "begin")
    def _(connection: Connection) -> None:  # a transaction that read first would be refused at its first write
        if connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _engine(
    file: Path, pragmas: tuple[str, ...], mode: str = "rw", busy_seconds: float = _BUSY_SECONDS, **options: Any
) -> Engine:
    def connect() -> sqlite3.Connection:
        connection = _connect(file, mode, busy_seconds)
        try:
            for pragma in pragmas:
                connection.execute(f"PRAGMA {pragma}")
        except BaseException:
            connection.close()
            raise
        return connection

    return create_engine("sqlite://", creator=connect, **options)


def _connect(file: Path, mode: str, busy_seconds: float = _BUSY_SECONDS) -> sqlite3.Connection:
    """The driver is to begin no transactions by itself: it would commit ahead of each CREATE TABLE."""
    where = f"{file.as_uri()}?mode={mode}"
    return sqlite3.connect(where, busy_seconds, isolation_level=None, check_same_thread=False, uri=True)


def copy(file: Path, to: Path) -> None:
    """What is in the file and its log at one moment, for this user alone. Raises HistoryUnavailableError, OSError."""
    os.close(os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    with contextlib.closing(_connect(file, "rw")) as connection:
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        try:
            connection.execute("VACUUM INTO ?", (str(to),))
        except sqlite3.Error as error:
            to.unlink()
            raise HistoryUnavailableError(f"{to}: {error}") from error


def require_local(file: Path) -> None:
    """Raises ConfigError for a directory that is not there, or is on a file system of another machine."""
    directory = file.parent
    if not directory.is_dir():
        raise ConfigError(f"history.url: {directory} is no directory; make it, for the daemon's user")
    kind = _file_system(directory.resolve())
    if kind in _NETWORKS:
        raise ConfigError(
            f"history.url: {file} is on a network file system ({kind}), which SQLite would lose data on: choose a "
            "local disk, or a postgresql:// URL"
        )


def _file_system(directory: Path) -> str:
    """The type of the file system that a directory is on; empty where the system does not tell."""
    try:
        lines = Path("/proc/self/mounts").read_text().splitlines()
    except OSError:
        return ""
    mounts = [line.split(" ")[1:3] for line in lines]
    over = [(point, kind) for point, kind in mounts if directory.is_relative_to(point)]
    return max(over, key=lambda mount: len(mount[0]), default=("", ""))[1]


class Lock:
    """Held by the one process that may write to a file; gone with the process."""

    def __init__(self, file: Path) -> None:
        """Raises HistoryInUseError, HistoryUnavailableError."""
        name = file.with_name(f"{file.name}-lock")
        try:
            self._opened = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise HistoryUnavailableError(f"{name}: {error.strerror}") from error
        try:
            fcntl.flock(self._opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._opened)
            raise HistoryInUseError(f"another process writes to {file}: one at a time can") from None

    def release(self) -> None:
        os.close(self._opened)


def has_large_log(file: Path) -> bool:
    try:
        return file.with_name(f"{file.name}-wal").stat().st_size > _LARGEST_LOG
    except FileNotFoundError:
        return False


def checkpoint(engine: Engine) -> bool:
    """Writes the log back and empties it: what was deleted is gone from it then. False if readers were in the way."""
    with engine.connect() as connection:
        raw: Any = connection.connection.driver_connection
        raw.execute(f"PRAGMA busy_timeout = {_CHECKPOINT_PATIENCE_MS}")
        try:
            busy, _, _ = raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        finally:
            raw.execute(f"PRAGMA busy_timeout = {int(_BUSY_SECONDS * 1000)}")
    return not busy


def give_back(connection: Connection, pages: int) -> bool:
    """At most so many free pages go back to the file system. Whether more may follow."""
    raw: Any = connection.connection.driver_connection
    [free] = raw.execute("PRAGMA freelist_count").fetchone()
    raw.execute(f"PRAGMA incremental_vacuum({pages})").fetchall()  # a page a step
    [left] = raw.execute("PRAGMA freelist_count").fetchone()
    return bool(0 < left < free)
