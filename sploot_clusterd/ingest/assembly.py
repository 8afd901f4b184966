"""The ingest side of one process, built from the settings."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import Any

from sploot_clusterd.config import Settings
from sploot_clusterd.due import Due
from sploot_clusterd.engine import Params
from sploot_clusterd.health import Health
from sploot_clusterd.ingest.book import Book
from sploot_clusterd.ingest.brake import Brake
from sploot_clusterd.ingest.cache import AlbumCache
from sploot_clusterd.ingest.compute import Compute
from sploot_clusterd.ingest.consumer import Consumer, consumer_names
from sploot_clusterd.ingest.leases import Leases
from sploot_clusterd.ingest.outcomes import Outcomes
from sploot_clusterd.ingest.plan import Planner
from sploot_clusterd.ingest.process import Processor
from sploot_clusterd.ingest.profiles import ProfileKeeper
from sploot_clusterd.ingest.reclaim import Reclaimer
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.store import Store


@dataclass(frozen=True, kw_only=True)
class Ingest:
    """What the loops share with the rest of the process."""

    settings: Settings
    params: Params
    store: Store
    due: Due
    compute: Compute
    metrics: Metrics
    health: Health
    stopping: asyncio.Event

    def root_tasks(self) -> Iterator[tuple[str, Callable[[], Coroutine[Any, Any, None]]]]:
        """Each loop with its name, for the supervisor. To be called once."""
        *names, reclaim_name = consumer_names(self.settings)
        leases = Leases(self.store.stream, self.health, self.stopping, self.settings.stream.retry_idle_ms)
        brake = Brake(self.health)
        profiles = self.settings.profiles
        book = Book(self.store.profiles, sampling=profiles.enabled, moves_per_second=profiles.moves_per_second)
        processor = self._processor(leases, brake, book)
        named = asyncio.Event()
        for slot, name in enumerate(names):
            yield f"consumer-{slot}", self._consumer(name, processor, brake, named).run
        reclaimer = Reclaimer(
            name=reclaim_name,
            living=[*names, reclaim_name],
            stream=self.store.stream,
            processor=processor,
            brake=brake,
            due=self.due,
            health=self.health,
            named=named,
            stopping=self.stopping,
            retry_idle_ms=self.settings.stream.retry_idle_ms,
        )
        yield "reclaim", reclaimer.run
        yield "leases", leases.run
        for name in (*names, reclaim_name):
            self.health.expect(name)
        if profiles.enabled:
            yield "profiles", ProfileKeeper(book, self.metrics, self.health, self.stopping).run

    def _consumer(self, name: str, processor: Processor, brake: Brake, named: asyncio.Event) -> Consumer:
        return Consumer(
            name=name,
            new_reader=self.store.reader,
            stream=self.store.stream,
            processor=processor,
            brake=brake,
            metrics=self.metrics,
            health=self.health,
            named=named,
            stopping=self.stopping,
        )

    def _processor(self, leases: Leases, brake: Brake, book: Book) -> Processor:
        settings = self.settings
        return Processor(
            stream=self.store.stream,
            albums=self.store.albums,
            planner=Planner(self.params, book),
            book=book,
            cache=AlbumCache(settings.albums.cache_bytes, self.metrics),
            leases=leases,
            outcomes=Outcomes(self.store.stream, brake, self.due, self.metrics, settings.stream.max_attempts),
            brake=brake,
            compute=self.compute,
            health=self.health,
            limits=settings.limits,
            metrics=self.metrics,
        )
