"""One node of a cluster: where it is, and the connections to it."""

from collections.abc import Callable
from dataclasses import replace

from sploot_clusterd.config import RedisSettings
from sploot_clusterd.store.address import Address, Place
from sploot_clusterd.store.connection import Connection
from sploot_clusterd.store.way import pool_of


class Node:
    """Has a pool of its own: who waits for one node keeps nobody from another."""

    def __init__(
        self,
        place: Place,
        like: Address,
        settings: RedisSettings,
        explain: Callable[[Place, Exception], Exception],
    ) -> None:
        """Login and TLS are `like` those of all nodes; `explain` is told what connections apart came to."""
        self.place = place
        self._address = replace(like, host=place.host, port=place.port)
        self._explain = explain
        self.pool = pool_of(self.connect, settings)

    async def connect(self, patience: float) -> Connection:
        """Raises as the address does."""
        return await self._address.connect(patience)

    def explained(self, error: Exception) -> Exception:
        return self._explain(self.place, error)
