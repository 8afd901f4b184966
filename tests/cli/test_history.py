"""`clusterd history`: each command, typed; and what is said where it cannot be done."""

import json
import sqlite3
import stat
import sys

import pytest

from sploot_clusterd.cli import main
from sploot_clusterd.config import HistorySettings, SecretUrl
from sploot_clusterd.history.database import Database
from sploot_clusterd.history.schema import newest_snapshots
from tests.history.rows import BEGIN, add_job, add_latest, add_snapshot

URL = "sqlite:///history.sqlite3"


@pytest.fixture
def typed(capsys, monkeypatch):
    """Types a command: its exit code, output and errors."""
    monkeypatch.setenv("DATABASE_URL", URL)

    def type_(*words):
        code = main(["history", *words])
        return code, *capsys.readouterr()

    return type_


@pytest.fixture
def database(typed):
    assert typed("migrate") == (0, "history: from nothing to 0001\n", "")
    database = Database.open(HistorySettings(url=SecretUrl(URL)))
    yield database
    database.close()


def test_tables_are_made_and_looked_at(typed, database):
    assert typed("migrate") == (0, "history is at 0001\n", "")
    with database.write() as connection:
        add_latest(connection, 3, complete=False)
    code, told, _ = typed("check")
    assert code == 0
    assert "pets incomplete          1\n" in told
    found = json.loads(typed("check", "--json")[1])
    assert (found["database"], found["pets"]) == (f"SQLite {sqlite3.sqlite_version}", 1)
    assert found["newest_version"] == "2025-11-27T02:23:00.000Z"


def test_what_is_too_old_is_dropped(typed, database, monkeypatch):
    with database.write() as connection:
        add_job(connection, "job", 1)
    database.close()  # one process writes
    monkeypatch.setattr("time.time", lambda: BEGIN / 1000 + 50 * 86400)
    assert typed("prune") == (0, "0 rows dropped\n", "")
    monkeypatch.setenv("CLUSTERD_HISTORY_RETENTION_DAYS", "49")
    assert typed("prune") == (0, "1 rows dropped\n", "")


def test_what_only_the_daemon_may_do_beside_the_daemon(typed, database):
    with database.write() as connection:
        add_job(connection, "job", 1)
    code, _, told = typed("prune")
    assert (code, "another process writes to" in told) == (1, True)


def test_nobody_else_can_read_the_files(typed, database, tmp_path):
    with database.write() as connection:
        add_job(connection, "job", 1)
    typed("backup", "copy.sqlite3")
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    assert modes == dict.fromkeys(
        ["history.sqlite3", "history.sqlite3-wal", "history.sqlite3-shm", "history.sqlite3-lock", "copy.sqlite3"], 0o600
    )


def test_a_neighbours_file_is_not_written_to(typed, tmp_path, give_away):
    (tmp_path / "history.sqlite3").touch()
    give_away(tmp_path / "history.sqlite3")
    code, _, told = typed("migrate")
    assert (code, "history.sqlite3 belongs to" in told) == (2, True), told


def test_a_copy_has_the_last_row_also_while_it_is_written_to(typed, database, tmp_path):
    with database.write() as connection:
        add_snapshot(connection, newest_snapshots, 1, b"{}")
    code, told, _ = typed("backup", "copy.sqlite3")
    assert (code, told) == (0, f"{tmp_path}/copy.sqlite3: {(tmp_path / 'copy.sqlite3').stat().st_size} bytes\n")
    with sqlite3.connect(tmp_path / "copy.sqlite3") as copy:
        assert copy.execute("SELECT pet_id FROM newest_snapshots").fetchall() == [("pet",)]
    copy.close()
    assert typed("backup", "copy.sqlite3")[::2] == (1, f"clusterd: {tmp_path}/copy.sqlite3 is there already\n")


@pytest.mark.parametrize(
    ("url", "words", "expected"),
    [
        ("", ["check"], (2, "history.url is not set")),
        (URL, ["check"], (1, "history's tables are missing, and 0001 is wanted: run `clusterd history migrate`")),
        (URL, ["prune"], (1, "run `clusterd history migrate`")),
        ("sqlite:////nowhere/h.db", ["migrate"], (2, "/nowhere is no directory")),
        ("postgresql:///db?host=/nowhere", ["migrate"], (1, "the database: ")),
        ("postgresql:///db?host=/nowhere", ["backup", "x"], (2, "pg_dump")),
        ("postgresql:///db?nonsense=1", ["check"], (2, "history.url: invalid URI query parameter")),
    ],
)
def test_what_is_wrong_is_told_with_its_mend(typed, monkeypatch, url, words, expected):
    monkeypatch.setenv("DATABASE_URL", url)
    code, told = expected
    found, _, error = typed(*words)
    assert (found, told in error) == (code, True), error


def test_without_the_extra_its_name_is_told(typed, monkeypatch):
    monkeypatch.setattr("sploot_clusterd.history.find_spec", lambda name: None if name == "psycopg" else sys)
    assert typed("check")[::2] == (
        2,
        "clusterd: history needs psycopg: pip install 'psycopg[binary]'\n",
    )


def test_what_a_start_would_refuse_config_refuses(typed, monkeypatch, capsys):
    monkeypatch.setenv("INTERNAL_TOKEN", "a-token-of-some-length")
    assert main(["config"]) == 0
    assert 'url = "sqlite:///history.sqlite3"  # $DATABASE_URL' in capsys.readouterr().out
    monkeypatch.setenv("DATABASE_URL", "postgresql://clusterd:a-secret@db/clusterd?nonsense=1")
    assert main(["config"]) == 2
    told = capsys.readouterr().err
    assert "history.url: " in told
    assert "a-secret" not in told
