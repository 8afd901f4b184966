"""Tables are made once, whole or not at all, whoever does it at the same time, and whatever the password looks like."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from alembic import op
from sqlalchemy import inspect, text

from sploot_clusterd.errors import HistoryInUseError, HistorySchemaError, HistoryUnavailableError
from sploot_clusterd.history import migrations, reading, sqlite
from sploot_clusterd.history.database import Database
from sploot_clusterd.history.migrating import _LOCK, migrate
from sploot_clusterd.history.schema import REVISION, metadata
from tests.history.rows import add_latest
from tests.support.databases import SERVER_FIXTURES, SERVERS, settings_of


@pytest.fixture(params=["sqlite", *SERVERS])
def empty(request, tmp_path):
    """The URL of a database without tables."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/history.sqlite3"
    else:
        with request.getfixturevalue(SERVER_FIXTURES[request.param]).database() as url:
            yield url


def tables(url: str) -> set[str]:
    database = Database.open(settings_of(url))
    with database.read() as connection:
        found = set(inspect(connection).get_table_names())
    database.close()
    return found


def test_a_second_time_changes_nothing(empty):
    assert migrate(settings_of(empty)) is None
    assert tables(empty) >= metadata.tables.keys()
    assert migrate(settings_of(empty)) == REVISION


def test_what_fails_in_the_middle_leaves_nothing_and_may_be_run_again(empty, monkeypatch):
    create = op.create_table

    def failing(name, *columns, **options):
        if name == "cluster_jobs":
            name = "cluster_members"  # which is there
        return create(name, *columns, **options)

    monkeypatch.setattr(op, "create_table", failing)
    with pytest.raises(HistoryUnavailableError, match=r"not migrated: .*cluster_members.* already exists"):
        migrate(settings_of(empty))
    assert tables(empty) <= {"alembic_version"}
    monkeypatch.undo()
    assert migrate(settings_of(empty)) is None


def test_tables_of_an_older_version_are_not_used(database):
    with database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0000'"))
    with pytest.raises(HistorySchemaError, match=r"at revision 0000, and 0001 is wanted: run `clusterd"):
        database.require_schema()
    with database.write() as connection:
        connection.execute(text("DELETE FROM alembic_version"))
    with pytest.raises(HistorySchemaError, match=r"are missing.*run `clusterd history migrate`"):
        database.require_schema()


def test_a_newer_versions_tables_have_what_this_one_needs(history, database):
    with database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    database.require_schema()
    assert migrate(history) == "9999"
    assert database.revision() == "9999"


def test_who_migrates_too_is_waited_for(postgres):
    with postgres.database() as url:
        with psycopg.connect(url) as other:
            other.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
            with pytest.raises(HistorySchemaError, match="another process has been migrating"):
                migrate(settings_of(url), patience=0.15)
        assert migrate(settings_of(url)) is None


def test_a_file_that_is_written_to_is_not_migrated(tmp_path):
    lock = sqlite.Lock(tmp_path / "history.sqlite3")
    settings = settings_of(f"sqlite:///{tmp_path}/history.sqlite3")
    with pytest.raises(HistoryInUseError, match="stop its daemon"):
        migrate(settings, patience=0.15)
    lock.release()
    assert migrate(settings) is None


def test_a_password_that_has_to_be_escaped(postgres):
    with postgres.database() as url:
        name = url.partition("@/")[2].partition("?")[0]
        postgres.execute(
            "DROP ROLE IF EXISTS secretive",
            "CREATE ROLE secretive LOGIN PASSWORD 'p%40:s/s@'",
            f"ALTER DATABASE {name} OWNER TO secretive",
            f"GRANT ALL ON DATABASE {name} TO secretive",
        )
        mine = url.replace("postgres@", "secretive:p%2540%3As%2Fs%40@")
        assert migrate(settings_of(mine)) is None
        with pytest.raises(HistoryUnavailableError, match="password authentication failed") as refused:
            migrate(settings_of(mine.replace("p%2540", "p%40")))
        assert "p@" not in str(refused.value)


