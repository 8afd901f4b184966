"""Calls on their way: to the nodes of their slots, a pipeline for each node, and on from there as nodes say."""

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from sploot_clusterd.errors import StoreUnavailableError
from sploot_clusterd.partitioning import slot_of
from sploot_clusterd.store.address import Place
from sploot_clusterd.store.cluster.redirection import of_node, paused, redirection
from sploot_clusterd.store.cluster.slot_map import SlotMap
from sploot_clusterd.store.cluster.topology import Topology
from sploot_clusterd.store.connection import ReplyError, pack
from sploot_clusterd.store.reasons import FAILURES, leads_elsewhere
from sploot_clusterd.store.way import Request

_MOST_HOPS: Final = 4
"""Nodes that a call is sent to, one after the other, as each says that it is served elsewhere."""
_ASKING: Final = pack(("ASKING",))


class Route(NamedTuple):
    """Where a call goes. `asking`: its slot is another node's still, and is being moved there."""

    place: Place
    asking: bool = False


class Broken(NamedTuple):
    """In the place of a reply: the node did not answer, and what was asked may have happened."""

    error: StoreUnavailableError
    in_time: bool
    """It was told so at once, and not by waiting for as long as the others may be kept waiting."""


class Exchange:
    """Some calls, and what became of each: in `replies` a reply, an error of the daemon's, or Broken."""

    def __init__(self, topology: Topology, requests: Sequence[Request], patience: float | None) -> None:
        """`patience`: seconds that a node has to answer."""
        self._topology = topology
        self._requests = requests
        self._patience = patience
        self.replies: list[Any] = [None] * len(requests)

    @property
    def broken(self) -> list[int]:
        """Those whose node did not answer, and for which there is time to ask again."""
        return [n for n, reply in enumerate(self.replies) if isinstance(reply, Broken) and reply.in_time]

    async def run(self, these: Iterable[int]) -> None:
        """Sends these of the calls. Raises StoreUnavailableError where no node is known."""
        routes = self._homes(these, await self._topology.current())
        for _ in range(_MOST_HOPS):
            if not routes:
                break
            await self._send_all(routes)
            routes = self._sent_on(routes)
        for of_route in routes.values():
            for n in of_route:  # sent from one to the other: they do not agree yet
                self.replies[n] = paused(self.replies[n])

    def _homes(self, these: Iterable[int], slot_map: SlotMap) -> dict[Route, list[int]]:
        """Where calls go by the map. One whose slot nobody serves goes nowhere."""
        homes: dict[Place, list[int]] = {}
        for n in these:
            slot = slot_of(self._requests[n][0])
            if place := slot_map.owner(slot):
                homes.setdefault(place, []).append(n)
            else:
                self._topology.suspect()
                self.replies[n] = unserved(slot)
        return {Route(place): calls for place, calls in homes.items()}

    async def _send_all(self, routes: Mapping[Route, Sequence[int]]) -> None:
        if len(routes) == 1:
            ((route, these),) = routes.items()
            await self._send(route, these)
        else:
            await asyncio.gather(*(self._send(route, these) for route, these in routes.items()))

    async def _send(self, route: Route, these: Collection[int]) -> None:
        """One pipeline; ASKING, which holds for the one command after it, goes in the same write."""
        packed = [self._requests[n][1] for n in these]
        if route.asking:
            packed = [part for each in packed for part in (_ASKING, each)]
        try:
            replies = await self._replies(route.place, packed)
        except (*FAILURES, StoreUnavailableError) as error:
            self._topology.failed(route.place)
            in_time = self._patience is None or not isinstance(error, TimeoutError)
            broken = Broken(of_node(route.place, error), in_time)
            for n in these:
                self.replies[n] = broken
            return
        self._topology.answered(route.place)
        for n, reply in zip(these, replies[1::2] if route.asking else replies, strict=True):
            self.replies[n] = reply

    async def _replies(self, place: Place, packed: Sequence[bytes]) -> list[Any]:
        pool = self._topology.node(place).pool
        if self._patience is None:  # without a timer, which costs as much as the rest
            return await pool.exchange(b"".join(packed), len(packed))
        async with asyncio.timeout(self._patience):
            return await pool.exchange(b"".join(packed), len(packed))

    def _sent_on(self, routes: Mapping[Route, Sequence[int]]) -> dict[Route, list[int]]:
        """Where those go next that a node did not do, as it said, and others do not wait for."""
        further: dict[Route, list[int]] = {}
        for route, these in routes.items():
            for n in these:
                reply = self.replies[n]
                if not isinstance(reply, ReplyError):
                    continue
                if found := redirection(reply, route.place):
                    place = self._topology.place(found.place)
                    if not found.once:
                        self._topology.move(found.slot, place)
                    further.setdefault(Route(place, found.once), []).append(n)
                elif pause := paused(reply):
                    self._topology.suspect()
                    self.replies[n] = pause
                elif leads_elsewhere(reply):
                    self._topology.suspect()
        return further


def unserved(slot: int) -> StoreUnavailableError:
    """Of a slot that no node has."""
    return StoreUnavailableError(f"no node of the cluster serves slot {slot}")
