"""Daemons that are killed, stopped for a while, and told to end."""

import asyncio
import os
import signal
import time
from pathlib import Path

from tests.faults.checker import verdict_of_removals
from tests.faults.fed import FED
from tests.faults.fleet import RETRY_IDLE_MS, Fleet
from tests.faults.harm import (
    GROUP,
    PETS,
    Outcome,
    Size,
    applied_once,
    harmed,
    kill,
    stopped,
    wait_for_harm,
    work_in_hand,
)
from tests.faults.load import STREAM, Load, Removals
from tests.support.waiting import eventually

_RECLAIM_MS = 2000


async def kill_storm(directory: Path, seed: int, size: Size, code: Path | None = None) -> Outcome:
    """Kill -9 of a daemon, again and again."""
    async with Fleet(directory, env=FED, **({"code": code} if code else {})) as fleet:
        return await applied_once(fleet, seed, size, kill)


async def hot_pet(directory: Path, seed: int, size: Size) -> Outcome:
    """Two daemons and one pet: every commit is contended, and each is killed now and then."""
    async with Fleet(directory) as fleet:
        return await applied_once(fleet, seed, size, kill, pets=1)


async def removed_again(directory: Path, seed: int, size: Size) -> Outcome:
    """Kill -9 while every image is removed again, the last one of each album too."""
    async with Fleet(directory) as fleet:
        load = Load(fleet, seed, pets=PETS, jobs=size.jobs, rate=size.rate)
        load.start()
        placed = await load.ended()
        await fleet.settled()
        removals = Removals(fleet, seed, placed.accepted, rate=size.rate)
        await harmed(removals, fleet, seed, size, kill)
        counts = await verdict_of_removals(fleet, removals.ledger)
    return Outcome(counts, size.harms, counts.breaches())


async def restarts(directory: Path, seed: int, size: Size) -> Outcome:
    """SIGTERM of a daemon at a random time, as a deploy does it. It has to end with 0."""

    async def restart(fleet: Fleet, n: int) -> None:
        victim = fleet.daemons[n % 2]
        code = await asyncio.to_thread(victim.stop)
        assert code == 0, f"ended with {code}"
        await victim.start()

    async with Fleet(directory) as fleet:
        return await applied_once(fleet, seed, size, restart)


async def stopped_daemon(directory: Path, seed: int, size: Size) -> Outcome:
    """SIGSTOP of a daemon for twice the reclaim time while the other works on: it wakes up with work not its own."""

    async def stop(fleet: Fleet, n: int) -> None:
        victim = fleet.daemons[n % 2]
        await eventually(lambda: work_in_hand(fleet, victim), what="work in hand of the daemon to stop")
        async with stopped(victim.pid):
            await wait_for_harm(2 * RETRY_IDLE_MS / 1000)

    async with Fleet(directory) as fleet:
        return await applied_once(fleet, seed, size, stop)


async def taken_over(directory: Path, seed: int, size: Size) -> Outcome:
    """What a killed daemon held and does not come back for is done by the other within 1.5 times the reclaim time."""
    slowest = 0.0

    async def kill_with_work(fleet: Fleet, n: int) -> None:
        nonlocal slowest
        victim = fleet.daemons[n % 2]
        held = await _stop_with_work(fleet, n % 2)
        victim.kill()
        began = time.monotonic()

        async def settled() -> bool:
            first, last = held[0], held[-1]
            left = {entry for entry, _ in await fleet.redis.xrange(STREAM, first, last)}
            return not left & set(held)

        await eventually(settled, what="what the killed daemon held to be done")
        slowest = max(slowest, time.monotonic() - began)
        await victim.start()

    env = {"CLUSTER_RETRY_IDLE_MS": str(_RECLAIM_MS)}
    async with Fleet(directory, env=env) as fleet:
        outcome = await applied_once(fleet, seed, size, kill_with_work)
    outcome.figures["done by another after, s (reclaim time 2 s)"] = slowest
    outcome.expect_soon("until it is taken over", slowest, 1.5 * _RECLAIM_MS / 1000)
    return outcome


async def _stop_with_work(fleet: Fleet, number: int) -> list[bytes]:
    """SIGSTOP of a daemon in the middle of a batch; the ids of what it holds, in order."""
    victim = fleet.daemons[number]
    held: list[bytes] = []

    async def caught() -> bool:
        os.kill(victim.pid, signal.SIGSTOP)
        await asyncio.sleep(0.005)  # what it has sent by now is carried out
        pending = await fleet.redis.xpending_range(STREAM, GROUP, "-", "+", 1000)
        held[:] = [each["message_id"] for each in pending if f"-{victim.instance}-".encode() in each["consumer"]]
        if not held:
            os.kill(victim.pid, signal.SIGCONT)
        return bool(held)

    await eventually(caught, what="a daemon with work in hand")
    return held