def at_once(count: int, url: str, *command: str) -> str:
    """What so many processes say that are started together, and all end well."""
    running = [
        subprocess.Popen(
            [sys.executable, *command],
            env=os.environ | {"DATABASE_URL": url},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        for _ in range(count)
    ]
    try:
        told = [process.communicate(timeout=200)[0].decode() for process in running]
    finally:
        for process in running:
            process.kill()
    assert [process.returncode for process in running] == [0] * count, told
    return "".join(told)


@pytest.mark.database
def test_four_processes_at_once(empty):
    assert "from nothing" in at_once(4, empty, "-m", "sploot_clusterd", "history", "migrate")
    assert tables(empty) >= metadata.tables.keys()


CLAIMS = """
import os
from sploot_clusterd.config import HistorySettings, SecretUrl
from sploot_clusterd.errors import HistoryInUseError
from sploot_clusterd.history.database import Database
from sploot_clusterd.history.ledger import Ledger
from sploot_clusterd.history.migrating import migrate
from sploot_clusterd.history.told import Place
from sploot_clusterd.history.writing import OvertakenError
from sploot_clusterd.store import FeedEntries
settings = HistorySettings(url=SecretUrl(os.environ["DATABASE_URL"]))
migrate(settings)
database = Database.open(settings)
change = b'{"version":1,"jobs":[],"num_clusters":0,"num_images":0,"num_unclustered":0}'
told = b'{"pet_id":"pet","previous":"","kind":"changed","incarnation":"a","before":"","after":"a.1","change":%b}'
try:
    Ledger(0).write(database, Place(), FeedEntries("feed", [(b"1-5", [b"event", told % change])], "1-5", True))
    print("claimed")
except (OvertakenError, HistoryInUseError):
    print("late")
"""


@pytest.mark.database
@pytest.mark.timeout(300)  # each needs seconds of CPU until it has begun
def test_of_twenty_processes_that_migrate_and_begin_at_once_one_writes(empty):
    """A SQLite file's other processes only read."""
    told = at_once(20, empty, "-c", CLAIMS).split()
    assert sorted(told) == ["claimed", *["late"] * 19]
    database = Database.open(settings_of(empty))
    with database.read() as connection:
        assert reading.latest(connection, "pet").version == 1
        assert len(reading.versions(connection, "pet", None, None, 9).versions) == 1
    database.close()


NEXT = """
from alembic import op
import sqlalchemy as sa
revision, down_revision = "0002", "0001"
def upgrade():
    op.create_table("once", sa.Column("id", sa.Integer, primary_key=True))
    op.add_column("pet_latest", sa.Column("more", sa.Integer))
"""
MIGRATES = """
import os, sys
from sploot_clusterd.config import HistorySettings, SecretUrl
from sploot_clusterd.history import database, migrating
migrating.SCRIPTS = sys.argv[1]
migrating.REVISION = database.REVISION = "0002"
print("from", migrating.migrate(HistorySettings(url=SecretUrl(os.environ["DATABASE_URL"]))))
"""


@pytest.mark.database
def test_four_processes_at_once_from_an_older_version_whose_daemons_go_on(empty, tmp_path):
    migrate(settings_of(empty))
    database = Database.open(settings_of(empty))
    with database.write() as connection:
        add_latest(connection, 1)
    if database.is_sqlite:
        database.close()  # it has one writer, who stops for this
    scripts = tmp_path / "scripts"
    shutil.copytree(Path(migrations.__file__).parent, scripts)
    (scripts / "versions/r0002_next.py").write_text(NEXT)
    assert "from 0001" in at_once(4, empty, "-c", MIGRATES, str(scripts))
    assert "once" in tables(empty)
    database.require_schema()
    with database.write() as connection:
        add_latest(connection, 2, pet_id="another")
    with database.read() as connection:
        assert reading.latest(connection, "pet").version == 1
    assert database.revision() == "0002"
    database.close()
