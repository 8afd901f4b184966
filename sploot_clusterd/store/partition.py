"""One partition of the stream: its entries, the albums of its pets, and its figures."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Final, NamedTuple

from sploot_clusterd.config import Settings
from sploot_clusterd.errors import StoreUnavailableError
from sploot_clusterd.keys import Keys, Layout
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.model import SAMPLE_LIMIT
from sploot_clusterd.store import scripts
from sploot_clusterd.store.albums import AlbumStore
from sploot_clusterd.store.feed import Feed
from sploot_clusterd.store.gateway import Call, Gateway
from sploot_clusterd.store.pending import PendingEntries
from sploot_clusterd.store.stream import Stats, Stream

_SAMPLED_ABOVE_SHARE: Final = 4
_LEAST_SAMPLED: Final = 64
"""Images of a partition's sample: four times its share, for the lowest of all are not spread evenly."""


class Partition(NamedTuple):
    """What is done at Redis for the pets of one partition. With one, that is all pets."""

    number: int
    keys: Keys
    stream: Stream
    pending: PendingEntries
    albums: AlbumStore


def open_partitions(
    gateway: Gateway, of: Sequence[Keys], count: int, settings: Settings, metrics: Metrics, *, feed: Feed | None
) -> list[Partition]:
    """Those with these keys, over one way to Redis. Each has its share, of `count`, of what the settings give the
    stream.
    """
    settings, sampled = share(settings, count), sampled_in_each(count)
    partitions = []
    for keys in of:
        way = gateway.at(keys)
        stream = Stream(way, settings.stream, metrics, feeds=feed is not None, jobs_life=settings.jobs.ttl_seconds)
        pending = PendingEntries(way, settings.stream.group)
        trim = partial(feed.trim, keys.partition) if feed else None
        albums = AlbumStore(way, settings, most_sampled=sampled, trim=trim)
        partitions.append(Partition(keys.partition, keys, stream, pending, albums))
    return partitions


def share(settings: Settings, count: int) -> Settings:
    """The settings as one of so many partitions has them: its part of what jobs, dead letters and events may take."""
    stream = settings.stream
    wholes = stream.maxlen, stream.dead_letter_bytes, settings.feed.bytes
    maxlen, letter_bytes, feed_bytes = (-(-whole // count) for whole in wholes)
    return replace(
        settings,
        stream=replace(stream, maxlen=maxlen, dead_letter_bytes=letter_bytes),
        feed=replace(settings.feed, bytes=feed_bytes),
    )


def sampled_in_each(count: int) -> int:
    """Images that make a full sample of one of so many partitions."""
    return min(SAMPLE_LIMIT, max(_LEAST_SAMPLED, -(-_SAMPLED_ABOVE_SHARE * SAMPLE_LIMIT // count)))


async def stats_of(gateway: Gateway, layout: Layout, group: str) -> list[Stats | StoreUnavailableError]:
    """Each partition's figures, in one round trip, and of one whose server does not give them why. Raises
    StoreUnavailableError where none does.
    """
    calls = [Call({"group": group}, keys=keys, more_keys=(keys.erasing,)) for keys in layout.partitions]
    replies = await gateway.run_each(scripts.STATS, calls)
    return [reply if isinstance(reply, StoreUnavailableError) else Stats(*reply) for reply in replies]
