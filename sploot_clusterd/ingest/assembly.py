"""The ingest side of one process, built from the settings."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sploot_clusterd.config import Settings
from sploot_clusterd.engine import SAMPLE_LIMIT, Params
from sploot_clusterd.health import Health
from sploot_clusterd.ingest.batch import Decoder
from sploot_clusterd.ingest.brake import Brake
from sploot_clusterd.ingest.cache import AlbumCache
from sploot_clusterd.ingest.consumer import Consumer, consumer_names
from sploot_clusterd.ingest.isolation import LoneRuns
from sploot_clusterd.ingest.learning import ProfileLearner
from sploot_clusterd.ingest.leases import Leases
from sploot_clusterd.ingest.planner import Planner
from sploot_clusterd.ingest.processor import Processor
from sploot_clusterd.ingest.profiles import ProfileRegistry
from sploot_clusterd.ingest.reclaim import Reclaimer
from sploot_clusterd.ingest.results import Results
from sploot_clusterd.ingest.scheduling import Compute
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
        profiles = ProfileRegistry.of(self.settings, self.clients, self.keys, self.metrics)
        processor = self._processor(leases, brake, profiles)
        confirmed = asyncio.Event()
        loops: list[Consumer | Reclaimer | Leases | ProfileLearner] = [
            self._consumer(f"consumer-{slot}", name, processor, brake, confirmed) for slot, name in enumerate(names)
        ]
        loops += [self._reclaimer(reclaim_name, names, processor, brake, confirmed), leases]
        if self.settings.profiles.enabled:
            loops.append(ProfileLearner(profiles, self.metrics, self.health, self.stopping))
        yield from ((loop.name, loop.run) for loop in loops)

    def _consumer(
        self, name: str, consumer: str, processor: Processor, brake: Brake, confirmed: asyncio.Event
    ) -> Consumer:
        return Consumer(
            name=name,
            consumer=consumer,
            new_reader=self._reader,
            stream=self.stream,
            processor=processor,
            brake=brake,
            metrics=self.metrics,
            health=self.health,
            name_confirmed=confirmed,
            stopping=self.stopping,
        )

    def _reclaimer(
        self, consumer: str, others: Sequence[str], processor: Processor, brake: Brake, confirmed: asyncio.Event
    ) -> Reclaimer:
        return Reclaimer(
            consumer=consumer,
            living=[*others, consumer],
            stream=self.stream,
            processor=processor,
            brake=brake,
            health=self.health,
            name_confirmed=confirmed,
            stopping=self.stopping,
            retry_idle_ms=self.settings.stream.retry_idle_ms,
        )

    def _processor(self, leases: Leases, brake: Brake, profiles: ProfileRegistry) -> Processor:
        settings = self.settings
        return Processor(
            albums=self._albums(),
            decoder=Decoder(self.compute, settings.limits),
            planner=Planner(self.params, profiles),
            profiles=profiles,
            cache=AlbumCache(settings.albums.cache_bytes, self.metrics),
            leases=leases,
            lone_runs=LoneRuns(self.stream),
            results=Results(self.stream, brake, self.compute, self.metrics, settings.stream.max_attempts),
            compute=self.compute,
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
