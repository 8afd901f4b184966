"""The ingest side of one process: its parts, and the loops that run on them."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, Final

from sploot_clusterd.config import Settings
from sploot_clusterd.due import DueEntries
from sploot_clusterd.engine import Params
from sploot_clusterd.health import Health
from sploot_clusterd.ingest.attempts import Attempts
from sploot_clusterd.ingest.batch import Decoder
from sploot_clusterd.ingest.brake import Brake
from sploot_clusterd.ingest.cache import AlbumCache
from sploot_clusterd.ingest.consumer import Consumer, consumer_names
from sploot_clusterd.ingest.isolation import LoneRuns
from sploot_clusterd.ingest.learning import ProfileLearner
from sploot_clusterd.ingest.leases import Leases
from sploot_clusterd.ingest.order import Order
from sploot_clusterd.ingest.planner import Planner
from sploot_clusterd.ingest.processor import Processor
from sploot_clusterd.ingest.profiles import ProfileRegistry
from sploot_clusterd.ingest.reclaim import Reclaimer
from sploot_clusterd.ingest.results import Results
from sploot_clusterd.ingest.scheduling import Compute
from sploot_clusterd.ingest.shares import Shares
from sploot_clusterd.ingest.wanting import Wanting
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.store import Store

_MOST_PUT_OFF: Final = 500
"""Bad jobs of pets that have many; less where 20 times as many would not find room in the stream."""
_MOST_ASIDE: Final = 5000
"""Jobs beyond their pets' shares that wait in the stream while others are read."""


class Ingest:
    """What the loops share, built from the settings; `root_tasks` makes the loops."""

    def __init__(
        self,
        *,
        settings: Settings,
        params: Params,
        store: Store,
        due: DueEntries,
        compute: Compute,
        metrics: Metrics,
        health: Health,
        stopping: asyncio.Event,
        wanting: Wanting | None = None,
    ) -> None:
        """`wanting`: what commits say of insights, where they are fetched."""
        stream, sampling = settings.stream, settings.profiles.enabled
        self._settings = settings
        self._metrics, self._health, self._stopping = metrics, health, stopping
        self.name_confirmed = asyncio.Event()
        self.store = store
        self.due = due
        self.brake = Brake(health, most_put_off=min(stream.maxlen // 20, _MOST_PUT_OFF))
        self.cache = AlbumCache(settings.albums.cache_bytes, metrics)
        self.leases = Leases(store.stream, health, stopping, stream.retry_idle_ms)
        self.profiles = ProfileRegistry(
            store.profiles, sampling=sampling, moves_per_second=settings.profiles.moves_per_second
        )
        self.learner = (
            ProfileLearner(self.profiles, metrics=metrics, health=health, stopping=stopping, weights=params.weights)
            if sampling
            else None
        )
        decoder = Decoder(compute, settings.limits)
        order = Order(store.pending, decoder, metrics, stopping)
        results = Results(
            store.stream,
            brake=self.brake,
            due=due,
            compute=compute,
            metrics=metrics,
            max_attempts=stream.max_attempts,
            wanting=wanting,
        )
        attempts = Attempts(
            albums=store.albums,
            planner=Planner(params, self.profiles, wanting, compute.checkpoint),
            profiles=self.profiles,
            cache=self.cache,
            order=order,
            results=results,
            compute=compute,
            metrics=metrics,
        )
        self.processor = Processor(
            decoder=decoder,
            attempts=attempts,
            cache=self.cache,
            leases=self.leases,
            order=order,
            lone_runs=LoneRuns(store.stream),
            results=results,
            shares=Shares(min(stream.maxlen, _MOST_ASIDE)),
            compute=compute,
            metrics=metrics,
        )

    def root_tasks(self) -> Iterator[tuple[str, Callable[[], Coroutine[Any, Any, None]]]]:
        """Each loop with its name, for the supervisor. To be called once."""
        *names, reclaim_name = consumer_names(self._settings)
        loops: list[Consumer | Reclaimer | Leases | ProfileLearner] = [
            self.consumer(f"consumer-{slot}", name) for slot, name in enumerate(names)
        ]
        loops += [self.reclaimer(reclaim_name, [*names, reclaim_name]), self.leases]
        if self.learner:
            loops.append(self.learner)
        yield from ((loop.name, loop.run) for loop in loops)

    def consumer(self, name: str, consumer: str) -> Consumer:
        """The loop called `name`, which is called `consumer` in the group."""
        return Consumer(
            name=name,
            consumer=consumer,
            new_reader=self.store.reader,
            stream=self.store.stream,
            processor=self.processor,
            brake=self.brake,
            metrics=self._metrics,
            health=self._health,
            name_confirmed=self.name_confirmed,
            stopping=self._stopping,
        )

    def reclaimer(self, consumer: str, living: list[str]) -> Reclaimer:
        """The reclaim loop, which is called `consumer` in the group; `living` are all names of this process."""
        return Reclaimer(
            consumer=consumer,
            living=living,
            stream=self.store.stream,
            processor=self.processor,
            brake=self.brake,
            due=self.due,
            health=self._health,
            name_confirmed=self.name_confirmed,
            stopping=self._stopping,
            retry_idle_ms=self._settings.stream.retry_idle_ms,
        )
