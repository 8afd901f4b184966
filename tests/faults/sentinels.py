"""Sentinels promote a replica: because the primary died, or by order; and one of them is silent."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from tests.faults.checker import verdict
from tests.faults.fleet import Fleet
from tests.faults.harm import PETS, Outcome, Size, harmed, recovered, stopped
from tests.faults.load import Load
from tests.support.nodes import Node, Watched
from tests.support.waiting import eventually

_MOST_CONNECTIONS = 50
"""Of two daemons at one server: twice a pool of 20, and what blocks."""
_DOWN_AFTER_MS = 300
_NEVER_DOWN_MS = 60_000
"""For where servers only change roles by order: on a busy machine one may say nothing for 300 ms, and live."""
_AT_ONCE = 1.0
"""Seconds within which all work again where only a Sentinel is silent."""

Harm = Callable[[Fleet, Watched, Node], Awaitable[None]]
"""Given the primary."""


@asynccontextmanager
async def fleet_over(
    directory: Path, *, quick: bool = True, down_after_ms: int = _DOWN_AFTER_MS
) -> AsyncIterator[tuple[Fleet, Watched]]:
    """Two daemons that are led by Sentinels."""
    watched = Watched(directory, down_after_ms=down_after_ms)
    try:
        watched.wait_until_seen(quick=quick)
        async with Fleet(directory, daemons=0) as fleet:
            await fleet.redis.aclose()
            fleet.redis = watched.primary().client  # the test's own producer and checker
            for _ in range(2):
                await fleet.add_daemon(watched.env).start()
            yield fleet, watched
            for daemon in fleet.daemons:  # before what they are connected to
                daemon.kill()
    finally:
        await watched.close()


async def primary_killed(directory: Path, seed: int, size: Size) -> Outcome:
    """Kill -9. What Redis acknowledged since its replica was last known to have all may be lost, and nothing else."""
    spans: list[tuple[float, float]] = []

    async def kill(fleet: Fleet, watched: Watched, primary: Node) -> None:
        began = time.monotonic()
        await primary.client.set("probe", "probe")
        assert await primary.client.wait(1, 5000) == 1, "the replica has all that was answered before"
        primary.kill()
        spans.append((began, time.monotonic()))
        await _promoted(fleet, watched, watched.other(primary))

    async def restart(primary: Node, now: Node) -> None:
        primary.start_as_replica(now)

    outcome, load = await _failed_over(directory, seed, size, kill, restart)
    return _excused(outcome, load, spans)


async def handed_over(directory: Path, seed: int, size: Size) -> Outcome:
    """FAILOVER at the primary: nothing is lost. Sentinels hear of it half a minute later, so it is done once a run."""
    took = 0.0
    async with fleet_over(directory, quick=False) as (fleet, watched):

        async def harm(fleet: Fleet, _: int) -> None:
            nonlocal took
            primary = watched.primary()
            await primary.client.execute_command("FAILOVER")
            await _promoted(fleet, watched, watched.other(primary), named=False)
            took = await recovered(fleet)
            assert watched.primary() is primary, "the daemons were not led by the Sentinels"

        load = Load(fleet, seed, pets=PETS, jobs=size.jobs, rate=size.rate)
        await harmed(load, fleet, seed, size, harm)
        counts = await verdict(fleet, load.ledger, one_history=False)
    outcome = Outcome(counts, size.harms, counts.breaches())
    outcome.recovers(took)
    return outcome


async def ordered(directory: Path, seed: int, size: Size) -> Outcome:
    """SENTINEL FAILOVER: the former primary is told late, and what it takes until then is lost. Nothing else is."""
    spans: list[tuple[float, float]] = []

    async def order(fleet: Fleet, watched: Watched, primary: Node) -> None:
        began = time.monotonic()
        await eventually(lambda: watched.sentinels[0].leaves(primary), what="an order to be carried out", timeout=30)
        await _promoted(fleet, watched, watched.other(primary))
        await eventually(primary.has_no_readers, what="daemons to leave the former primary")
        spans.append((began, time.monotonic()))

    outcome, load = await _failed_over(directory, seed, size, order, down_after_ms=_NEVER_DOWN_MS)
    return _excused(outcome, load, spans)


async def one_silent(directory: Path, seed: int, size: Size) -> Outcome:
    """The first Sentinel is stopped, and every connection to the primary is closed: each is opened again at once."""
    slowest = 0.0
    async with fleet_over(directory) as (fleet, watched):

        async def harm(fleet: Fleet, _: int) -> None:
            nonlocal slowest
            async with stopped(watched.sentinels[0].pid):
                await watched.primary().client.client_kill_filter(_type="normal")
                slowest = max(slowest, await recovered(fleet))

        load = Load(fleet, seed, pets=PETS, jobs=size.jobs, rate=size.rate)
        await harmed(load, fleet, seed, size, harm)
        counts = await verdict(fleet, load.ledger)
    outcome = Outcome(counts, size.harms, counts.breaches())
    outcome.figures["works again after, s"] = slowest
    outcome.expect_soon("until all works again", slowest, _AT_ONCE)
    return outcome


async def _failed_over(
    directory: Path,
    seed: int,
    size: Size,
    fail_over: Harm,
    restart: Callable[[Node, Node], Awaitable[None]] | None = None,
    *,
    down_after_ms: int = _DOWN_AFTER_MS,
) -> tuple[Outcome, Load]:
    """Each time the other server becomes the primary, and the one of before its replica."""
    slowest, most = 0.0, 0
    async with fleet_over(directory, down_after_ms=down_after_ms) as (fleet, watched):

        async def harm(fleet: Fleet, _: int) -> None:
            nonlocal slowest, most
            primary = watched.primary()
            now = watched.other(primary)
            await fail_over(fleet, watched, primary)
            slowest = max(slowest, await recovered(fleet))
            most = max(most, len(await now.tells("CLIENT LIST") or ()))
            if restart:
                await restart(primary, now)
            await eventually(primary.follows, what="the former primary to follow", timeout=30)
            await eventually(lambda: watched.ready_again(now), what="sentinels to see what is", timeout=30)

        load = Load(fleet, seed, pets=PETS, jobs=size.jobs, rate=size.rate)
        await harmed(load, fleet, seed, size, harm)
        counts = await verdict(fleet, load.ledger, one_history=False)
    outcome = Outcome(counts, size.harms, [], {"connections, most": most})
    outcome.recovers(slowest)
    outcome.expect(most <= _MOST_CONNECTIONS, f"{most} connections")
    return outcome, load


def _excused(outcome: Outcome, load: Load, spans: list[tuple[float, float]]) -> Outcome:
    """What Redis lost in these spans is named, and no breach."""
    outcome.verdict.details += [f"lost by Redis: {image}" for image in outcome.verdict.lost]
    outcome.figures["lost by Redis"] = len(outcome.verdict.lost)
    outcome.breaches += outcome.verdict.breaches(never=load.ledger.under_way(outcome.verdict.lost, spans))
    return outcome


async def _promoted(fleet: Fleet, watched: Watched, now: Node, *, named: bool = True) -> None:
    """Waits until the other one is the primary, and Sentinels say so if they are to."""

    async def is_so() -> bool:
        return await now.is_primary() and (not named or watched.primary() is now)

    await eventually(is_so, what="the replica to take over", timeout=30)
    fleet.redis = now.client
