"""Two daemons of eight partitions over a Redis Cluster: what its experiments share."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

import aiohttp
import msgspec

from sploot_clusterd.keys import Keys
from tests.faults.checker import verdict
from tests.faults.fleet import Daemon, Fleet
from tests.faults.harm import PETS, Outcome, Size, harmed
from tests.faults.load import Load
from tests.support.cluster import Cluster, ClusterNode
from tests.support.cluster_client import ClusterClient
from tests.support.waiting import eventually

COUNT: Final = 8
HEALS_WITHIN: Final = 40.0
_LANES: Final = 200
"""Submits under way at a time: those of one shard are not to wait for another's."""
_BESIDE_WITHIN: Final = 5.0
"""Seconds in which a job of a partition is seen while another shard is away, with room for a busy machine."""
_PATIENCE: Final = aiohttp.ClientTimeout(total=12)


@dataclass
class Loss:
    """What Redis may lose of what it answered: of these partitions, from when its replica had all, until `ended`
    (monotonic seconds). The images in `waiting` were in the plain stream then, and may have been moved since.
    """

    partitions: Collection[int]
    waiting: Collection[str]
    began: float
    ended: float = 0.0


@dataclass
class Scene:
    """What harm is done to, and what has been seen of it."""

    fleet: Fleet
    cluster: Cluster
    load: Load
    slowest: float = 0.0
    """Seconds from the end of a harm until all works again."""
    slowest_beside: float = 0.0
    """Seconds that a job of a partition took while another shard was away."""
    losses: list[Loss] = field(default_factory=list)

    @property
    def streams(self) -> Sequence[Keys]:
        """The partitions, and the stream of those who know none."""
        return [*self.fleet.layout.partitions, self.fleet.layout.plain]

    async def victim(self, n: int) -> ClusterNode:
        """A primary with something to lose: one after the other, of each stream."""
        return await self.cluster.primary_of(self.streams[n % len(self.streams)].stream)

    async def begins_to_lose(self, primary: ClusterNode) -> Loss:
        """Once its replica has whatever was answered before: from then on all may be lost of which it has a part."""
        plain = self.fleet.layout.plain.stream
        waiting = [image for _, fields in await self.fleet.redis.xrange(plain) for image in _images(fields[b"payload"])]
        began = time.monotonic()
        homes = await self.homes()
        there = [number for number, home in homes.items() if home is primary]
        has_plain = await self.cluster.primary_of(plain) is primary
        key = plain if has_plain else self.fleet.layout.several[there[0]].tag
        async with primary.client.client() as connection:
            await connection.hset(f"{{{_tag(key)}}}:probe", "probe", 1)
            assert await connection.wait(1, 5000) == 1, "the replica has all that was answered before"
        loss = Loss(homes.keys() if has_plain else there, waiting, began)
        self.losses.append(loss)
        return loss

    async def homes(self) -> dict[int, ClusterNode]:
        """Of each partition, its primary."""
        return {n: await self.cluster.primary_of(keys.stream) for n, keys in enumerate(self.fleet.layout.partitions)}

    async def others_go_on(self, living: Collection[int], harm: Awaitable[object]) -> None:
        """While the harm lasts each daemon takes jobs of these partitions, and their effect is seen."""
        lasting = asyncio.ensure_future(harm)
        try:
            while not lasting.done():
                began = time.monotonic()
                await works(self.fleet, living, timeout=20)
                self.slowest_beside = max(self.slowest_beside, time.monotonic() - began)
            await lasting
        finally:
            lasting.cancel()

    async def recovers(self) -> None:
        """Waits until each daemon takes a job of each partition, and its effect is there."""
        began = time.monotonic()
        await works(self.fleet, range(COUNT), timeout=HEALS_WITHIN)
        self.slowest = max(self.slowest, time.monotonic() - began)


Harm = Callable[[Scene, int], Awaitable[None]]


@asynccontextmanager
async def fleet_on(cluster: Cluster, directory: Path) -> AsyncIterator[Fleet]:
    """Two daemons over this cluster."""
    async with Fleet(directory, daemons=0, partitions=COUNT) as fleet:
        await fleet.redis.aclose()
        fleet.redis = ClusterClient(cluster)  # the test's own producer and checker
        for _ in range(2):
            await fleet.add_daemon({**cluster.env, "CLUSTER_PARTITIONS": str(COUNT)}).start()
        await works(fleet, range(COUNT), timeout=30)
        yield fleet


