"""History beside a load, with harm done to who writes it and to its database."""

import asyncio
import signal
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, closing
from functools import partial
from pathlib import Path

from sploot_clusterd.config import HistorySettings, SecretUrl
from sploot_clusterd.history.database import Database
from sploot_clusterd.history.migrating import migrate
from tests.faults import failover
from tests.faults.checker import verdict
from tests.faults.fleet import Daemon, Fleet
from tests.faults.harm import PETS, Harm, Outcome, Size, harmed, wait_for_harm
from tests.faults.load import Load
from tests.faults.pg_wire import AtCommit, PgWire
from tests.faults.recorded import albums, history_breaches, latest, superseded
from tests.support.children import WRITING, kill_children
from tests.support.postgres import Postgres, chosen
from tests.support.waiting import eventually

_PATIENCE = 300.0


async def in_sqlite(directory: Path, seed: int, size: Size) -> Outcome:
    """Kill -9 of daemons, of the one that writes, or of its process, in the middle of that; and a file that another
    program has locked.
    """
    file = directory / "history.sqlite3"
    url = f"sqlite:///{file}"
    migrate(_settings(url))

    async def harm(fleet: Fleet, n: int) -> None:
        if n % 5 == 4:
            await asyncio.to_thread(_lock, file, size.every)
            return
        if n % 5 >= 2:
            await _grows(file.with_name(f"{file.name}-wal"))
        if n % 5 == 3:
            for daemon in fleet.daemons:
                kill_children(daemon.pid, WRITING)
            return
        victim = fleet.daemons[n % 2]
        victim.kill()
        await victim.start()

    async with Fleet(directory, env={"DATABASE_URL": url}) as fleet:
        return await _written_once(fleet, seed, size, harm, url)


async def in_postgres(directory: Path, seed: int, size: Size) -> Outcome:
    """Kill -9 of daemons, and of the one that writes, or of its process, inside a transaction; a COMMIT whose reply is
    lost; a database that is started again as after a crash, and one that is away.
    """
    with Postgres(chosen()) as server:
        url = server.url()
        migrate(_settings(url))
        socket = Path(url.partition("host=")[2]) / ".s.PGSQL.5432"
        async with _behind_wires(directory, socket) as (fleet, wires):

            async def harm(fleet: Fleet, n: int) -> None:
                match n % 6:
                    case 0:
                        fleet.daemons[n % 2].kill()
                        await fleet.daemons[n % 2].start()
                    case 1:
                        await _at_commit(fleet, wires, AtCommit.LOSE, Daemon.kill)
                    case 2:
                        await _at_commit(fleet, wires, AtCommit.LOSE_REPLY)
                    case 3:
                        await _at_commit(fleet, wires, AtCommit.LOSE, lambda daemon: kill_children(daemon.pid, WRITING))
                    case 4:
                        server.stop(signal.SIGQUIT)
                        server.start()
                    case _:
                        server.stop()
                        await wait_for_harm(size.every)
                        server.start()

            return await _written_once(fleet, seed, size, harm, url)


async def promoted(directory: Path, seed: int, size: Size) -> Outcome:
    """A replica is promoted that lacks the last commits: history has both branches, and says which one lives."""
    url = f"sqlite:///{directory / 'history.sqlite3'}"
    migrate(_settings(url))
    database = Database.open(_settings(url))
    breaches = list[str]()

    async def judge(fleet: Fleet) -> None:
        wanted = await albums(fleet)
        await eventually(lambda: latest(database) == wanted, what="history to catch up", timeout=_PATIENCE)
        breaches.extend(await history_breaches(fleet, database))

    try:
        outcome = await failover.promoted(directory, seed, size, env={"DATABASE_URL": url}, judge=judge)
        outcome.figures["versions that were lost, and stay"] = superseded(database)
    finally:
        database.close()
    outcome.breaches += breaches
    return outcome


async def _written_once(fleet: Fleet, seed: int, size: Size, harm: Harm, url: str) -> Outcome:
    load = Load(fleet, seed, pets=PETS, jobs=size.jobs, rate=size.rate)
    await harmed(load, fleet, seed, size, harm)
    began = time.monotonic()
    database = Database.open(_settings(url))
    try:
        wanted = await albums(fleet)
        await eventually(lambda: latest(database) == wanted, what="history to catch up", timeout=_PATIENCE)
        figures = {"caught up after, s": time.monotonic() - began}
        counts = await verdict(fleet, load.ledger)
        breaches = counts.breaches() + await history_breaches(fleet, database)
        if lost := superseded(database):
            breaches.append(f"{lost} versions are taken for lost")
    finally:
        database.close()
    return Outcome(counts, size.harms, breaches, figures)


@asynccontextmanager
async def _behind_wires(directory: Path, socket: Path) -> AsyncIterator[tuple[Fleet, dict[Daemon, PgWire]]]:
    """Two daemons that reach PostgreSQL by wires of their own."""
    async with AsyncExitStack() as stack:
        fleet = await stack.enter_async_context(Fleet(directory, daemons=0))
        wires = {}
        for name in ("w0", "w1"):
            wire = await stack.enter_async_context(PgWire(directory / name, socket))
            url = f"postgresql://postgres@/postgres?host={directory / name}"
            daemon = fleet.add_daemon({"DATABASE_URL": url, "CLUSTER_PARTITIONS": "1"})
            wires[daemon] = wire
            await daemon.start()
        yield fleet, wires


async def _at_commit(
    fleet: Fleet, wires: dict[Daemon, PgWire], at: AtCommit, kill: Callable[[Daemon], None] | None = None
) -> None:
    """To the first COMMIT of either daemon."""
    springs = {
        asyncio.ensure_future(wire.spring(at, partial(kill, daemon) if kill else None)): daemon
        for daemon, wire in wires.items()
    }
    done, others = await asyncio.wait(springs, return_when=asyncio.FIRST_COMPLETED)
    for other in others:
        other.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    for wire in wires.values():
        wire.calm()
    assert any(each.result() for each in done), "no history was written"
    await asyncio.gather(*(daemon.start() for daemon in fleet.daemons if not daemon.alive()))


async def _grows(file: Path) -> None:
    """Until a transaction is being written."""
    was = _state(file)
    await eventually(lambda: _state(file) != was, what="a write to history", timeout=20)


def _state(file: Path) -> tuple[int, int]:
    try:
        found = file.stat()
    except FileNotFoundError:
        return 0, 0
    return found.st_size, found.st_mtime_ns


def _lock(file: Path, seconds: float) -> None:
    with closing(sqlite3.connect(file, timeout=30, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        time.sleep(seconds)
        connection.execute("ROLLBACK")


def _settings(url: str) -> HistorySettings:
    return HistorySettings(url=SecretUrl(url))
