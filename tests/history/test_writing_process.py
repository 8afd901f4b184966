"""The process that writes: what it gives back, who may end it, and what becomes of what it was writing."""

import asyncio
import gc
import logging
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path
from typing import Final

import pytest
from redis.asyncio import Redis

from sploot_clusterd.config import HistorySettings
from sploot_clusterd.errors import HistoryInUseError, HistorySchemaError, HistoryUnavailableError
from sploot_clusterd.history import sqlite, writing_process
from sploot_clusterd.history.database import Database
from sploot_clusterd.history.ledger import Ledger
from sploot_clusterd.history.retention import prune
from sploot_clusterd.history.schema import pet_clusters
from sploot_clusterd.history.writing_process import WritingProcess
from tests.faults.fleet import Daemon, Fleet
from tests.history.aged import LATER, told
from tests.history.held import held, is_waited_for
from tests.history.process import Process, commit, configured, written
from tests.history.written import latest, rows
from tests.support import waiting
from tests.support.children import WRITING, children
from tests.support.databases import settings_of
from tests.support.processes import has_ended

eventually = partial(waiting.eventually, timeout=60.0)

STRANGER: Final = "raise SystemExit('whoever has the working directory must not have this process')"
ASKS: Final = """
import sys
sys.path.append(sys.argv[1])
from sploot_clusterd.config import HistorySettings, SecretUrl
from sploot_clusterd.history.database import Database
from sploot_clusterd.history.writing_process import WritingProcess
process = WritingProcess(HistorySettings(url=SecretUrl(sys.argv[2])))
print(process.ask_from_thread(Database.revision))
process.close()
"""


@pytest.fixture
def process(sqlite_history: HistorySettings) -> Iterator[WritingProcess]:
    writing = WritingProcess(sqlite_history)
    yield writing
    writing.close()


class StrangeError(Exception):
    def __init__(self, one: str, two: str) -> None:
        super().__init__(one + two)


def fail(_: Database, kind: str) -> None:
    print("standard output is nobody's")  # noqa: T201 - it would be taken for an answer
    if kind == "strange":
        raise StrangeError("can", "not be pickled")
    raise KeyError(kind)


def warn(_: Database) -> None:
    logging.getLogger("sploot_clusterd.history.ledger").warning("found", extra={"data": {"events": 3}})


async def test_outcomes_errors_and_what_is_logged_come_back(process: WritingProcess, caplog):
    begun = await process.ask(Ledger(0).begin)
    assert (begun.place.event_id, begun.surveys, begun.due) == ("", True, [])
    with pytest.raises(KeyError, match="plain") as plain:
        await process.ask(fail, "plain")
    assert "in fail" in plain.value.__notes__[0]
    with pytest.raises(RuntimeError, match="StrangeError: cannot be pickled"):
        await process.ask(fail, "strange")
    with pytest.raises(Exception, match="lambda"):
        await process.ask(lambda _: None)
    await process.ask(warn)
    (record,) = [each for each in caplog.records if each.getMessage() == "found"]
    assert (record.levelname, record.data) == ("WARNING", {"events": 3})


def garbage(_: Database) -> tuple[tuple[int, int, int], int]:
    return gc.get_threshold(), gc.get_freeze_count()


async def test_it_goes_through_what_it_imported_no_more_than_the_daemon_does(process: WritingProcess):
    thresholds, frozen = await process.ask(garbage)
    assert thresholds[0] > 10_000
    assert frozen > 10_000


async def test_tables_that_are_missing_are_told_as_ever(tmp_path: Path):
    process = WritingProcess(settings_of(f"sqlite:///{tmp_path}/none.sqlite3"))
    with pytest.raises(HistorySchemaError, match="clusterd history migrate"):
        await process.ask(Database.require_schema)
    process.close()


async def test_the_process_that_writes_has_the_file_until_it_ends(sqlite_history: HistorySettings):
    file = Database.open(sqlite_history).file
    assert file
    await eventually(lambda: children(os.getpid(), WRITING) == [], what="other tests' to end")
    process = WritingProcess(sqlite_history)
    assert children(os.getpid(), WRITING) == [], "nothing was to be done"
    await process.ask(Ledger(0).end_survey)
    (child,) = children(os.getpid(), WRITING)
    with pytest.raises(HistoryInUseError):
        sqlite.Lock(file)
    process.close()
    await eventually(lambda: has_ended(child), what="the process to end")
    sqlite.Lock(file).release()


async def test_one_that_was_killed_is_told_of_and_the_next_takes_over(process: WritingProcess):
    await eventually(lambda: children(os.getpid(), WRITING) == [], what="other tests' to end")
    await process.ask(Ledger(0).end_survey)
    (child,) = children(os.getpid(), WRITING)
    child.kill()
    with pytest.raises(HistoryUnavailableError, match=r"the process that writes has ended \(-9\)"):
        await process.ask(Ledger(0).begin)
    assert not (await process.ask(Ledger(0).begin)).surveys