async def over_cluster(
    directory: Path,
    seed: int,
    size: Size,
    harm: Harm,
    *,
    can_be_cut: bool = False,
    arguments: Sequence[str] = (),
    over_http: float = 0.5,
) -> Outcome:
    """The usual run: each accepted job has its effect once, but for what Redis may have lost."""
    async with (
        Cluster(directory, can_be_cut=can_be_cut, arguments=arguments) as cluster,
        fleet_on(cluster, directory) as fleet,
    ):
        load = Load(fleet, seed, pets=PETS, jobs=size.jobs, rate=size.rate, lanes=_LANES, over_http=over_http)
        scene = Scene(fleet, cluster, load)
        await harmed(load, fleet, seed, size, lambda _, n: harm(scene, n))
        counts = await verdict(fleet, load.ledger, one_history=not scene.losses)
    outcome = Outcome(counts, size.harms, [])
    if scene.slowest:
        outcome.recovers(scene.slowest)
    if scene.slowest_beside:
        took = outcome.figures["a job of other shards takes, s"] = scene.slowest_beside
        outcome.expect_soon("a job of another shard", took, _BESIDE_WITHIN)
    if scene.losses:
        counts.details += [f"lost by Redis: {image}" for image in counts.lost]
        outcome.figures["lost by Redis"] = len(counts.lost)
    outcome.breaches += counts.breaches(never=_excused(scene, counts.lost))
    return outcome


def _excused(scene: Scene, lost: Collection[str]) -> int:
    """How many of these images' jobs Redis may have lost."""
    ledger, number = scene.load.ledger, scene.fleet.layout.number
    partitions = {image: number(pet) for pet, images in ledger.accepted.items() for image in images}
    return sum(
        any(
            partitions[image] in loss.partitions
            and (image in loss.waiting or ledger.under_way([image], [(loss.began, loss.ended)]))
            for loss in scene.losses
        )
        for image in lost
    )


async def works(fleet: Fleet, partitions: Collection[int], *, timeout: float) -> None:
    """Waits until every daemon takes a job of each of these partitions, shows its effect, and is ready."""
    probes = [_probe(fleet, daemon, number, timeout) for daemon in fleet.daemons for number in partitions]
    await asyncio.gather(*probes)


async def answer_to(fleet: Fleet, daemon: Daemon, method: str, pet: str, **more: object) -> int:
    """The status; 0 if there is none. Of a submit, or of a read."""
    path = "cluster-jobs" if method == "POST" else f"pets/{pet}/clusters"
    try:
        async with fleet.http.request(method, f"{daemon.url}/internal/{path}", timeout=_PATIENCE, **more) as answer:
            return answer.status
    except (aiohttp.ClientError, TimeoutError):
        return 0


def job_of(pet: str) -> dict[str, object]:
    return {"pet_id": pet, "payload": {"image_ids": ["probe"]}}


def pet_in(fleet: Fleet, partition: int) -> str:
    """One that the load does not know, and nobody before."""
    while fleet.layout.number(pet := f"probe-{random.getrandbits(60):x}") != partition:
        pass
    return pet


async def _probe(fleet: Fleet, daemon: Daemon, partition: int, timeout: float) -> None:
    pet = pet_in(fleet, partition)

    async def is_answered(method: str, status: int, **more: object) -> bool:
        return await answer_to(fleet, daemon, method, pet, **more) == status

    submitted = partial(is_answered, "POST", 202, json=job_of(pet))
    await eventually(submitted, what=f"a submit of partition {partition}", timeout=timeout)
    await eventually(partial(is_answered, "GET", 200), what=f"a job's effect in partition {partition}", timeout=timeout)


def _images(payload: bytes) -> list[str]:
    return [image["image_id"] for image in msgspec.json.decode(payload)["payload"]["images"]]


def _tag(key: str) -> str:
    """What gives the key its slot."""
    return key[1 : key.index("}")] if key.startswith("{") else key
