"""Daemons over several partitions are killed: what moves between streams and processes counts as ever."""

import asyncio
from pathlib import Path

from tests.faults.fleet import Fleet
from tests.faults.harm import PETS, Outcome, Size, applied_once, harmed, kill, stopped, wait_for_harm
from tests.faults.order import Names, outcome_of

_COUNT = 8


async def kill_storm(directory: Path, seed: int, size: Size) -> Outcome:
    """Kill -9, now of the one, now of the other: of whoever reads, and of whoever moves entries."""
    async with Fleet(directory, partitions=_COUNT) as fleet:
        return await applied_once(fleet, seed, size, kill)


async def inversions(directory: Path, seed: int, size: Size) -> Outcome:
    """The same, and every job's effect shows whether a later one had been applied. All go by the plain stream."""
    async with Fleet(directory, partitions=_COUNT) as fleet:
        load = Names(fleet, seed, jobs=size.jobs, rate=size.rate, over_http=0.0)
        await load.sow()
        await harmed(load, fleet, seed, size, kill)
        return await outcome_of(fleet, load, size)


async def come_and_go(directory: Path, seed: int, size: Size) -> Outcome:
    """SIGTERM and SIGSTOP for longer than a lease lasts, in turn: partitions are handed over, and taken."""

    async def harm(fleet: Fleet, n: int) -> None:
        victim = fleet.daemons[n % 2]
        if n % 3:
            code = await asyncio.to_thread(victim.stop)
            assert code == 0, f"ended with {code}"
            await victim.start()
        else:
            async with stopped(victim.pid):
                await wait_for_harm(1.5)

    async with Fleet(directory, partitions=_COUNT) as fleet:
        return await applied_once(fleet, seed, size, harm, pets=PETS)
