"""A real Redis Cluster of three primaries and three replicas, on loopback, and what can be done to it."""

import asyncio
import math
import os
import signal
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, Self

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from sploot_clusterd.partitioning import SLOTS, slot_of
from tests.support.bus import Bus
from tests.support.nodes import Node, free_port
from tests.support.waiting import eventually

SHARDS: Final = 3
_NODES: Final = 2 * SHARDS
_LOGIN: Final = ("replica", "the-replicas-password")
"""By which replicas copy from their primary, so that this can be forbidden them and nobody else."""
_MIGRATE_MS: Final = 5000
_KEYS_A_MOVE: Final = 50
_GIVEN_UP: Final = 6.0
"""Seconds after which a replica that was to take over is not at it any more, as on a busy machine."""
_PATIENCE: Final = 3.0
"""Seconds for a command of the tests' own."""


class Seen(NamedTuple):
    """A node in another one's eyes."""

    id: str
    flags: frozenset[str]
    primary: str
    """Whose replica it is, or `-`."""
    linked: bool
    slots: Sequence[str]
    """Ranges, and in brackets those that are on their way."""


class ClusterNode(Node):
    """One of the six. `bus_port` is where it listens for the others, `met_at` where they look for it."""

    def __init__(self, directory: Path, bus_port: int, met_at: int, *arguments: str) -> None:
        self.bus_port = bus_port
        self.met_at = met_at
        self.id = ""
        name, password = _LOGIN
        may = ("on", f">{password}", "+psync", "+replconf", "+ping")
        announced = () if met_at == bus_port else ("--cluster-announce-bus-port", str(met_at))
        ours = ("--cluster-enabled", "yes", "--cluster-port", str(bus_port), *announced)
        copying = ("--masteruser", name, "--masterauth", password, "--user", name, *may)
        super().__init__(directory, *ours, *copying, *arguments)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def sees(self) -> list[Seen]:
        """All nodes, itself included. Raises RedisError."""
        nodes = await self.ask("CLUSTER NODES")
        return [
            Seen(each["node_id"], frozenset(each["flags"].split(",")), each["master_id"], each["connected"], slots)
            for each in nodes.values()
            for slots in ([*map("-".join, each["slots"]), *map(str, each["migrations"])],)
        ]

    async def is_content(self) -> bool:
        """Whether it believes that the cluster works."""
        info = await self.tells("CLUSTER INFO")
        return bool(info) and info["cluster_state"] == "ok"

    def _client(self) -> Redis:
        """Nothing is sent twice: who wrote has to know what became of it."""
        once = Retry(NoBackoff(), 0)
        return Redis.from_url(f"unix://{self.redis.socket}", protocol=2, retry=once, socket_timeout=_PATIENCE)


