"""The store as the rooms above open it: one way to Redis, and what it is used for."""

from collections.abc import Sequence
from typing import Self

from sploot_clusterd.config import Settings
from sploot_clusterd.errors import StoreUnavailableError
from sploot_clusterd.keys import Keys, Layout
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.partitioning import Placing
from sploot_clusterd.store import scripts
from sploot_clusterd.store.agreement import Agreement
from sploot_clusterd.store.audit_trail import AuditTrail
from sploot_clusterd.store.backfills import Backfills
from sploot_clusterd.store.charge import Charge
from sploot_clusterd.store.feed import Feed
from sploot_clusterd.store.finder import Finder
from sploot_clusterd.store.fleet_beats import FleetBeats
from sploot_clusterd.store.fleet_letters import FleetLetters
from sploot_clusterd.store.fleet_pause import FleetPause
from sploot_clusterd.store.fleet_profiles import FleetProfiles
from sploot_clusterd.store.gateway import Call, Gateway
from sploot_clusterd.store.inspection import KeyFault, faults
from sploot_clusterd.store.job_states import JobStates
from sploot_clusterd.store.letter_search import LetterSearch
from sploot_clusterd.store.marks import Marks
from sploot_clusterd.store.move import Move
from sploot_clusterd.store.naming import ConsumerName, HeldName
from sploot_clusterd.store.partition import Partition, open_partitions, share, stats_of
from sploot_clusterd.store.pictures import Pictures
from sploot_clusterd.store.plain import PlainStream
from sploot_clusterd.store.profiles import ProfileStore
from sploot_clusterd.store.reader import Reader
from sploot_clusterd.store.recorded import Recorded
from sploot_clusterd.store.server import Finding, Servers
from sploot_clusterd.store.stream import Stats
from sploot_clusterd.store.tenure import Tenure
from sploot_clusterd.store.untold import Untold
from sploot_clusterd.store.views import ViewStore
from sploot_clusterd.store.wants import Wants