async def test_one_that_cannot_be_started_is_told_of(process: WritingProcess, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(HistoryUnavailableError, match="cannot be started: No such file"):
        await process.ask(Ledger(0).begin)
    monkeypatch.undo()
    assert (await process.ask(Ledger(0).begin)).surveys


async def test_one_that_does_not_end_is_killed(sqlite_history: HistorySettings, monkeypatch: pytest.MonkeyPatch):
    await eventually(lambda: children(os.getpid(), WRITING) == [], what="other tests' to end")
    monkeypatch.setattr(writing_process, "_PATIENCE", 0.05)
    process = WritingProcess(sqlite_history)
    await process.ask(Ledger(0).begin)
    (child,) = children(os.getpid(), WRITING)
    child.suspend()
    process.close()
    await eventually(lambda: has_ended(child), what="the process to be killed")


async def test_pruning_is_done_there_too(process: WritingProcess, sqlite_history: HistorySettings):
    database = Database.open(sqlite_history)
    told(database)
    database.close()
    pruned = await asyncio.to_thread(prune, database, 90, LATER, ask=process.ask_from_thread)
    assert pruned.rows == 6
    assert await asyncio.to_thread(prune, database, 90, LATER, is_stopped=lambda: True, ask=process.ask_from_thread)
    database.close()


def test_it_finds_the_package_wherever_it_is_started(tmp_path: Path, sqlite_history: HistorySettings):
    (tmp_path / "sploot_clusterd.py").write_text(STRANGER)
    assert sqlite_history.url
    package = str(Path(sqlite.__file__).parents[2])
    command = [sys.executable, "-I", "-c", ASKS, package, sqlite_history.url.reveal()]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("0001\n", "", 0)


async def test_kill_of_the_process_in_a_transaction_loses_and_repeats_nothing(
    redis: Redis, redis_url: str, pg_history: HistorySettings, pg_database: Database
):
    await eventually(lambda: children(os.getpid(), WRITING) == [], what="other tests' to end")
    async with Process(configured(redis_url, pg_history)).running() as process:
        tokens = {"before": await commit(process.store, redis, "before")}
        await eventually(lambda: written(pg_database) == tokens, what="the writer")
        (child,) = children(os.getpid(), WRITING)
        with held(pg_database):
            tokens["pet"] = await commit(process.store, redis, "pet")
            await eventually(lambda: is_waited_for(pg_database), what="the transaction")
            child.kill()
            await eventually(process.health.warnings, what="a warning")
            assert process.count("away") == 1
        tokens["after"] = await commit(process.store, redis, "after")
        await eventually(lambda: written(pg_database) == tokens, what="history to go on")
        await eventually(lambda: process.health.warnings() == [], what="the warning to go")
        assert sorted(row.token for row in rows(pg_database, pet_clusters)) == sorted(tokens.values())
        assert process.count("events_total", outcome="written") == len(tokens)
        assert process.count("superseded_total") == 0


@pytest.fixture
async def fleet(tmp_path: Path) -> AsyncIterator[Fleet]:
    async with Fleet(tmp_path, daemons=0) as fleet:
        yield fleet


async def started(fleet: Fleet, url: str, **env: str) -> Daemon:
    daemon = fleet.add_daemon({"DATABASE_URL": url, **env})
    await daemon.start()
    return daemon


async def upload(fleet: Fleet, daemon: Daemon, image: str) -> None:
    job = {"pet_id": "pet", "job_id": image, "payload": {"image_ids": [image]}}
    async with fleet.http.post(f"{daemon.url}/internal/cluster-jobs", json=job) as answer:
        assert answer.status == 202


async def test_kill_of_the_daemon_ends_the_process(fleet: Fleet, sqlite_history: HistorySettings):
    assert sqlite_history.url
    database = Database.open(sqlite_history)
    assert database.file
    daemon = await started(fleet, sqlite_history.url.reveal())
    await upload(fleet, daemon, "one")
    await eventually(lambda: latest(database, "pet"), what="the writer")
    (child,) = children(daemon.pid, WRITING)
    daemon.kill()
    await eventually(lambda: has_ended(child), what="the process to end")
    sqlite.Lock(database.file).release()
    database.close()


async def test_signals_to_all_processes_leave_the_last_transaction_whole(
    fleet: Fleet, pg_history: HistorySettings, pg_database: Database
):
    """As a terminal sends them, and systemd."""
    assert pg_history.url
    daemon = await started(fleet, pg_history.url.reveal())
    await upload(fleet, daemon, "one")
    await eventually(lambda: latest(pg_database, "pet"), what="the writer")
    (child,) = children(daemon.pid, WRITING)
    with held(pg_database):
        await upload(fleet, daemon, "two")
        await eventually(lambda: is_waited_for(pg_database), what="the transaction")
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
            child.send_signal(number)
        daemon.signal(signal.SIGTERM)
        await eventually(lambda: any(line["message"] == "stopping" for line in daemon.log()), what="the daemon to stop")
        assert is_waited_for(pg_database)
    await eventually(lambda: not daemon.alive(), what="the daemon to end")
    assert daemon.exit_code == 0
    assert has_ended(child)
    assert latest(pg_database, "pet").version == 2
    assert not any(line["level"] in {"WARNING", "ERROR"} for line in daemon.log())


async def test_a_daemon_without_consumers_has_none(fleet: Fleet, sqlite_history: HistorySettings):
    assert sqlite_history.url
    daemon = await started(fleet, sqlite_history.url.reveal(), CLUSTER_CONSUMERS="0")
    assert children(daemon.pid, WRITING) == []
    assert daemon.stop() == 0
    assert "history's process" not in daemon.output()
