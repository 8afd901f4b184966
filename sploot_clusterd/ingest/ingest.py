"""The ingest side of one process: its parts, and the loops that run on them."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Sequence
from functools import partial
from typing import Any, Final

from sploot_clusterd.config import Settings
from sploot_clusterd.due import DueEntries
from sploot_clusterd.engine import Params
from sploot_clusterd.errors import BadJobError, StrayJobError
from sploot_clusterd.halt import Halt
from sploot_clusterd.health import Health
from sploot_clusterd.ingest.attempts import Attempts
from sploot_clusterd.ingest.batch import Decoder
from sploot_clusterd.ingest.brake import Brake
from sploot_clusterd.ingest.cache import AlbumCache
from sploot_clusterd.ingest.consumer import Consumer, consumer_names
from sploot_clusterd.ingest.giving_way import GivingWay
from sploot_clusterd.ingest.isolation import LoneRuns, SharedLock
from sploot_clusterd.ingest.lane_consumer import LaneConsumer, Sharing
from sploot_clusterd.ingest.lanes import Lane
from sploot_clusterd.ingest.learning import ProfileLearner
from sploot_clusterd.ingest.leases import Leases
from sploot_clusterd.ingest.order import Order
from sploot_clusterd.ingest.placement import Placement
from sploot_clusterd.ingest.planner import Planner
from sploot_clusterd.ingest.processor import Processor
from sploot_clusterd.ingest.profiles import ProfileRegistry
from sploot_clusterd.ingest.reclaim import Reclaimer
from sploot_clusterd.ingest.results import Results
from sploot_clusterd.ingest.router import Router
from sploot_clusterd.ingest.scheduling import CommitWindow, Compute
from sploot_clusterd.ingest.shares import Shares
from sploot_clusterd.ingest.spread import SpreadConsumer
from sploot_clusterd.ingest.wakening import Wakening
from sploot_clusterd.ingest.wanting import Wanting
from sploot_clusterd.keys import Layout
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.pauses import Pauses
from sploot_clusterd.spans import OFF, Tracer
from sploot_clusterd.store import Partition, PlainStream, Store, Tenure
from sploot_clusterd.troubles import Troubles

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
        due: list[DueEntries],
        compute: Compute,
        metrics: Metrics,
        health: Health,
        pauses: Pauses,
        halt: Halt,
        stopping: asyncio.Event,
        troubles: Troubles,
        wanting: Wanting | None = None,
        tracer: Tracer = OFF,
    ) -> None:
        """`due` are those of each partition, to which those of more are added; `wanting`: what commits say of insights,
        where they are fetched.
        """
        stream, sampling = settings.stream, settings.profiles.enabled
        self._settings, self._troubles = settings, troubles
        self._metrics, self._health, self._pauses, self._stopping = metrics, health, pauses, stopping
        self.name_confirmed = asyncio.Event()
        self.store = store
        self.brake = Brake(health, most_put_off=min(stream.maxlen // 20, _MOST_PUT_OFF), held=halt.seconds_left)
        self._halt = halt
        self.cache = AlbumCache(settings.albums.cache_bytes, metrics)
        self.leases = Leases(store.partitions[0].stream, health, stopping, stream.retry_idle_ms)
        self.profiles = ProfileRegistry(
            store.profiles, sampling=sampling, moves_per_second=settings.profiles.moves_per_second
        )
        self.learner = (
            ProfileLearner(self.profiles, metrics=metrics, health=health, stopping=stopping, weights=params.weights)
            if sampling
            else None
        )
        self._compute, self._wanting, self._tracer = compute, wanting, tracer
        self._planner = Planner(params, self.profiles, wanting, compute.checkpoint, feeds=settings.feed.enabled)
        self._lock, self._window = SharedLock(), CommitWindow()
        self._due = due
        self.lanes = [self._lane(partition, due[partition.number]) for partition in store.partitions]
        self._lanes_of_slots: list[list[Lane]] = []
        """By consumer, those that it reads where partitions are on several servers."""

    async def follow(self) -> None:
        """Goes by what is recorded of the partitions now: there may be more lanes. Raises StoreUnavailableError."""
        await self.store.follow()
        for partition in self.store.partitions[len(self.lanes) :]:
            if partition.number == len(self._due):  # else the monitor was told of it before
                self._due.append(DueEntries())
            lane = self._lane(partition, self._due[partition.number])
            lane.shut()
            self.lanes.append(lane)
            if self._lanes_of_slots:
                self._lanes_of_slots[lane.number % len(self._lanes_of_slots)].append(lane)

    def _lane(self, partition: Partition, due: DueEntries) -> Lane:
        """What is kept of a partition's entries is apart from other partitions': ids may be alike there."""
        several = len(self.store.partitions) > 1
        leaving = asyncio.Event() if several else self._stopping
        stream, metrics, compute = self._settings.stream, self._metrics, self._compute
        misplaced = partial(_misplaced, self.store.layout, partition.number) if several else None
        decoder = Decoder(compute, self._settings.limits, misplaced)
        order = Order(partition.pending, decoder, metrics, leaving)
        names = consumer_names(self._settings)
        giving_way = None if several else GivingWay(partition.pending, names, stream.read_count, self._stopping)
        results = Results(
            partition.stream,
            brake=self.brake,
            due=due,
            compute=compute,
            metrics=metrics,
            max_attempts=stream.max_attempts,
            troubles=self._troubles,
            wanting=self._wanting,
            take_back=partial(self.store.plain.take_back, partition.keys) if self.store.plain else None,
        )
        attempts = Attempts(
            albums=partition.albums,
            planner=self._planner,
            profiles=self.profiles,
            cache=self.cache,
            order=order,
            results=results,
            window=self._window,
            compute=compute,
            metrics=metrics,
        )
        processor = Processor(
            decoder=decoder,
            attempts=attempts,
            cache=self.cache,
            lease=partial(self.leases.lease, stream=partition.stream),
            order=order,
            lone_runs=LoneRuns(partition.stream),
            results=results,
            shares=Shares(min(stream.maxlen, _MOST_ASIDE)),
            lock=self._lock,
            compute=compute,
            metrics=metrics,
            tracer=self._tracer,
            giving_way=giving_way,
        )
        return Lane(partition.number, partition.stream, processor, due, leaving, giving_way=giving_way)

    def root_tasks(self) -> Iterator[tuple[str, Callable[[], Coroutine[Any, Any, None]]]]:
        """Each loop with its name, for the supervisor. To be called once."""
        *names, reclaim_name = consumer_names(self._settings)
        self._lanes_of_slots = [self.lanes[slot :: len(names)] for slot in range(len(names))]
        consumers: list[Consumer | SpreadConsumer] = [
            self.consumer(f"consumer-{slot}", name)
            if self.store.is_one_server
            else self.spread_consumer(f"consumer-{slot}", name, self._lanes_of_slots[slot])
            for slot, name in enumerate(names)
        ]
        self._halt.at_begin = Wakening(consumers)
        reclaimer = self.reclaimer(reclaim_name, [*names, reclaim_name])
        loops: list[Consumer | SpreadConsumer | Reclaimer | Leases | ProfileLearner | Placement | Router] = [
            *consumers,
            reclaimer,
        ]
        loops.append(self.leases)
        if self.learner:
            loops.append(self.learner)
        if self.store.tenure and self.store.plain:
            loops.append(self._placement(self.store.tenure, consumers, reclaimer))
            loops.append(self._router(self.store.tenure, self.store.plain, f"{names[0]}-router"))
        yield from ((loop.name, loop.run) for loop in loops)

    def _placement(
        self, tenure: Tenure, consumers: Sequence[Consumer | SpreadConsumer], reclaimer: Reclaimer
    ) -> Placement:
        async def reread() -> None:
            await asyncio.gather(*(consumer.reread() for consumer in consumers))

        return Placement(
            tenure=tenure,
            lanes=self.lanes,
            layout=self.store.layout,
            follow=self.follow,
            take_over=reclaimer.take_over,
            reread=reread,
            metrics=self._metrics,
            health=self._health,
            name_confirmed=self.name_confirmed,
            stopping=self._stopping,
        )

    def _router(self, tenure: Tenure, plain: PlainStream, consumer: str) -> Router:
        return Router(
            plain=plain,
            tenure=tenure,
            consumer=consumer,
            metrics=self._metrics,
            health=self._health,
            name_confirmed=self.name_confirmed,
            stopping=self._stopping,
        )

    def consumer(self, name: str, consumer: str) -> Consumer:
        """The loop called `name`, which is called `consumer` in the group."""
        return Consumer(
            name=name,
            consumer=consumer,
            new_reader=self.store.reader,
            lanes=self.lanes,
            brake=self.brake,
            metrics=self._metrics,
            health=self._health,
            name_confirmed=self.name_confirmed,
            stopping=self._stopping,
        )

    def spread_consumer(self, name: str, consumer: str, lanes: Sequence[Lane]) -> SpreadConsumer:
        """As `consumer`, where partitions are on several servers: for these, which no other consumer here reads, as two
        that read few of a partition at a time would have its pets wait for each other.
        """

        def of_lane(lane: Lane, sharing: Sharing) -> LaneConsumer:
            return LaneConsumer(
                lane,
                consumer,
                self.store.reader_of(consumer, lane.number),
                sharing=sharing,
                who=name,
                brake=self.brake,
                metrics=self._metrics,
                pauses=self._pauses,
                progress=partial(self._health.progress, name),
                stopping=self._stopping,
            )

        return SpreadConsumer(
            name=name,
            consumer=consumer,
            held_name=self.store.held_name(consumer),
            new_consumer=of_lane,
            lanes=lanes,
            health=self._health,
            name_confirmed=self.name_confirmed,
            stopping=self._stopping,
        )

    def reclaimer(self, consumer: str, living: list[str]) -> Reclaimer:
        """The reclaim loop, which is called `consumer` in the group; `living` are all names of this process."""
        return Reclaimer(
            consumer=consumer,
            living=living,
            lanes=self.lanes,
            brake=self.brake,
            health=self._health,
            pauses=self._pauses,
            name_confirmed=self.name_confirmed,
            stopping=self._stopping,
            renew=self.leases.renew_all,
            retry_idle_ms=self._settings.stream.retry_idle_ms,
            feed=self.store.feed,
        )


def _misplaced(layout: Layout, partition: int, pet_id: str) -> BadJobError | None:
    """What is wrong with a pet's job in that partition."""
    if layout.number(pet_id) == partition:
        return None
    if layout.placing.ever_placed(pet_id, partition):
        return StrayJobError(pet_id)
    text = f"pet_id {pet_id!r} belongs to another partition than the one that the entry was added to"
    return BadJobError("mismatch", text)