class Store:
    """All that one process does at Redis. Connects when it is first asked for something."""

    def __init__(self, gateway: Gateway, layout: Layout, settings: Settings, metrics: Metrics) -> None:
        """`gateway` has the keys of the first partition."""
        self.gateway = gateway
        self.layout = layout
        self._settings = settings
        self._metrics = metrics
        self._servers = Servers(gateway, in_cluster=settings.redis.cluster)
        self._agreement = Agreement(gateway.at(layout.plain), settings)
        self.recorded = Recorded(gateway.at(layout.plain), layout, settings.stream.group)
        self.feed = Feed(gateway, layout, settings.feed, metrics) if settings.feed.enabled else None
        self._count = len(layout.partitions)
        """What the settings give the stream is divided by it, until the process is started again."""
        self.partitions = self._opened(layout.partitions)
        """The list grows where there come to be more."""
        self._streams = {partition.number: partition.stream for partition in self.partitions}
        maxlen = share(settings, len(self.partitions)).stream.maxlen
        self.views = ViewStore(
            *(gateway, layout, settings.stream.group, metrics),
            maxlen=maxlen,
            follow=self.follow,
            feeds=settings.feed.enabled,
            remembers=settings.history.url is not None,
            jobs_life=settings.jobs.ttl_seconds,
        )
        self.profiles = ProfileStore(gateway) if layout.is_one else FleetProfiles(gateway, layout)
        self.letters = FleetLetters(gateway, layout, most_jobs=maxlen, jobs_life=settings.jobs.ttl_seconds)
        self.letter_search = LetterSearch(self.letters, layout, self.follow)
        self.jobs = JobStates(gateway, layout, self.follow)
        self.finder = Finder(gateway, layout, self.letters, self.follow)
        self.pause = FleetPause(gateway, layout)
        self.audit = AuditTrail(gateway, layout)
        self.beats = FleetBeats(gateway, layout)
        self.wants = Wants(gateway, layout, most_jobs=maxlen)
        self.untold = Untold(gateway, layout)
        self.backfills = Backfills(gateway, layout)
        self.tenure = None if layout.is_one else Tenure(gateway, layout, settings)
        self.charge = Charge(gateway, layout, settings, self.tenure)
        self.plain = None if layout.is_one else PlainStream(gateway, layout, settings, metrics)
        """Both only where there are several partitions."""

    @classmethod
    def open(cls, settings: Settings, metrics: Metrics) -> Self:
        stream = settings.stream
        layout = Layout(settings.clusters.namespace, stream.key, stream.dead_letter, stream.partitions)
        return cls(Gateway(settings.redis, layout.partitions[0], metrics), layout, settings, metrics)

    def of(self, pet_id: str) -> Partition:
        """The pet's partition."""
        return self.partitions[self.layout.number(pet_id)]

    def pictures(self, number: int) -> Pictures:
        """Of the pets of a partition."""
        return Pictures(self.gateway.at(self.partitions[number].keys))

    def marks(self, number: int) -> Marks:
        """What a partition holds beside its pets."""
        return Marks(self.gateway.at(self.partitions[number].keys), self.layout)

    @property
    def is_one_server(self) -> bool:
        """Whether all partitions are on one, so that they can be read together."""
        return self.gateway.is_one_server

    def reader(self, consumer: str) -> Reader:
        """A connection of the consumer's own, for all partitions; to be closed by whom it is given to."""
        name = ConsumerName(self._settings.stream.group, consumer)
        settings, metrics = self._settings.stream, self._metrics
        return Reader(self.gateway, self._streams, settings, metrics, consumer=consumer, look=self.look, name=name)

    def reader_of(self, consumer: str, number: int) -> Reader:
        """As `reader`, for one partition, where they may be on several servers. The consumer's name is held apart."""
        partition = self.partitions[number]
        way, streams = self.gateway.at(partition.keys), {number: partition.stream}
        return Reader(way, streams, self._settings.stream, self._metrics, consumer=consumer)

    def held_name(self, consumer: str) -> HeldName:
        """The consumer's name, for those that read with `reader_of`; to be closed by whom it is given to."""
        ways = [self.gateway.at(partition.keys) for partition in self.partitions]
        return HeldName(ways, self.look, ConsumerName(self._settings.stream.group, consumer))

    async def look(self) -> list[Finding]:
        """What is wrong with the servers, and what other processes go by that differs. Raises StartError for what the
        daemon does not start with.
        """
        findings = await self._servers.look()
        self._go_by(await self.recorded.look())
        return [*findings, *await self._agreement.look()]

    async def check_partitions(self) -> None:
        """For who only looks or sends. Raises StartError where what is stored has another number of partitions."""
        self._go_by(await self.recorded.check())

    async def follow(self) -> None:
        """Goes by what is recorded of the partitions now, where there are several: there may be more of them then.
        Raises StartError, StoreUnavailableError.
        """
        if not self.layout.is_one:
            self._go_by(await self.recorded.check())

    def _go_by(self, placing: Placing) -> None:
        if self.layout.is_one:
            return
        self.layout.follow(placing)
        new = self.layout.partitions[len(self.partitions) :]
        self.partitions += self._opened(new)
        self._streams |= {partition.number: partition.stream for partition in self.partitions}

    def _opened(self, of: Sequence[Keys]) -> list[Partition]:
        return open_partitions(self.gateway, of, self._count, self._settings, self._metrics, feed=self.feed)

    async def others(self) -> list[str]:
        """Processes that work on what is stored, or did within the last minutes. Raises StoreUnavailableError."""
        return await self._agreement.others()

    def move(self, placing: Placing) -> Move:
        """Changes the number of partitions as the record with a target says."""
        return Move(self.gateway, self.recorded, self._settings, self._metrics, placing)

    async def stats(self) -> list[Stats | StoreUnavailableError]:
        """Each partition's figures, in one round trip, and of one whose server does not give them why. Raises
        StoreUnavailableError where none does.
        """
        return await stats_of(self.gateway, self.layout, self._settings.stream.group)

    async def followed_primary(self) -> str:
        """Leaves a server that is the primary no more by the Sentinels' account. Host and port of the one that is;
        empty where the settings name the server. Raises StoreUnavailableError.
        """
        return await self.gateway.followed_primary()

    async def leave(self) -> None:
        """This process is about to end: others need not agree with it."""
        await self._agreement.leave()

    async def inspect(self) -> list[KeyFault]:
        """What is wrong with the keys that pets share; a stream that is full of its ids is made anew where it is empty.
        Raises StoreUnavailableError.
        """
        partitions = tuple(self.partitions)  # there may be more meanwhile
        names = [_inspected(partition.keys) for partition in partitions]
        calls = [Call({}, each, partition.keys) for each, partition in zip(names, partitions, strict=True)]
        states = await self.gateway.run_each(scripts.INSPECT, calls)
        found: list[KeyFault] = []
        for partition, each, state in zip(partitions, names, states, strict=True):
            if not isinstance(state, Exception):  # of one that is away its figures tell
                found += await self._mended(partition, [*faults(partition.keys, each, state)])
        return found

    async def _mended(self, partition: Partition, found: list[KeyFault]) -> list[KeyFault]:
        """What is left to be mended by others."""
        keys = partition.keys
        if any(fault.key == keys.stream for fault in found) and await partition.stream.remake():
            return await self.gateway.at(keys).inspect(_inspected(keys))
        return found

    async def close(self) -> None:
        await self.gateway.close()


def _inspected(keys: Keys) -> list[str]:
    """What all pets of a partition share, but for what no job needs: the learner tells of that."""
    return [key for key in keys.shared if key != keys.learning]
