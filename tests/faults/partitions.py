"""Daemons over several partitions are killed: what moves between streams and processes counts as ever."""

import asyncio
import time
from functools import partial
from pathlib import Path

from tests.faults.checker import verdict
from tests.faults.fleet import Daemon, Fleet
from tests.faults.harm import GROUP, PETS, Outcome, Size, applied_once, harmed, kill, stopped, wait_for_harm
from tests.faults.load import Load
from tests.faults.order import Names, outcome_of
from tests.support.waiting import eventually

_COUNT = 8
_RECLAIM_MS = 2000
_LEASE_MS = 1000
_SLOWEST = 100
"""Jobs a second, with two cores; of those that may end the process, and so are run one by one, it was 1 to 20."""


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


async def exchanged(directory: Path, seed: int, size: Size) -> Outcome:
    """What the one daemon reads is the other's, time and again, while much is pending: so it is on a machine that is
    too busy to keep leases. What is claimed from the other, and claimed back before it was run, ended nobody.
    """
    async with Fleet(directory, partitions=_COUNT) as fleet:
        load = Load(fleet, seed, pets=PETS, jobs=size.jobs, rate=size.rate, over_http=0.0)
        async with stopped(fleet.daemons[0].pid), stopped(fleet.daemons[1].pid):
            load.start()
            ledger = await load.ended()
        await eventually(partial(_both_read, fleet), what="both daemons to read", timeout=60)
        for _ in range(size.harms):
            await _exchange_owners(fleet)
            await wait_for_harm(0.5)
        left = sum([await fleet.redis.xlen(keys.stream) for keys in (fleet.layout.plain, *fleet.layout.partitions)])
        took = await fleet.settled()
        counts = await verdict(fleet, ledger)
    outcome = Outcome(counts, size.harms, counts.breaches())
    outcome.figures["left at the last exchange, jobs"] = left
    outcome.figures["and settled after, s"] = took
    outcome.expect_soon("until what was left was settled", took, 1 + left / _SLOWEST)
    return outcome


async def taken_over(directory: Path, seed: int, size: Size) -> Outcome:
    """What a killed daemon read is read, and what it held done, within 1.5 times the reclaim time."""
    slowest = 0.0

    async def kill_for_good(fleet: Fleet, n: int) -> None:
        nonlocal slowest
        victim = fleet.daemons[n % 2]
        await eventually(partial(_reads, fleet, victim, _COUNT // 2), what="the victim to have its share", timeout=60)
        theirs = await _read_by(fleet, victim)
        victim.kill()
        began = time.monotonic()

        async def done() -> bool:
            return not await _read_by(fleet, victim) and not await _held_by(fleet, victim, theirs)

        await eventually(done, what="what the killed daemon had to be others'")
        slowest = max(slowest, time.monotonic() - began)
        await victim.start()

    env = {"CLUSTER_RETRY_IDLE_MS": str(_RECLAIM_MS)}
    async with Fleet(directory, env=env, partitions=_COUNT) as fleet:
        outcome = await applied_once(fleet, seed, size, kill_for_good)
    outcome.figures["others' after, s (reclaim time 2 s)"] = slowest
    outcome.expect_soon("until it is taken over", slowest, 1.5 * _RECLAIM_MS / 1000)
    return outcome


async def joined(directory: Path, seed: int, size: Size) -> Outcome:
    """A third daemon joins two and leaves again: no job waits for over a second."""
    longest, over = 0.0, asyncio.Event()

    async def harm(fleet: Fleet, n: int) -> None:
        third = fleet.daemons[2]
        await third.start()
        await eventually(partial(_reads, fleet, third, _COUNT // 3), what="the third to have its share", timeout=60)
        assert await asyncio.to_thread(third.stop) == 0

    async def watch(fleet: Fleet) -> None:
        nonlocal longest
        while not over.is_set():
            longest = max(longest, await _oldest(fleet))
            await asyncio.sleep(0.02)

    async with Fleet(directory, partitions=_COUNT, env={"CLUSTER_RETRY_IDLE_MS": "60000"}) as fleet:
        fleet.add_daemon({"CLUSTER_PARTITIONS": str(_COUNT), "CLUSTER_RETRY_IDLE_MS": "60000"})
        await eventually(partial(_reads, fleet, fleet.daemons[0], 1), what="a partition to be read")
        load = Load(fleet, seed, pets=PETS, jobs=size.jobs, rate=size.rate, doors=fleet.daemons[:2])
        watching = asyncio.create_task(watch(fleet))
        await harmed(load, fleet, seed, size, harm)
        over.set()
        await watching
        counts = await verdict(fleet, load.ledger)
    outcome = Outcome(counts, size.harms, counts.breaches())
    outcome.figures["longest wait of a job, s"] = longest
    outcome.expect_soon("a job waited", longest, 1.0)
    return outcome


async def _read_by(fleet: Fleet, daemon: Daemon) -> list[int]:
    """The partitions that the daemon reads."""
    owners = await asyncio.gather(*(fleet.redis.get(keys.owner) for keys in fleet.layout.several))
    names = [(owner or b"").decode().partition(" ")[0] for owner in owners]
    return [n for n, name in enumerate(names) if name.endswith(f"-{daemon.instance}")]


async def _both_read(fleet: Fleet) -> bool:
    return all([await _read_by(fleet, daemon) for daemon in fleet.daemons])


async def _exchange_owners(fleet: Fleet) -> None:
    """Each of the two has in hand what the other had."""
    keys = [each.owner for each in fleet.layout.several]
    owners = await asyncio.gather(*map(fleet.redis.get, keys))
    both = {owner for owner in owners if owner}
    pipe = fleet.redis.pipeline()
    for key, owner in zip(keys, owners, strict=True):
        for other in both - {owner}:
            pipe.set(key, other, px=_LEASE_MS)
    await pipe.execute()


async def _reads(fleet: Fleet, daemon: Daemon, least: int) -> bool:
    return len(await _read_by(fleet, daemon)) >= least


async def _held_by(fleet: Fleet, daemon: Daemon, partitions: list[int]) -> bool:
    """Whether entries of these partitions are pending in its hands."""
    for n in partitions:
        for consumer in await fleet.redis.xinfo_consumers(fleet.layout.partitions[n].stream, GROUP):
            if f"-{daemon.instance}-" in consumer["name"].decode() and consumer["pending"]:
                return True
    return False


async def _oldest(fleet: Fleet) -> float:
    """Seconds since the oldest unsettled job came."""
    seconds, micros = await fleet.redis.time()
    pipe = fleet.redis.pipeline(transaction=False)
    for keys in (fleet.layout.plain, *fleet.layout.partitions):
        pipe.xrange(keys.stream, count=1)
    first = [int(entries[0][0].split(b"-")[0]) for entries in await pipe.execute() if entries]
    return seconds + micros / 1e6 - min(first) / 1000 if first else 0.0
