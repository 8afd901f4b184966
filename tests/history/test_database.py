"""The one way to the database: who writes, what passes is told as such, nothing is left open."""

import os
import threading

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import select, text

from sploot_clusterd.errors import ConfigError, HistoryInUseError, HistorySchemaError, HistoryUnavailableError
from sploot_clusterd.history import schema, sqlite
from sploot_clusterd.history.database import READERS, Database
from sploot_clusterd.history.schema import cluster_jobs, cluster_snapshots
from tests.history.rows import add_job, add_snapshot
from tests.support.databases import settings_of
from tests.support.postgres import Postgres, debian


def is_described(name, kind, _parents):
    return kind != "table" or "_default" not in name


def jobs(database: Database) -> int:
    with database.read() as connection:
        return len(connection.execute(select(cluster_jobs)).all())


def test_the_migrations_lead_to_the_tables_that_are_described(database):
    with database.read() as connection:
        context = MigrationContext.configure(connection, opts={"include_name": is_described})
        assert compare_metadata(context, schema.metadata) == []


def test_a_transaction_is_written_whole_or_not(database):
    def fail(connection):
        add_job(connection, "job_1", 1)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), database.write() as connection:
        fail(connection)
    assert jobs(database) == 0
    with database.write() as connection:
        assert connection.execute(select(cluster_jobs)).all() == []  # one that read first may write
        add_job(connection, "job_1", 1)
        assert jobs(database) == 0
    assert jobs(database) == 1


def test_a_table_that_is_missing_is_told_with_its_mend(database):
    with pytest.raises(HistoryUnavailableError, match="nowhere"), database.read() as connection:
        connection.execute(text("SELECT * FROM nowhere"))


def test_nobody_can_hold_up_history_for_ever(pg_history, pg_database):
    def limits(connection):
        names = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
        return [connection.scalar(text(f"SHOW {name}")) for name in names]

    with pg_database.read() as connection:
        assert limits(connection) == ["5s", "0", "10s"]
    with pg_database.write() as connection:
        assert limits(connection) == ["30s", "5s", "1min"]
        assert connection.scalar(text("SHOW synchronous_commit")) == "on"
    pooled = Database.open(settings_of(pg_history.url.reveal(), pooler=True))
    with pooled.write() as connection:
        assert limits(connection) == ["0", "0", "0"]
        assert connection.connection.driver_connection.prepare_threshold is None
    pooled.close()


def test_a_read_leaves_no_transaction_open(pg_database):
    with pg_database.read() as connection:
        connection.execute(select(cluster_jobs)).all()
        with pg_database.read() as other:
            pid = connection.connection.driver_connection.info.backend_pid
            state = other.execute(text(f"SELECT state, backend_xmin FROM pg_stat_activity WHERE pid = {pid}")).one()
    assert tuple(state) == ("idle", None)


def test_connections_are_so_many_and_no_more(database):
    held = [database.read() for _ in range(READERS)]
    for each in held:
        each.__enter__().execute(text("SELECT 1"))
    assert database.connections_in_use() == READERS
    with pytest.raises(HistoryUnavailableError, match="QueuePool limit"), database.read():
        pass
    for each in held:
        each.__exit__(None, None, None)
    assert database.connections_in_use() == 0


def test_after_a_migration_each_connection_fails_once_at_most(pg_database):
    """What a statement gives has changed since it was prepared."""
    asked = text("SELECT * FROM erased_pets")
    with pg_database.read() as connection:
        for _ in range(7):  # prepared meanwhile
            connection.execute(asked).all()
    with pg_database.write() as connection:
        connection.execute(text("ALTER TABLE erased_pets ADD COLUMN more INTEGER"))
    with pytest.raises(HistoryUnavailableError, match="cached plan"), pg_database.read() as connection:
        connection.execute(asked)
    with pg_database.read() as connection:
        assert len(connection.execute(asked).keys()) == 4


@pytest.mark.database
def test_after_a_restart_no_query_fails(tmp_path):
    with Postgres(debian()) as server:
        database = Database.open(settings_of(server.url()))
        with database.read() as one, database.read() as other, database.write() as writing:
            for connection in (one, other, writing):
                connection.execute(text("SELECT 1"))
        server.stop()
        with pytest.raises(HistoryUnavailableError, match=r"the database: .*connection"), database.read():
            pass
        server.start()
        for way in (database.read, database.read, database.write):
            with way() as connection:
                assert connection.scalar(text("SELECT 1")) == 1
        database.close()


@pytest.fixture
def file(sqlite_history) -> Database:
    database = Database.open(sqlite_history)
    yield database
    database.close()


def test_every_connection_of_sqlite_has_its_pragmas(file):
    def pragmas(connection, *names):
        return [connection.scalar(text(f"PRAGMA {name}")) for name in names]

    with file.write() as connection:
        names = ("journal_mode", "synchronous", "secure_delete", "auto_vacuum", "query_only")
        assert pragmas(connection, *names) == ["wal", 2, 1, 2, 0]
    with file.read() as one, file.read() as other:
        for connection in (one, other):
            assert pragmas(connection, "journal_mode", "wal_autocheckpoint", "query_only") == ["wal", 0, 1]


