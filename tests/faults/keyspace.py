"""Keys that somebody deletes under the running daemon."""

import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from sploot_clusterd.engine.rows import decode_row
from tests.faults.checker import NAMESPACE, verdict
from tests.faults.fleet import Fleet
from tests.faults.harm import GROUP, PETS, Outcome, Size, applied_once, harmed, recovered, work_in_hand
from tests.faults.load import STREAM, Load
from tests.support.waiting import eventually


async def scripts_flushed(directory: Path, seed: int, size: Size) -> Outcome:
    """SCRIPT FLUSH, again and again: Redis forgets every script, and nothing else may be noticed of it."""

    async def flush(fleet: Fleet, _: int) -> None:
        await fleet.redis.script_flush()

    async with Fleet(directory) as fleet:
        return await applied_once(fleet, seed, size, flush)


async def group_destroyed(directory: Path, seed: int, size: Size) -> Outcome:
    """XGROUP DESTROY: who held which entry is forgotten, the jobs are not, and each is applied once all the same."""

    async def destroy(fleet: Fleet, n: int) -> None:
        await _in_the_middle_of_work(fleet, n)
        await fleet.redis.xgroup_destroy(STREAM, GROUP)

    async with Fleet(directory) as fleet:
        return await applied_once(fleet, seed, size, destroy)


async def stream_deleted(directory: Path, seed: int, size: Size) -> Outcome:
    """The stream is deleted, and with it jobs not yet applied. What was applied stays, what is sent later is done."""

    async def delete(fleet: Fleet) -> None:
        await fleet.redis.delete(STREAM)

    return await _deleted(directory, seed, size, delete, albums_stay=True)


async def flushed(directory: Path, seed: int, size: Size) -> Outcome:
    """FLUSHALL: all is gone and does not come back from any daemon's memory; what was sent later is applied once."""

    async def flush(fleet: Fleet) -> None:
        await fleet.redis.flushall()

    return await _deleted(directory, seed, size, flush, albums_stay=False)


async def _deleted(
    directory: Path, seed: int, size: Size, delete: Callable[[Fleet], Awaitable[None]], *, albums_stay: bool
) -> Outcome:
    gone: set[str] = set()
    deleted_at, slowest = 0.0, 0.0
    async with Fleet(directory) as fleet:
        load = Load(fleet, seed, pets=PETS, jobs=size.jobs, rate=size.rate)

        async def harm(fleet: Fleet, n: int) -> None:
            nonlocal deleted_at, slowest
            await _in_the_middle_of_work(fleet, n)
            before = await _images(fleet)
            await delete(fleet)
            deleted_at = time.monotonic()
            gone.update(before - await _images(fleet))
            slowest = max(slowest, await recovered(fleet))

        await harmed(load, fleet, seed, size, harm)
        doubted = load.ledger.doubt(sent_before=deleted_at)
        counts = await verdict(fleet, load.ledger)
        stored = await _images(fleet)
        alive = all(daemon.alive() for daemon in fleet.daemons)
    outcome = Outcome(counts, size.harms, counts.breaches())
    outcome.recovers(slowest)
    outcome.figures["gone with it"] = len(doubted - stored)
    outcome.expect(not gone & stored, f"{len(gone & stored)} deleted images came back")
    outcome.expect(not (albums_stay and gone), f"{len(gone)} images went with the stream")
    outcome.expect(alive, "a daemon did not survive")
    return outcome


async def _in_the_middle_of_work(fleet: Fleet, n: int) -> None:
    daemon = fleet.daemons[n % len(fleet.daemons)]
    await eventually(lambda: work_in_hand(fleet, daemon), what="work in hand")


async def _images(fleet: Fleet) -> set[str]:
    """Every image that is stored of the load's pets."""
    async with fleet.redis.pipeline(transaction=True) as ask:
        for n in range(PETS):
            ask.hgetall(f"{NAMESPACE}:images:pet-{n}")
        hashes = await ask.execute()
    return {image.decode() for rows in hashes for image, row in rows.items() if decode_row(row).exists}