class Cluster:
    """`async with Cluster(directory) as cluster` starts it and waits until every node sees every other.

    With `can_be_cut` the nodes' links go through the running event loop, which should not be blocked for long then.
    Nodes are killed by `node.kill()` and come back by `node.start()`.
    """

    def __init__(
        self, directory: Path, *, node_timeout_ms: int = 2000, can_be_cut: bool = False, arguments: Sequence[str] = ()
    ) -> None:
        """`arguments` are more of them for each server."""
        self._directory = directory
        self._bus = Bus() if can_be_cut else None
        self._arguments = (
            *("--cluster-node-timeout", str(node_timeout_ms)),
            *("--cluster-require-full-coverage", "no"),
            *("--cluster-allow-replica-migration", "no"),  # pairs stay pairs
            *arguments,
        )
        self.nodes: list[ClusterNode] = []

    @property
    def url(self) -> str:
        return f"redis://{','.join(node.address for node in self.nodes)}"

    @property
    def env(self) -> dict[str, str]:
        """What leads a daemon here."""
        return {"REDIS_URL": self.url, "REDIS_CLUSTER": "true"}

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None):
        await self.close()

    async def start(self) -> None:
        """Raises AssertionError if it does not form, with what each node sees."""
        for n in range(_NODES):
            bus_port = free_port()
            met_at = await self._bus.listen(bus_port) if self._bus else bus_port
            node = ClusterNode(self._directory / f"n{n}", bus_port, met_at, *self._arguments)
            self.nodes.append(node)
            node.id = (await node.ask("CLUSTER MYID")).decode()
            if self._bus:
                self._bus.name(bus_port, node.id)
        await self._form()

    async def close(self) -> None:
        for node in self.nodes:
            await node.close()
        if self._bus:
            await self._bus.close()

    async def formed(self, timeout: float = 20.0) -> None:
        """Waits until every node sees each primary with one replica, that has its data, and nobody ill."""
        try:
            await eventually(self._is_formed, what="the cluster to be whole", timeout=timeout)
        except AssertionError as error:
            views = [(node.address, await node.tells("CLUSTER NODES")) for node in self.nodes]
            raise AssertionError(f"{error}: {views}") from None

    async def empty(self) -> None:
        for node in await self.primaries():
            await node.ask("FLUSHALL")
            await node.ask("SCRIPT FLUSH")

    async def primary_of(self, place: str | int) -> ClusterNode:
        """Who has this key, or slot, in the eyes of a node that works. Raises LookupError if none says so."""
        slot = slot_of(place) if isinstance(place, str) else place
        for node in self.nodes:
            if not await node.is_content():
                continue
            for first, last, (_, port, *_), *_ in await node.tells("CLUSTER SLOTS") or ():
                if first <= slot <= last:
                    return self.node_at(port)
        raise LookupError(place)

    def node_at(self, port: int) -> ClusterNode:
        return next(node for node in self.nodes if node.port == port)

    async def primaries(self) -> list[ClusterNode]:
        return [node for node in self.nodes if await node.is_primary()]

    async def replica_of(self, primary: ClusterNode) -> ClusterNode:
        seen = {each.id: each for each in await primary.sees()}
        return next(node for node in self.nodes if seen[node.id].primary == primary.id)

    async def fail_over(self, primary: ClusterNode) -> ClusterNode:
        """By CLUSTER FAILOVER, which loses nothing, and again where it was given up; the replica that is it then."""
        replica, ordered_at = await self.replica_of(primary), -math.inf

        async def takes_over() -> bool:
            nonlocal ordered_at
            if not await replica.is_primary() and time.monotonic() - ordered_at > _GIVEN_UP:
                await replica.ask("CLUSTER FAILOVER")
                ordered_at = time.monotonic()
            return await replica.is_primary()

        await eventually(takes_over, what="the replica to take over")
        return replica

    @asynccontextmanager
    async def paused(self, node: ClusterNode) -> AsyncIterator[None]:
        """SIGSTOP: nobody hears of it, and its connections stay open."""
        assert node.redis.pid is not None
        os.kill(node.redis.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(node.redis.pid, signal.SIGCONT)

    @asynccontextmanager
    async def cut_off(self, primary: ClusterNode) -> AsyncIterator[None]:
        """From all other nodes: they hear nothing of it, nor it of them, and its replica gets no more data. Clients
        reach it as before.
        """
        assert self._bus is not None, "can_be_cut"
        await primary.ask("ACL SETUSER", _LOGIN[0], "off")
        await primary.ask("CLIENT KILL", "TYPE", "replica")
        self._bus.cut_off(primary.id)
        try:
            yield
        finally:
            self._bus.join(primary.id)
            await primary.ask("ACL SETUSER", _LOGIN[0], "on")

    async def move(self, slot: int, to: ClusterNode, *, pause: float = 0.0) -> None:
        """The classic way, key by key; `pause` seconds before the keys travel, and when half of them have."""
        source = await self.primary_of(slot)
        if source is to:
            return
        await to.ask("CLUSTER SETSLOT", slot, "IMPORTING", source.id)
        await source.ask("CLUSTER SETSLOT", slot, "MIGRATING", to.id)
        await asyncio.sleep(pause)
        half = await source.ask("CLUSTER COUNTKEYSINSLOT", slot) // 2
        while keys := await source.ask("CLUSTER GETKEYSINSLOT", slot, min(_KEYS_A_MOVE, half or _KEYS_A_MOVE)):
            await source.ask("MIGRATE", "127.0.0.1", to.port, "", 0, _MIGRATE_MS, "KEYS", *keys)
            if half > 0 and (half := half - len(keys)) <= 0:
                await asyncio.sleep(pause)
                half = 0
        for node in (to, source, *(other for other in await self.primaries() if other not in {to, source})):
            await node.ask("CLUSTER SETSLOT", slot, "NODE", to.id)

    async def _form(self) -> None:
        primaries, replicas = self.nodes[:SHARDS], self.nodes[SHARDS:]
        for n, node in enumerate(primaries):
            await node.ask("CLUSTER ADDSLOTSRANGE", n * SLOTS // SHARDS, (n + 1) * SLOTS // SHARDS - 1)
        for n, node in enumerate(self.nodes, 1):
            await node.ask("CLUSTER SET-CONFIG-EPOCH", n)
        for node in self.nodes:
            for other in self.nodes:
                if other is not node:
                    await node.ask("CLUSTER MEET", "127.0.0.1", other.port, other.met_at)
        for replica, primary in zip(replicas, primaries, strict=True):

            async def follows(replica: ClusterNode = replica, primary: ClusterNode = primary) -> bool:
                return bool(await replica.tells("CLUSTER REPLICATE", primary.id))

            await eventually(follows, what="a replica to know its primary")
        await self.formed()

    async def _is_formed(self) -> bool:
        try:
            return all([await self._sees_all(node) for node in self.nodes])
        except RedisError:
            return False

    async def _sees_all(self, node: ClusterNode) -> bool:
        seen = await node.sees()
        kinds = {frozenset({"master"}), frozenset({"slave"})}
        healthy = all(each.flags - {"myself"} in kinds and each.linked for each in seen)
        followed = {each.primary for each in seen} - {"-"}
        owners = {each.id for each in seen if each.slots}
        whole = healthy and len(seen) == _NODES and len(followed) == SHARDS and owners == followed
        return whole and await node.is_content() and (await node.is_primary() or await node.follows())
