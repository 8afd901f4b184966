"""The store as the rooms above open it: one way to Redis, and what it is used for."""

from typing import Self

from sploot_clusterd.config import Settings
from sploot_clusterd.keys import Keys
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.store.agreement import Agreement
from sploot_clusterd.store.albums import AlbumStore
from sploot_clusterd.store.backfills import Backfills
from sploot_clusterd.store.gateway import Gateway
from sploot_clusterd.store.inspection import KeyFault
from sploot_clusterd.store.letters import Letters
from sploot_clusterd.store.pending import PendingEntries
from sploot_clusterd.store.profiles import ProfileStore
from sploot_clusterd.store.reader import Reader
from sploot_clusterd.store.server import Finding, Server
from sploot_clusterd.store.stream import Stream
from sploot_clusterd.store.untold import Untold
from sploot_clusterd.store.views import ViewStore
from sploot_clusterd.store.wants import Wants


class Store:
    """All that one process does at Redis. Connects when it is first asked for something."""

    def __init__(self, gateway: Gateway, settings: Settings, metrics: Metrics) -> None:
        self.gateway = gateway
        self._settings = settings
        self._metrics = metrics
        self._server = Server(gateway)
        self._agreement = Agreement(gateway, settings)
        self.stream = Stream(gateway, settings.stream, metrics)
        self.pending = PendingEntries(gateway, settings.stream.group)
        self.albums = AlbumStore(gateway, settings)
        self.views = ViewStore(gateway, self.stream, metrics, maxlen=settings.stream.maxlen)
        self.profiles = ProfileStore(gateway)
        self.letters = Letters(gateway, most_jobs=settings.stream.maxlen)
        self.wants = Wants(gateway, most_jobs=settings.stream.maxlen)
        self.untold = Untold(gateway)
        self.backfills = Backfills(gateway)

    @classmethod
    def open(cls, settings: Settings, metrics: Metrics) -> Self:
        keys = Keys(settings.clusters.namespace, settings.stream.key, settings.stream.dead_letter)
        return cls(Gateway(settings.redis, keys, metrics), settings, metrics)

    def reader(self, consumer: str) -> Reader:
        """A connection of the consumer's own; to be closed by whom it is given to."""
        return Reader(self.gateway, self.look, self.stream, self._settings.stream, self._metrics, consumer=consumer)

    async def look(self) -> list[Finding]:
        """What is wrong with the server, and what other processes go by that differs. Raises StartError for what the
        daemon does not start with.
        """
        return [*await self._server.look(), *await self._agreement.look()]

    async def followed_primary(self) -> str:
        """Leaves a server that is the primary no more by the Sentinels' account. Host and port of the one that is;
        empty where the settings name the server. Raises StoreUnavailableError.
        """
        return await self.gateway.followed_primary()

    async def leave(self) -> None:
        """This process is about to end: others need not agree with it."""
        await self._agreement.leave()

    async def inspect(self) -> list[KeyFault]:
        """What is wrong with the keys that all pets share; a stream that is full of its ids is made anew where it is
        empty. Raises StoreUnavailableError.
        """
        keys = self.gateway.keys
        names = [key for key in keys.shared if key != keys.learning]  # which no job needs: the learner tells of it
        faults = await self.gateway.inspect(names)
        if any(fault.key == keys.stream for fault in faults) and await self.stream.remake():
            return await self.gateway.inspect(names)
        return faults

    async def close(self) -> None:
        await self.gateway.close()