def test_a_second_process_only_reads(file, sqlite_history):
    with file.write() as connection:
        add_job(connection, "job_1", 1)
    second = Database.open(sqlite_history)
    with pytest.raises(HistoryInUseError, match=r"another process writes to .*history\.sqlite3"), second.write():
        pass
    assert jobs(second) == 1
    file.close()
    with second.write() as connection:
        add_job(connection, "job_2", 2)
    assert jobs(second) == 2
    second.close()


def test_a_file_that_is_not_there_is_not_made_by_who_reads(tmp_path):
    database = Database.open(settings_of(f"sqlite:///{tmp_path}/none.sqlite3"))
    with pytest.raises(HistoryUnavailableError, match="unable to open"):
        jobs(database)
    with pytest.raises(HistorySchemaError, match="clusterd history migrate"):
        database.require_schema()
    assert list(tmp_path.iterdir()) == []
    database.close()


def test_a_read_that_takes_too_long_is_interrupted(file, monkeypatch):
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    with monkeypatch.context() as patched:
        patched.setattr(sqlite, "_READ_SECONDS", 0.05)
        with pytest.raises(HistoryUnavailableError, match="interrupted"), file.read() as connection:
            connection.execute(text(endless)).all()
    assert jobs(file) == 0


def test_what_was_erased_is_in_no_file(file):
    secret = os.urandom(200)
    with file.write() as connection:
        add_snapshot(connection, cluster_snapshots, 1, secret, secret)
    with file.write() as connection:
        connection.execute(cluster_snapshots.delete())
    files = [each for each in file.file.parent.iterdir() if each.name.startswith("history.sqlite3")]
    assert any(secret in each.read_bytes() for each in files)
    assert file.checkpoint()
    assert not any(secret in each.read_bytes() for each in files)


def test_a_log_that_grows_large_is_written_back(file, monkeypatch):
    log = file.file.with_name("history.sqlite3-wal")
    monkeypatch.setattr(sqlite, "_LARGEST_LOG", 100_000)
    for number in range(9):
        with file.write() as connection:
            add_snapshot(connection, cluster_snapshots, number, os.urandom(30_000))
    assert log.stat().st_size < 150_000
    reading = threading.Event(), threading.Event()

    def read() -> None:
        with file.read() as connection:
            connection.exec_driver_sql("BEGIN")
            connection.execute(select(cluster_snapshots)).all()
            reading[0].set()
            reading[1].wait(10)
            connection.exec_driver_sql("COMMIT")

    monkeypatch.setattr(sqlite, "_CHECKPOINT_PATIENCE_MS", 10)
    thread = threading.Thread(target=read)
    thread.start()
    reading[0].wait(10)
    with file.write() as connection:
        add_snapshot(connection, cluster_snapshots, 100, os.urandom(200_000))
    assert not file.checkpoint()  # it goes on without, and later
    reading[1].set()
    thread.join()
    assert file.checkpoint()
    assert log.stat().st_size == 0


@pytest.mark.database
def test_readers_that_overlap_do_not_let_the_log_grow_for_ever(file, monkeypatch):
    """Nothing of it could be written over while one of them is at it: the writer waits for those of before."""
    monkeypatch.setattr(sqlite, "_LARGEST_LOG", 2_000_000)
    log, stopped = file.file.with_name("history.sqlite3-wal"), threading.Event()

    def read() -> None:
        while not stopped.is_set():
            with file.read() as connection:
                connection.execute(select(cluster_snapshots.c.pet_id)).all()

    threads = [threading.Thread(target=read, daemon=True) for _ in range(READERS)]
    for thread in threads:
        thread.start()
    sizes = []
    for number in range(16):
        with file.write() as connection:
            add_snapshot(connection, cluster_snapshots, number, os.urandom(300_000))
        sizes.append(log.stat().st_size)
    stopped.set()
    for thread in threads:
        thread.join()
    assert max(sizes) < 5_000_000


def test_a_full_disk_is_a_database_that_is_away(file):
    with file.autocommit() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 50")
    with pytest.raises(HistoryUnavailableError, match="full"), file.write() as connection:
        add_snapshot(connection, cluster_snapshots, 1, os.urandom(300_000))


def test_a_network_file_system_is_refused(sqlite_history, monkeypatch):
    monkeypatch.setattr(sqlite, "_file_system", lambda _directory: "nfs4")
    with pytest.raises(ConfigError, match=r"history.url: .* network file system \(nfs4\)"):
        Database.open(sqlite_history)


def test_the_file_system_of_a_directory_is_the_systems_word(tmp_path):
    assert sqlite._file_system(tmp_path)
