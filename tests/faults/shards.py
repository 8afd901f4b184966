"""Servers of a Redis Cluster die, hand over, stand still, or are cut off from the others, under load."""

import asyncio
import time
from functools import partial
from pathlib import Path

from tests.faults.clusters import COUNT, HEALS_WITHIN, Scene, answer_to, job_of, over_cluster, pet_in
from tests.faults.harm import Outcome, Size, kill, wait_for_harm
from tests.support.cluster import ClusterNode
from tests.support.waiting import eventually

_DEAD_FOR = 5.0
"""Seconds: longer than others take to agree that it is dead."""
_PAUSE = 4.0
"""Seconds: twice the time after which the others promote its replica."""


async def kill_storm(directory: Path, seed: int, size: Size) -> Outcome:
    """Kill -9 of a daemon, now of the one, now of the other."""

    async def harm(scene: Scene, n: int) -> None:
        await kill(scene.fleet, n)

    return await over_cluster(directory, seed, size, harm)


async def primary_killed(directory: Path, seed: int, size: Size) -> Outcome:
    """Kill -9. What Redis answered since its replica was last known to have all may be lost, and nothing else."""

    async def harm(scene: Scene, n: int) -> None:
        primary = await scene.victim(n)
        replica, living = await scene.cluster.replica_of(primary), await _beside(scene, primary)
        loss = await scene.begins_to_lose(primary)
        primary.kill()
        loss.ended = time.monotonic()
        await scene.others_go_on(living, _takes_over(replica))
        await scene.recovers()
        primary.start()
        await scene.cluster.formed(HEALS_WITHIN)

    return await over_cluster(directory, seed, size, harm)


async def handed_over(directory: Path, seed: int, size: Size) -> Outcome:
    """CLUSTER FAILOVER: nothing is lost."""

    async def harm(scene: Scene, n: int) -> None:
        await scene.cluster.fail_over(await scene.victim(n))
        await scene.recovers()
        await scene.cluster.formed(HEALS_WITHIN)

    return await over_cluster(directory, seed, size, harm)


async def paused(directory: Path, seed: int, size: Size) -> Outcome:
    """SIGSTOP of a primary until its replica has taken over; what it takes when it wakes up is lost."""

    async def harm(scene: Scene, n: int) -> None:
        primary = await scene.victim(n)
        replica, living = await scene.cluster.replica_of(primary), await _beside(scene, primary)
        loss = await scene.begins_to_lose(primary)
        async with scene.cluster.paused(primary):
            await scene.others_go_on(living, asyncio.gather(_takes_over(replica), wait_for_harm(_PAUSE)))
        await scene.cluster.formed(HEALS_WITHIN)
        loss.ended = time.monotonic()
        await scene.recovers()

    return await over_cluster(directory, seed, size, harm)


async def cut_off(directory: Path, seed: int, size: Size) -> Outcome:
    """A primary that no other server hears, and all clients do: what it takes until it knows is lost."""

    async def harm(scene: Scene, n: int) -> None:
        primary = await scene.victim(n)
        replica, living = await scene.cluster.replica_of(primary), await _beside(scene, primary)
        loss = await scene.begins_to_lose(primary)
        async with scene.cluster.cut_off(primary):
            await scene.others_go_on(living, asyncio.gather(_takes_over(replica), _gives_up(primary)))
            loss.ended = time.monotonic()
            await scene.recovers()
        await scene.cluster.formed(HEALS_WITHIN)

    return await over_cluster(directory, seed, size, harm, can_be_cut=True)


async def shard_lost(directory: Path, seed: int, size: Size) -> Outcome:
    """A primary and its replica are dead: the other two go on, and 503 is what is answered of its pets alone."""
    wrong: list[str] = []

    async def harm(scene: Scene, n: int) -> None:
        primary = await scene.victim(n)
        pair = [primary, await scene.cluster.replica_of(primary)]
        living = await _beside(scene, primary)
        for node in reversed(pair):  # the replica first, or it would take over
            node.kill()
        dead = [number for number in range(COUNT) if number not in living]
        await scene.others_go_on(living, _are_refused(scene, dead, wrong))
        for node in pair:
            node.start()
        await scene.cluster.formed(HEALS_WITHIN)
        await scene.recovers()

    outcome = await over_cluster(directory, seed, size, harm, arguments=("--appendfsync", "always"))
    outcome.expect(not wrong, f"of a dead shard's pets: {wrong}")
    return outcome


async def _beside(scene: Scene, primary: ClusterNode) -> list[int]:
    """The partitions that are another one's."""
    return [number for number, home in (await scene.homes()).items() if home is not primary]


async def _are_refused(scene: Scene, dead: list[int], wrong: list[str]) -> None:
    """For a while reads and submits of these partitions' pets are answered 503; daemons stay ready for the others'."""
    until = time.monotonic() + _DEAD_FOR
    while time.monotonic() < until:
        for daemon in scene.fleet.daemons:
            for number in dead:
                pet = pet_in(scene.fleet, number)
                for method, more in (("GET", {}), ("POST", {"json": job_of(pet)})):
                    if (status := await answer_to(scene.fleet, daemon, method, pet, **more)) != 503:
                        wrong.append(f"{method} in partition {number}: {status}")
            status, reasons = await scene.fleet.readiness(daemon)
            if status != 200:
                wrong.append(f"/readyz: {status} {reasons}")


async def _takes_over(replica: ClusterNode) -> None:
    await eventually(replica.is_primary, what="the replica to take over", timeout=HEALS_WITHIN)


async def _gives_up(primary: ClusterNode) -> None:
    async def does(primary: ClusterNode) -> bool:
        return not await primary.is_content()

    await eventually(partial(does, primary), what="it to know that it is alone", timeout=HEALS_WITHIN)
