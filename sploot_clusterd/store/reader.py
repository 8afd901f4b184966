"""A consumer's own connection: it reads new entries, and can be woken from a blocked read."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from sploot_clusterd.config import StreamSettings
from sploot_clusterd.errors import GroupMissingError
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.store.gateway import Gateway
from sploot_clusterd.store.naming import ConsumerName
from sploot_clusterd.store.stream import Entry, Stream, delivered

if TYPE_CHECKING:
    from sploot_clusterd.store.dedicated import DedicatedConnection

_WAKE_AGAIN: Final = 0.01
_READ_BYTES: Final = 4 * 2**20
_FIRST_COUNT: Final = 8
_LEAST_OF_EACH: Final = 8
"""Of several streams, where entries are small: each stream's are worked on by themselves, and few at a time cost."""
_BEHIND: Final = 2
"""Times as many of one that is behind: its jobs are of few pets, and some of one pet together cost little more."""


class ReadCount:
    """How many entries to ask for, of which nobody knows how large they are: so many as took 4 MiB lately. What is read
    together is decoded together, and waits for that.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self.entries = min(most, _FIRST_COUNT)

    def was_read(self, entries: int, size: int) -> None:
        """So many were, of so many bytes in all."""
        if size > _READ_BYTES:
            self.entries = max(1, entries * _READ_BYTES // size)
        elif entries >= self.entries:  # fewer than were asked for say nothing about more
            self.entries = min(2 * self.entries, _BEHIND * self._most)

    def of_each(self, streams: int, *, behind: bool = False) -> int:
        """The same, divided: Redis gives so many of each stream. `behind`: of one partition of several that is."""
        entries = self.entries if behind else min(self.entries, self._most)
        least = min(_LEAST_OF_EACH, self._most) if entries >= self._most else 1
        return entries if streams == 1 else max(-(-entries // streams), least)


class Read(NamedTuple):
    """New entries of one partition. `is_full`: as many as were asked for, so that there may be more."""

    partition: int
    entries: list[Entry]
    is_full: bool


class Reader:
    """Reads new entries of the partitions' streams for one consumer. Only one read at a time."""

    def __init__(
        self,
        gateway: Gateway,
        streams: Mapping[int, Stream],
        settings: StreamSettings,
        metrics: Metrics,
        *,
        consumer: str,
        look: Callable[[], Awaitable[object]] | None = None,
        name: ConsumerName | None = None,
    ) -> None:
        """`streams` are those of the partitions, by their numbers, all on the server that the gateway's keys are on.
        Where another connection has the consumer's `name`, it is None, and so is `look`.
        """
        self._gateway = gateway
        self._look = look
        self._name = name
        self._streams = streams
        self._group = settings.group
        self._block_ms = settings.read_timeout_ms
        self._deliveries = metrics.deliveries
        self.consumer = consumer
        self._count = ReadCount(settings.read_count)
        self._connection: DedicatedConnection | None = None
        self._client_id = 0
        self._reading = False
        self._reads = 0

    async def open(self) -> None:
        """Connects, takes the consumer's name if it is to, and sees to the groups.

        Raises ConsumerNameTakenError if another live process consumes under this name; StartError as `look`;
        StoreUnavailableError.
        """
        if self._look:  # the pulse tells what it finds; here nothing begins on a server that will not do
            await self._look()
        await self.close()
        self._connection = await self._gateway.dedicated(self._block_ms)
        self._client_id = int(await self._connection.command("upkeep", "CLIENT", "ID"))
        if self._name:
            await self._name.take(self._connection, self._client_id)
        for stream in self._streams.values():
            await stream.ensure_group()

    async def read(
        self, partitions: Sequence[int] = (0,), *, waits: bool = True, behind: bool = False, beside: int = 0
    ) -> list[Read]:
        """New entries of these partitions, as soon as there are some; none after the block time, or when woken, or at
        once where it does not wait. `behind`: there was more of it than was read the last time. `beside`: partitions
        that others read meanwhile, for the same batch.

        Raises StoreUnavailableError. Must not be cancelled: what is on the wire by then would be nobody's for long.
        """
        if self._connection is None:
            raise RuntimeError("not open")
        share = 1 + beside / len(partitions)
        count = self._count.of_each(len(partitions) + beside, behind=behind)
        self._reading = True
        self._reads += 1
        try:
            reply = await self._connection.command("read", *self._command(partitions, count, waits=waits))
        except GroupMissingError:
            for number in partitions:  # flushed or deleted: what comes in from now on is still ours to do
                await self._streams[number].ensure_group()
            return []
        finally:
            self._reading = False
        numbers = {self._streams[number].key.encode(): number for number in partitions}
        read = [
            Read(numbers[stream], [delivered(key, flat) for key, flat in found], len(found) >= count)
            for stream, found in reply or ()
        ]
        entries = [entry for each in read for entry in each.entries]
        self._deliveries.inc(len(entries))
        size = sum(sum(map(len, entry.fields.values())) for entry in entries)
        self._count.was_read(int(share * len(entries)), int(share * size))
        return read

    def _command(self, partitions: Sequence[int], count: int, *, waits: bool) -> tuple[str | int, ...]:
        who, streams = ("GROUP", self._group, self.consumer), [self._streams[number].key for number in partitions]
        how = ("COUNT", count, *(("BLOCK", self._block_ms) if waits else ()))
        return ("XREADGROUP", *who, *how, "STREAMS", *streams, *[">"] * len(streams))

    async def wake(self) -> None:
        """Ends a blocked read: it returns nothing. A read that is not yet blocked is asked again until it is over."""
        if not (self._reading and self._connection):
            return
        this_one = self._reads
        async with self._connection.beside() as beside:
            while self._reading and self._reads == this_one:
                await beside.command("upkeep", "CLIENT", "UNBLOCK", self._client_id)
                await asyncio.sleep(_WAKE_AGAIN)

    async def close(self) -> None:
        if self._connection:
            await self._connection.close()
