"""The ingest side of one process, built from the settings."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import Any

from sploot_clusterd.config import Settings
from sploot_clusterd.engine import SAMPLE_LIMIT, Params
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
from sploot_clusterd.store import AlbumStore, Clients, Keys, Reader, Stream


@dataclass(frozen=True, kw_only=True)
class Ingest:
    """What the loops share with the rest of the process."""

    settings: Settings
    params: Params
    clients: Clients
    keys: Keys
    stream: Stream
    compute: Compute
    metrics: Metrics
    health: Health
    stopping: asyncio.Event

    def root_tasks(self) -> Iterator[tuple[str, Callable[[], Coroutine[Any, Any, None]]]]:
        """Each loop with its name, for the supervisor. To be called once."""
        *names, reclaim_name = consumer_names(self.settings)
        leases = Leases(self.stream, self.health, self.stopping, self.settings.stream.retry_idle_ms)
        brake = Brake(self.health)
        book = Book.of(self.settings, self.clients, self.keys, self.metrics)
        processor = self._processor(leases, brake, book)
        named = asyncio.Event()
        for slot, name in enumerate(names):
            yield f"consumer-{slot}", self._consumer(name, processor, brake, named).run
        reclaimer = Reclaimer(
            name=reclaim_name,
            living=[*names, reclaim_name],
            stream=self.stream,
            processor=processor,
            brake=brake,
            health=self.health,
            named=named,
            stopping=self.stopping,
            retry_idle_ms=self.settings.stream.retry_idle_ms,
        )
        yield "reclaim", reclaimer.run
        yield "leases", leases.run
        for name in (*names, reclaim_name):
            self.health.expect(name)
        if self.settings.profiles.enabled:
            yield "profiles", ProfileKeeper(book, self.metrics, self.health, self.stopping).run

    def _consumer(self, name: str, processor: Processor, brake: Brake, named: asyncio.Event) -> Consumer:
        return Consumer(
            name=name,
            new_reader=self._reader,
            stream=self.stream,
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
            stream=self.stream,
            albums=self._albums(),
            planner=Planner(self.params, book),
            book=book,
            cache=AlbumCache(settings.albums.cache_bytes, self.metrics),
            leases=leases,
            outcomes=Outcomes(self.stream, brake, self.metrics, settings.stream.max_attempts),
            brake=brake,
            compute=self.compute,
            health=self.health,
            limits=settings.limits,
            metrics=self.metrics,
        )

    def _albums(self) -> AlbumStore:
        settings = self.settings
        return AlbumStore(
            self.clients,
            self.keys,
            self.metrics,
            group=settings.stream.group,
            view_seconds=settings.clusters.ttl_seconds,
            album_seconds=settings.albums.ttl_seconds,
            most_sampled=SAMPLE_LIMIT,
            retry_reads=settings.redis.retry_on_timeout,
        )

    def _reader(self, consumer: str) -> Reader:
        stream = self.settings.stream
        return Reader(
            self.clients,
            self.stream,
            self.keys,
            self.metrics,
            consumer=consumer,
            count=stream.read_count,
            block_ms=stream.read_timeout_ms,
        )
