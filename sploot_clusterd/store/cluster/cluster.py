"""The way to a cluster: calls go to the nodes of their slots, side by side, and what one node does not do concerns only
the calls about its slots.

Nothing is sent again but what was certainly not done, as the node said so, and what may happen twice. Where a slot is
under way, or its node is gone, the calls about it fail: their partition pauses.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from sploot_clusterd.config import RedisSettings, redis_url
from sploot_clusterd.errors import StoreUnavailableError
from sploot_clusterd.partitioning import slot_of
from sploot_clusterd.store.address import Place, address_of
from sploot_clusterd.store.cluster.exchange import Broken, Exchange, unserved
from sploot_clusterd.store.cluster.node import Node
from sploot_clusterd.store.cluster.redirection import of_node, paused, redirection
from sploot_clusterd.store.cluster.topology import Topology
from sploot_clusterd.store.connection import ReplyError
from sploot_clusterd.store.reasons import FAILURES, of_reply
from sploot_clusterd.store.way import Request

_ASK_PATIENCE: Final = 2.0
"""Seconds for a node to say something of itself."""


class Cluster:
    """One process's way to a cluster."""

    is_one = False

    def __init__(self, settings: RedisSettings) -> None:
        address = address_of(settings)
        url = redis_url.location(settings.url.reveal())
        seeds = [Place(*node) for node in url.nodes] or [Place(address.host, address.port)]
        reached = dict(map(_address_pair, settings.cluster_addresses or ()))
        self._repeats = settings.retry_on_timeout
        self._topology = Topology(seeds, reached, lambda place: Node(place, address, settings, self._explained))

    async def exchange(
        self, requests: Sequence[Request], *, again: bool = False, patience: float | None = None
    ) -> list[Any]:
        exchange = Exchange(self._topology, requests, patience)
        await exchange.run(range(len(requests)))
        if again and self._repeats and (broken := exchange.broken):
            await exchange.run(broken)
        replies = [reply.error if isinstance(reply, Broken) else reply for reply in exchange.replies]
        if replies and all(isinstance(reply, StoreUnavailableError) for reply in replies):
            raise replies[0]
        return replies

    async def server(self, key: str) -> Node:
        slot = slot_of(key)
        place = (await self._topology.current()).owner(slot)
        if place is None:
            self._topology.suspect()
            raise unserved(slot)
        return self._topology.node(place)

    def suspect(self, key: str) -> None:
        """Nothing is closed: connections that broke are, and the others lead to nodes that are there."""
        del key
        self._topology.suspect()

    def place(self, key: str) -> str:
        slot_map = self._topology.known
        return str(slot_map.owner(slot_of(key)) if slot_map else None)

    async def servers(self, *, primaries: bool = False) -> list[str]:
        slot_map = await self._topology.current()
        return sorted(map(str, slot_map.primaries if primaries else slot_map.nodes))

    async def ask(self, server: str, packed: bytes) -> Any:
        nodes = (await self._topology.current()).nodes
        place = next((place for place in nodes if str(place) == server), None)
        if server and place is None:
            raise StoreUnavailableError(f"redis node {server}: is in the cluster no more")
        node = self._topology.node(place) if place else self._topology.any_node()
        try:
            async with asyncio.timeout(_ASK_PATIENCE):
                (reply,) = await node.pool.exchange(packed)
        except (*FAILURES, StoreUnavailableError) as error:
            self._topology.failed(node.place)
            raise of_node(node.place, error) from error
        return reply

    async def followed(self) -> str:
        return ""

    async def close(self) -> None:
        await self._topology.close()

    def _explained(self, place: Place, error: Exception) -> Exception:
        """What a connection to the node came to, which may tell that slots have moved."""
        if not isinstance(error, ReplyError):
            self._topology.failed(place)
            return of_node(place, error)
        if (found := redirection(error, place)) and not found.once:
            self._topology.move(found.slot, self._topology.place(found.place))
        self._topology.suspect()
        return paused(error) or of_reply(error)


def _address_pair(text: str) -> tuple[Place, Place]:
    """What a node announces, and where it is reached."""
    announced, reached = (Place(*redis_url.place(each, redis_url.PORT)) for each in text.split("="))
    return announced, reached
