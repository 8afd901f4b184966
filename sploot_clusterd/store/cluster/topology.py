"""A cluster's nodes and the map of its slots, looked up again when something says that it is not so any more.

One look at a time, at most one a second however many ask, at a node that answered lately before one that did not: else
each timeout of a sick node would have all that wait for it ask the others for the map, and make them sick.
"""

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from sploot_clusterd.errors import NotClusteredError, StoreUnavailableError
from sploot_clusterd.store.address import Place
from sploot_clusterd.store.cluster.node import Node
from sploot_clusterd.store.cluster.redirection import of_node
from sploot_clusterd.store.cluster.slot_map import SlotMap
from sploot_clusterd.store.connection import ReplyError, pack
from sploot_clusterd.store.reasons import FAILURES, of_reply

_EVERY: Final = 1.0
"""Seconds between looks, at least."""
_PATIENCE: Final = 1.0
"""Seconds that a node has to tell its map, from the first packet on."""
_LOOK: Final = (pack(("CLUSTER", "INFO")), pack(("CLUSTER", "SLOTS")))
_SOUND: Final = b"cluster_state:ok"
_NO_CLUSTER: Final = "ERR This instance has cluster support disabled"


class Topology:
    """One process's picture of it."""

    def __init__(
        self, seeds: Sequence[Place], reached: Mapping[Place, Place], new_node: Callable[[Place], Node]
    ) -> None:
        """`seeds` are asked where no node of the last map answers; `reached`: where nodes are by what they announce."""
        self._seeds = seeds
        self._reached = reached
        self._new_node = new_node
        self._nodes: dict[Place, Node] = {}
        self._map: SlotMap | None = None
        self._silent = set[Place]()
        """Those that did not answer when they were last asked."""
        self._look: asyncio.Task[None] | None = None
        self._next_at = 0.0
        self._closed = False

    @property
    def known(self) -> SlotMap | None:
        """The map as it is; None before the first look."""
        return self._map

    async def current(self) -> SlotMap:
        """The map, looked up if there is none. Raises StoreUnavailableError."""
        self._raise_closed()
        if self._map is None:
            self.suspect()
            if look := self._look:
                await asyncio.wait({look})
                if not look.cancelled() and (error := look.exception()):
                    raise error
        if self._map is None:
            raise StoreUnavailableError
        return self._map

    def node(self, place: Place) -> Node:
        """Raises StoreUnavailableError when all is closed: nothing is opened any more."""
        self._raise_closed()
        node = self._nodes.get(place)
        if node is None:
            node = self._nodes[place] = self._new_node(place)
        return node

    def any_node(self) -> Node:
        """A primary that answered when it was last asked, if there is one."""
        places = sorted(self._map.primaries) if self._map else []
        return self.node(next((place for place in places if place not in self._silent), places[0]))

    def place(self, announced: Place) -> Place:
        """Where a node is reached."""
        return self._reached.get(announced, announced)

    def move(self, slot: int, place: Place) -> None:
        """The slot was said to be served there. The rest of the map is looked at again."""
        if self._map and self._map.owner(slot) != place:
            self._map = self._map.with_owner(slot, place)
            self.suspect()

    def answered(self, place: Place) -> None:
        self._silent.discard(place)

    def failed(self, place: Place) -> None:
        """The node did not answer: its slots may be another one's."""
        self._silent.add(place)
        self.suspect()

    def suspect(self) -> None:
        """The map may be of yesterday: it is looked up again, soon."""
        if self._look is None and not self._closed:
            self._look = asyncio.create_task(self._look_again(), name="look at the cluster's slots")
            self._look.add_done_callback(self._looked)

    async def close(self) -> None:
        self._closed = True
        if self._look:
            self._look.cancel()
            await asyncio.wait({self._look})
        await asyncio.gather(*(node.pool.close() for node in self._nodes.values()))

    def _raise_closed(self) -> None:
        if self._closed:
            raise StoreUnavailableError

    def _looked(self, look: asyncio.Task[None]) -> None:
        self._look = None
        if not look.cancelled():
            look.exception()  # whoever waits for the first map is told; with a map there is another look, if need be

    async def _look_again(self) -> None:
        """Raises StoreUnavailableError where no node tells."""
        clock = asyncio.get_running_loop().time
        await asyncio.sleep(self._next_at - clock())
        self._next_at = clock() + _EVERY * random.uniform(1.0, 1.25)  # noqa: S311 - spreads load
        second_best: SlotMap | None = None
        errors: list[StoreUnavailableError] = []
        for place in self._candidates():
            try:
                is_sound, slot_map = await self._told_by(place)
            except StoreUnavailableError as error:
                errors.append(error)
                continue
            if is_sound:
                break
            second_best = second_best or slot_map  # of a node that is cut off, or of a cluster that lacks some
        else:
            if second_best is None:
                raise next((error for error in errors if isinstance(error, NotClusteredError)), errors[-1])
            slot_map = second_best
        self._map = slot_map.at(self._reached)
        await self._forget_gone(self._map)

    def _candidates(self) -> list[Place]:
        """All that may know, in the order in which they are asked."""
        known = list(self._map.nodes if self._map else ())
        random.shuffle(known)
        known.sort(key=self._silent.__contains__)
        return [*known, *(seed for seed in self._seeds if seed not in known)]

    async def _told_by(self, place: Place) -> tuple[bool, SlotMap]:
        """The map, and whether the node finds the cluster in order. Raises StoreUnavailableError."""
        try:
            async with asyncio.timeout(_PATIENCE):
                connection = await self.node(place).connect(_PATIENCE)
                try:
                    info, slots = await connection.exchange(b"".join(_LOOK), len(_LOOK))
                finally:
                    connection.abort()
        except (*FAILURES, StoreUnavailableError) as error:
            self._silent.add(place)
            raise of_node(place, error) from error
        self._silent.discard(place)
        if isinstance(slots, ReplyError):
            raise _why_untold(place, slots)
        try:
            slot_map = SlotMap.parse(slots, place)
        except (TypeError, ValueError) as error:
            raise StoreUnavailableError(f"redis node {place}: tells of slots as no node of a cluster does") from error
        if not slot_map.owners:
            raise StoreUnavailableError(f"redis node {place}: knows of no node that serves slots")
        return not isinstance(info, ReplyError) and _SOUND in info, slot_map

    async def _forget_gone(self, slot_map: SlotMap) -> None:
        """Closes what leads to nodes that the cluster does not know any more, where nothing is asked of them now."""
        gone = [place for place, node in self._nodes.items() if place not in slot_map.nodes and not node.pool.in_use]
        for place in gone:
            self._silent.discard(place)
            await self._nodes.pop(place).pool.close()


def _why_untold(place: Place, reply: Any) -> StoreUnavailableError:
    if str(reply).startswith(_NO_CLUSTER):
        return NotClusteredError(
            f"redis.cluster is true, and the server at {place} is in no Redis Cluster: set redis.cluster to false, or "
            "name nodes of one in redis.url"
        )
    return of_node(place, of_reply(reply))
