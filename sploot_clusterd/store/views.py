"""The web's half of the store: one read for a view, one script call for a submit, both shared by concurrent callers."""

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import repeat
from typing import Final, NamedTuple, TypeVar

import msgspec

from sploot_clusterd.errors import BacklogFullError, BadStateError, StoreUnavailableError
from sploot_clusterd.keys import Keys, Layout
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.store import scripts
from sploot_clusterd.store.coalesce import Ask, Coalescer, CoalescerEach
from sploot_clusterd.store.erasure import Erasure
from sploot_clusterd.store.gateway import Call, Gateway
from sploot_clusterd.store.partition import stats_of

_VIEWS_A_READ: Final = 128
_JOBS_A_SUBMIT: Final = 64
_BYTES_A_SUBMIT: Final = 2**20
"""A script call holds up every other client of Redis: what takes longer than a few ms is cut into several."""


Q = TypeVar("Q")
A = TypeVar("A")


class _Owned(msgspec.Struct):
    """What every view has, also those of the service before this one."""

    pet_id: str
    clusters: list[msgspec.Raw]


_owned: Final = msgspec.json.Decoder(_Owned)


class _Submit(NamedTuple):
    """A job's envelope, and the partition that it goes to."""

    partition: int
    payload: bytes

    def weight(self) -> int:
        return len(self.payload)


