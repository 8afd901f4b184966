"""The web's half of the store: one read for a view, one script call for a submit, both shared by concurrent callers."""

import itertools
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Final, NamedTuple

import msgspec

from sploot_clusterd.errors import BacklogFullError, BadStateError, PartitionMovedError, StoreUnavailableError
from sploot_clusterd.keys import Layout
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.store import scripts
from sploot_clusterd.store.coalesce import Coalescer
from sploot_clusterd.store.erasure import Erasure
from sploot_clusterd.store.gateway import Call, Gateway
from sploot_clusterd.store.partition import stats_of

_VIEWS_A_READ: Final = 128
_JOBS_A_SUBMIT: Final = 64
_BYTES_A_SUBMIT: Final = 2**20
"""A script call holds up every other client of Redis: what takes longer than a few ms is cut into several."""


class _Owned(msgspec.Struct):
    """What every view has, also those of the service before this one."""

    pet_id: str
    clusters: list[msgspec.Raw]


_owned: Final = msgspec.json.Decoder(_Owned)


class _Submit(NamedTuple):
    """A job's envelope. To which partition it goes is told when it is sent: that may change while it waits."""

    pet_id: str
    payload: bytes

    def weight(self) -> int:
        return len(self.payload)


class ViewStore:
    """Views for readers, and the front door of the stream's partitions."""

    def __init__(
        self,
        gateway: Gateway,
        layout: Layout,
        group: str,
        metrics: Metrics,
        *,
        maxlen: int,
        follow: Callable[[], Awaitable[None]],
    ) -> None:
        """`maxlen` is how many unsettled entries a partition may hold; `follow` has the layout go by what is recorded
        of it.
        """
        self._gateway = gateway
        self._layout = layout
        self._group = group
        self._maxlen = maxlen
        self._follow = follow
        self._refused = metrics.backlog_refused
        self._erasure = Erasure(gateway, layout)
        self._views = Coalescer(self._read_views, most=_VIEWS_A_READ)
        self._submits = Coalescer(self._submit, most=_JOBS_A_SUBMIT, weigh=_Submit.weight, heaviest=_BYTES_A_SUBMIT)

    async def view(self, pet_id: str) -> bytes | None:
        """The stored view, or None. Raises StoreUnavailableError, BadStateError if a text is there that is no view."""
        stored = await self._views(pet_id)
        if stored is not None and not _is_of(pet_id, stored):
            raise BadStateError(
                f"{self._layout.of(pet_id).view(pet_id)} holds what is no view of the pet: invalidate the view; the "
                "pet's next job that changes anything writes it again"
            )
        return stored

    async def submit(self, pet_id: str, payload: bytes) -> None:
        """Adds a job's envelope to the pet's partition.

        Raises BacklogFullError or PartitionMovedError, having added nothing, or StoreUnavailableError: then the job may
        or may not have been accepted, and submitting it again is harmless.
        """
        reply = await self._submits(_Submit(pet_id, payload))
        if isinstance(reply, PartitionMovedError) and await self._is_placed_anew():
            reply = await self._submits(_Submit(pet_id, payload))
        if refused := self._refusal(pet_id, reply):
            self._refused.inc(isinstance(refused, BacklogFullError))
            raise refused

    async def submit_all(self, jobs: Sequence[tuple[str, bytes]]) -> Sequence[Exception | None]:
        """Adds envelopes of pets in their order, many in a round trip. For each None, or the error that `submit` would
        raise.

        After the first that a partition does not take it takes none: a later job must not come before an earlier one
        of its pet that is sent again.
        """
        await self._know()
        asked = [_Submit(*job) for job in jobs]
        closed: dict[int, Exception] = {}
        outcomes: list[Exception | None] = []
        for batch in _batches(asked):
            partitions = [self._layout.number(pet_id) for pet_id, _ in batch]
            shut = {*closed}
            sent = [each for each, partition in zip(batch, partitions, strict=True) if partition not in shut]
            try:
                entries = iter(await self._submit(sent) if sent else ())
            except StoreUnavailableError as error:
                rest = asked[len(outcomes) :]
                outcomes += [closed.get(self._layout.number(pet_id), error) for pet_id, _ in rest]
                break
            for each, partition in zip(batch, partitions, strict=True):
                if partition not in shut and (refused := self._refusal(each.pet_id, next(entries))):
                    closed.setdefault(partition, refused)
                outcomes.append(closed.get(partition))
        self._refused.inc(sum(isinstance(outcome, BacklogFullError) for outcome in outcomes))
        return outcomes

    async def has_album(self, pet_id: str) -> bool:
        """Whether there is an album of the pet. Raises StoreUnavailableError."""
        await self._follow()
        for keys in self._layout.places(pet_id):
            if await self._gateway.at(keys).read("view", "EXISTS", keys.pet(pet_id).album):
                return True
        return False

    async def invalidate(self, pet_id: str) -> bool:
        """Drops the view; True if there was one. The album stays. Raises StoreUnavailableError."""
        if self._layout.is_one:
            return bool(await self._gateway.command("view", "UNLINK", self._gateway.keys.view(pet_id)))
        await self._know()
        return bool(await self._gateway.at(self._layout.of(pet_id)).run(scripts.DROP_VIEW, pet_id=pet_id))

    async def erase(self, pet_id: str) -> bool:
        """Removes all that is kept of a pet, its dead letters too; True if there was anything.

        Jobs accepted before it will not bring the pet back. Raises StoreUnavailableError: then ask again.
        """
        await self._know()
        return await self._erasure.erase(pet_id)

    async def ping(self) -> float:
        """Milliseconds of a round trip. Raises StoreUnavailableError, also where the consumer group is missing."""
        began = time.perf_counter()
        await self._gateway.ask_server(self._gateway.keys.stream, "PING")
        took = (time.perf_counter() - began) * 1000
        figures = await stats_of(self._gateway, self._layout, self._group)
        for keys, stats in zip(self._layout.partitions, figures, strict=False):
            if stats.pending < 0:
                raise StoreUnavailableError(
                    f"the consumer group {self._group} is missing on {keys.stream}: is a consumer running?"
                )
        return took

    def _full(self, partition: int) -> BacklogFullError:
        where = "" if self._layout.is_one else f" of partition {partition}"
        return BacklogFullError(f"the backlog{where} is full: {self._maxlen} jobs are waiting")

    async def _read_views(self, pet_ids: Sequence[str]) -> Sequence[bytes | None]:
        if self._layout.is_one:
            return list(await self._gateway.read("view", "MGET", *map(self._gateway.keys.view, pet_ids)))
        keys = [self._layout.several[self._layout.number(pet_id)] for pet_id in pet_ids]
        commands = [
            (each, ("MGET", each.view(pet_id), each.layout)) for each, pet_id in zip(keys, pet_ids, strict=True)
        ]
        expected = [each.goes_by.encode() for each in keys]
        replies = await self._gateway.read_each("view", commands)
        return [
            stored if stored is not None or (number or b"1") == goes_by else await self._moved_view(pet_id)
            for pet_id, goes_by, (stored, number) in zip(pet_ids, expected, replies, strict=True)
        ]

    async def _moved_view(self, pet_id: str) -> bytes | None:
        """Of a pet that is in motion, or was: it is put into its new place before it is taken from the old one."""
        await self._follow()
        for keys in self._layout.places(pet_id):
            (stored,) = await self._gateway.at(keys).read("view", "MGET", keys.view(pet_id))
            if stored is not None:
                return bytes(stored)
        return None

    async def _submit(self, jobs: Sequence[_Submit]) -> Sequence[bytes | Exception]:
        """Per job its entry's id, empty where its partition was full; or why that did not take it."""
        await self._know()
        partitions = [self._layout.number(pet_id) for pet_id, _ in jobs]
        payloads: dict[int, list[bytes]] = {}
        for partition, (_, payload) in zip(partitions, jobs, strict=True):
            payloads.setdefault(partition, []).append(payload)
        calls = [
            Call({"most": self._maxlen, "payloads": each}, keys=self._layout.partitions[partition])
            for partition, each in payloads.items()
        ]
        replies = await self._gateway.run_for_pets(scripts.SUBMIT, calls)
        for reply in replies:
            if isinstance(reply, Exception) and not isinstance(reply, PartitionMovedError):
                raise reply
        ids = {
            partition: itertools.repeat(reply) if isinstance(reply, Exception) else iter(reply)
            for partition, reply in zip(payloads, replies, strict=True)
        }
        return [next(ids[partition]) for partition in partitions]

    async def _know(self) -> None:
        """Nothing is sent by a number of partitions that is only set."""
        if not self._layout.is_known:
            await self._follow()

    async def _is_placed_anew(self) -> bool:
        """Whether pets are placed otherwise than we knew."""
        before = self._layout.placing
        await self._follow()
        return self._layout.placing != before

    def _refusal(self, pet_id: str, reply: bytes | Exception) -> Exception | None:
        """Why a job was not taken; None if it was."""
        if isinstance(reply, Exception):
            return reply
        return None if reply else self._full(self._layout.number(pet_id))


def _batches(jobs: Sequence[_Submit]) -> Iterator[Sequence[_Submit]]:
    """Cuts them as submits that meet are cut."""
    batch: list[_Submit] = []
    weight = 0
    for job in jobs:
        if batch and (len(batch) == _JOBS_A_SUBMIT or weight + job.weight() > _BYTES_A_SUBMIT):
            yield batch
            batch, weight = [], 0
        batch.append(job)
        weight += job.weight()
    if batch:
        yield batch


def _is_of(pet_id: str, stored: bytes) -> bool:
    """Whether it is a view of the pet's. Those of ours begin alike, and need not be looked through."""
    if stored.startswith(b'{"pet_id":"%s","clusters":[' % pet_id.encode()):
        return True
    try:
        return _owned.decode(stored).pet_id == pet_id
    except (ValueError, RecursionError):  # DecodeError, ValidationError and UnicodeDecodeError among them
        return False
