"""Slots of a Redis Cluster move to other primaries under load; what moves entries between slots is killed; and whether
a pet's jobs keep their order in all that.
"""

from pathlib import Path

from sploot_clusterd.partitioning import slot_of
from tests.faults.clusters import HEALS_WITHIN, Scene, fleet_on, over_cluster
from tests.faults.fleet import Daemon
from tests.faults.harm import Outcome, Size, harmed, kill
from tests.faults.order import Names, outcome_of
from tests.support.cluster import Cluster, ClusterNode
from tests.support.waiting import eventually

_UNDER_WAY = 0.5
"""Seconds for which a slot is on its way before its keys travel, and again when half of them have."""
_AT_ONCE = 0.05


async def away_and_back(directory: Path, seed: int, size: Size) -> Outcome:
    """A partition's slot, or the plain stream's, with all that reads and blocks there."""

    async def harm(scene: Scene, n: int) -> None:
        home = await scene.victim(n)
        for to in (await _another(scene, home, n), home):
            await scene.cluster.move(_slot(scene, n), to, pause=_UNDER_WAY)
            await scene.recovers()

    return await over_cluster(directory, seed, size, harm)


async def redirected(directory: Path, seed: int, size: Size) -> Outcome:
    """Slots are on their way all the time, now this one, now that: ASK, TRYAGAIN and MOVED without end."""

    async def harm(scene: Scene, n: int) -> None:
        for step in range(len(scene.streams)):
            home = await scene.victim(step)
            await scene.cluster.move(_slot(scene, step), await _another(scene, home, n + step), pause=_AT_ONCE)

    return await over_cluster(directory, seed, size, harm)


async def router_killed(directory: Path, seed: int, size: Size) -> Outcome:
    """Kill -9 of whoever moves the plain stream's entries, again and again, while nothing comes another way."""

    async def harm(scene: Scene, n: int) -> None:
        victim = await _router(scene)
        victim.kill()
        await victim.start()

    return await over_cluster(directory, seed, size, harm, over_http=0.0)


async def in_order(directory: Path, seed: int, size: Size) -> Outcome:
    """A daemon is killed, a replica takes over by order, a slot is moved, in turn; each job shows what came before it.

    All go by the plain stream.
    """

    async def harm(scene: Scene, n: int) -> None:
        if n % 3 == 0:
            await kill(scene.fleet, n // 3)
        elif n % 3 == 1:
            await scene.cluster.fail_over(await scene.victim(n))
            await scene.cluster.formed(HEALS_WITHIN)
        else:
            home = await scene.victim(n)
            await scene.cluster.move(_slot(scene, n), await _another(scene, home, n), pause=_AT_ONCE)

    async with Cluster(directory) as cluster, fleet_on(cluster, directory) as fleet:
        load = Names(fleet, seed, jobs=size.jobs, rate=size.rate, over_http=0.0)
        await load.sow()
        scene = Scene(fleet, cluster, load)
        await harmed(load, fleet, seed, size, lambda _, n: harm(scene, n))
        return await outcome_of(fleet, load, size)


async def _another(scene: Scene, than: ClusterNode, n: int) -> ClusterNode:
    others = [node for node in await scene.cluster.primaries() if node is not than]
    return others[n % len(others)]


def _slot(scene: Scene, n: int) -> int:
    return slot_of(scene.streams[n % len(scene.streams)].stream)


async def _router(scene: Scene) -> Daemon:
    """Once there is one."""
    found: list[Daemon] = []

    async def is_there() -> bool:
        holder = (await scene.fleet.redis.get(scene.fleet.layout.several[0].router) or b"").decode().partition(" ")[0]
        found[:] = [daemon for daemon in scene.fleet.daemons if holder.endswith(f"-{daemon.instance}")]
        return bool(found)

    await eventually(is_there, what="a router", timeout=HEALS_WITHIN)
    return found[0]