class ViewStore:
    """Views for readers, and the front door of the stream's partitions."""

    def __init__(
        self, gateway: Gateway, layout: Layout, group: str, metrics: Metrics, *, maxlen: int, feeds: bool = False
    ) -> None:
        """`maxlen` is how many unsettled entries a partition may hold; `feeds` as `Erasure` takes it."""
        self._gateway = gateway
        self._layout = layout
        self._group = group
        self._maxlen = maxlen
        self._refused = metrics.backlog_refused
        self._erasure = Erasure(gateway, layout, feeds=feeds)
        self._views = self._shared(self._new_reads, layout.of)
        self._submits = self._shared(self._new_submits, lambda job: layout.partitions[job.partition])

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

        Raises BacklogFullError, having added nothing, or StoreUnavailableError: then the job may or may not have been
        accepted, and submitting it again is harmless.
        """
        partition = self._layout.number(pet_id)
        if not await self._submits(_Submit(partition, payload)):
            self._refused.inc()
            raise self._full(partition)

    async def submit_all(self, jobs: Sequence[tuple[str, bytes]]) -> Sequence[Exception | None]:
        """Adds envelopes of pets in their order, many in a round trip. For each None, or the error that `submit` would
        raise.

        After the first that a partition does not take it takes none: a later job must not come before an earlier one
        of its pet that is sent again.
        """
        asked = [_Submit(self._layout.number(pet_id), payload) for pet_id, payload in jobs]
        refused: dict[int, Exception] = {}
        outcomes: list[Exception | None] = []
        for batch in _batches(asked):
            closed = {*refused}
            answers = iter(await self._answers([each for each in batch if each.partition not in closed]))
            for partition, _ in batch:
                answer = refused[partition] if partition in closed else next(answers)
                if isinstance(answer, Exception) or not answer:
                    error = answer if isinstance(answer, Exception) else self._full(partition)
                    outcomes.append(refused.setdefault(partition, error))
                else:
                    outcomes.append(None)
            self._close_servers(refused)
        self._refused.inc(sum(isinstance(outcome, BacklogFullError) for outcome in outcomes))
        return outcomes

    async def _answers(self, jobs: Sequence[_Submit]) -> Sequence[bytes | Exception]:
        try:
            return await self._submit(jobs) if jobs else ()
        except StoreUnavailableError as error:
            return [error] * len(jobs)

    def _close_servers(self, refused: dict[int, Exception]) -> None:
        """Nothing more is sent to one that is away, for any of its partitions."""
        places = [self._gateway.place(keys) for keys in self._layout.partitions]
        away = {places[n]: error for n, error in refused.items() if isinstance(error, StoreUnavailableError)}
        for n, place in enumerate(places):
            if place in away:
                refused.setdefault(n, away[place])

    async def has_album(self, pet_id: str) -> bool:
        """Whether there is an album of the pet. Raises StoreUnavailableError."""
        keys = self._layout.of(pet_id)
        return bool(await self._gateway.at(keys).read("view", "EXISTS", keys.pet(pet_id).album))

    async def invalidate(self, pet_id: str) -> bool:
        """Drops the view; True if there was one. The album stays. Raises StoreUnavailableError."""
        keys = self._layout.of(pet_id)
        return bool(await self._gateway.at(keys).command("view", "UNLINK", keys.view(pet_id)))

    async def erase(self, pet_id: str) -> bool:
        """Removes all that is kept of a pet, its dead letters too; True if there was anything.

        Jobs accepted before it will not bring the pet back. Raises StoreUnavailableError: then ask again.
        """
        return await self._erasure.erase(pet_id)

    async def ping(self) -> float:
        """Milliseconds of a round trip. Raises StoreUnavailableError, also where the consumer group is missing."""
        began = time.perf_counter()
        await self._gateway.ask_server("", "PING")
        took = (time.perf_counter() - began) * 1000
        figures = await stats_of(self._gateway, self._layout, self._group)
        for keys, stats in zip(self._layout.partitions, figures, strict=True):
            if isinstance(stats, StoreUnavailableError):
                continue
            if stats.pending < 0:
                raise StoreUnavailableError(
                    f"the consumer group {self._group} is missing on {keys.stream}: is a consumer running?"
                )
        return took

    def _full(self, partition: int) -> BacklogFullError:
        where = "" if self._layout.is_one else f" of partition {partition}"
        return BacklogFullError(f"the backlog{where} is full: {self._maxlen} jobs are waiting")

    def _shared(self, new: Callable[[], Coalescer[Q, A]], keys_of: Callable[[Q], Keys]) -> Ask[Q, A]:
        """Where there are several servers, what is asked of one does not wait for what is asked of another."""
        if self._gateway.is_one_server:
            return new()
        return CoalescerEach(new, lambda question: self._gateway.place(keys_of(question)))

    def _new_reads(self) -> Coalescer[str, bytes | None]:
        return Coalescer(self._read_views, most=_VIEWS_A_READ)

    def _new_submits(self) -> Coalescer[_Submit, bytes]:
        return Coalescer(self._submit, most=_JOBS_A_SUBMIT, weigh=_Submit.weight, heaviest=_BYTES_A_SUBMIT)

    async def _read_views(self, pet_ids: Sequence[str]) -> Sequence[bytes | Exception | None]:
        if self._layout.is_one:
            return list(await self._gateway.read("view", "MGET", *map(self._gateway.keys.view, pet_ids)))
        keys = list(map(self._layout.of, pet_ids))
        commands = [(of_pet, ("MGET", of_pet.view(pet_id))) for of_pet, pet_id in zip(keys, pet_ids, strict=True)]
        replies = await self._gateway.read_each("view", commands)
        return [reply if isinstance(reply, Exception) else reply[0] for reply in replies]

    async def _submit(self, jobs: Sequence[_Submit]) -> Sequence[bytes | Exception]:
        """Per job its entry's id, empty where its partition was full."""
        payloads: dict[int, list[bytes]] = {}
        for partition, payload in jobs:
            payloads.setdefault(partition, []).append(payload)
        calls = [
            Call({"most": self._maxlen, "payloads": each}, keys=self._layout.partitions[partition])
            for partition, each in payloads.items()
        ]
        replies = await self._gateway.run_each(scripts.SUBMIT, calls, patience=None)
        ids = {
            partition: repeat(reply) if isinstance(reply, Exception) else iter(reply)
            for partition, reply in zip(payloads, replies, strict=True)
        }
        return [next(ids[partition]) for partition, _ in jobs]


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
