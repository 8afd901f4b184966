"""One node of a cluster: where it is, and the connections to it."""

from dataclasses import replace
from typing import Self

from sploot_clusterd.config import RedisSettings
from sploot_clusterd.store.address import Address, Place
from sploot_clusterd.store.connection import Connection
from sploot_clusterd.store.way import pool_of


class Node:
    """Has a pool of its own: who waits for one node keeps nobody from another."""

    def __init__(self, place: Place, address: Address, settings: RedisSettings) -> None:
        self.place = place
        self._address = address
        self.pool = pool_of(self, settings)

    @classmethod
    def at(cls, place: Place, like: Address, settings: RedisSettings) -> Self:
        """Login and TLS are the same for all nodes."""
        return cls(place, replace(like, host=place.host, port=place.port), settings)

    async def connect(self, patience: float) -> Connection:
        """Raises as the address does."""
        return await self._address.connect(patience)
