"""The web's half of the store: one read for a view, one script call for a submit, both shared by concurrent callers."""

import secrets
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from itertools import chain, islice, repeat
from typing import Final, NamedTuple, TypeVar

import msgspec

from sploot_clusterd.errors import BacklogFullError, BadStateError, PartitionMovedError, StoreUnavailableError
from sploot_clusterd.keys import Keys, Layout
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.store import scripts
from sploot_clusterd.store.coalesce import Ask, Coalescer, CoalescerEach
from sploot_clusterd.store.erasure import Erasure
from sploot_clusterd.store.gateway import Call, Gateway
from sploot_clusterd.store.partition import stats_of
from sploot_clusterd.store.pet_reads import PetReads

_VIEWS_A_READ: Final = 128
_JOBS_A_SUBMIT: Final = 64
_SNAPSHOT_LIVES: Final = 3600
"""Seconds: longer than a job that fails is tried again."""
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
        feeds: bool = False,
        remembers: bool = False,
        jobs_life: int = 0,
    ) -> None:
        """`maxlen` is how many unsettled entries a partition may hold; `follow` has the layout go by what is recorded
        of it; `feeds` and `remembers` as `Erasure` takes them, `jobs_life` as a `Stream` does.
        """
        self._gateway = gateway
        self._layout = layout
        self._group = group
        self._maxlen = maxlen
        self._follow = follow
        self._jobs_life = jobs_life
        self._refused = metrics.backlog_refused
        self.erasure = Erasure(gateway, layout, feeds=feeds, remembers=remembers)
        self._reads = PetReads(gateway, layout, follow)
        self._views = self._shared(self._new_reads, layout.of)
        self._submits = self._shared(self._new_submits, lambda job: layout.of(job.pet_id))

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
        job = _Submit(pet_id, payload)
        try:
            added = await self._submits(job)
        except PartitionMovedError:
            if not await self._is_placed_anew():
                raise
            added = await self._submits(job)
        if not added:
            self._refused.inc()
            raise self._full(self._layout.number(pet_id))

    async def submit_all(self, jobs: Sequence[tuple[str, bytes]]) -> Sequence[Exception | None]:
        """Adds envelopes of pets in their order, many in a round trip. For each None, or the error that `submit` would
        raise.

        After the first that a partition does not take it takes none: a later job must not come before an earlier one
        of its pet that is sent again.
        """
        try:
            await self._know()
        except StoreUnavailableError as unknown:
            return [unknown] * len(jobs)
        asked = [_Submit(*job) for job in jobs]
        placed = iter([self._layout.number(pet_id) for pet_id, _ in jobs])  # as they were placed when this began
        refused: dict[int, Exception] = {}
        outcomes: list[Exception | None] = []
        for batch in _batches(asked):
            partitions, closed = [*islice(placed, len(batch))], {*refused}
            sent = [job for job, partition in zip(batch, partitions, strict=True) if partition not in closed]
            answers = iter(await self._answers(sent))
            for partition in partitions:
                answer = refused[partition] if partition in closed else next(answers)
                if isinstance(answer, Exception) or not answer:
                    error = answer if isinstance(answer, Exception) else self._full(partition)
                    outcomes.append(refused.setdefault(partition, error))
                else:
                    outcomes.append(None)
            self._close_servers(refused)
        self._refused.inc(sum(isinstance(outcome, BacklogFullError) for outcome in outcomes))
        return outcomes

    async def _answers(self, jobs: Sequence[_Submit]) -> Sequence[bool | Exception]:
        try:
            return await self._submit(jobs) if jobs else ()
        except StoreUnavailableError as error:
            return [error] * len(jobs)

    def _close_servers(self, refused: dict[int, Exception]) -> None:
        """Nothing more is sent to one that is away, for any of its partitions."""
        places = [self._gateway.place(keys) for keys in self._layout.partitions]
        away = {places[n]: error for n, error in refused.items() if _is_away(error)}
        for n, place in enumerate(places):
            if place in away:
                refused.setdefault(n, away[place])

    async def has_album(self, pet_id: str) -> bool:
        """Whether there is an album of the pet. Raises StoreUnavailableError."""
        return await self._reads.has_album(pet_id)

    async def invalidate(self, pet_id: str) -> bool:
        """Drops the view until the next job; True if there was one. The album stays. Raises StoreUnavailableError."""
        await self._know()
        return bool(await self._gateway.at(self._layout.of(pet_id)).run(scripts.DROP_VIEW, pet_id=pet_id))

    async def is_erasing(self, pet_id: str) -> bool:
        """Whether history is still to forget a pet that was erased. Raises StoreUnavailableError."""
        return await self.erasure.is_erasing(pet_id)

    async def reserve_snapshot(self, pet_id: str) -> str | None:
        """A place for an album as it was, by the name that is returned: an erasure takes it away; None where history is
        still to forget the pet. Raises StoreUnavailableError.
        """
        name = secrets.token_hex(8)
        return name if await self._keep(pet_id, name, b"") else None

    async def keep_snapshot(self, pet_id: str, name: str, snapshot: bytes) -> bool:
        """Puts an album as it was into its place, for the job that goes back to it: for an hour. False if the pet was
        erased since the place was reserved. Raises StoreUnavailableError.
        """
        return await self._keep(pet_id, name, snapshot)

    async def _keep(self, pet_id: str, name: str, snapshot: bytes) -> bool:
        await self._know()
        way, life = self._gateway.at(self._layout.of(pet_id)), _SNAPSHOT_LIVES
        kept = await way.run(scripts.KEEP_SNAPSHOT, pet_id=pet_id, name=name, snapshot=snapshot, life=life)
        return bool(kept)

    async def erase(self, pet_id: str) -> bool:
        """Removes all that is kept of a pet, its dead letters too; True if there was anything.

        Jobs accepted before it will not bring the pet back. Raises StoreUnavailableError: then ask again.
        """
        await self._know()
        return await self.erasure.erase(pet_id)

    async def ping(self) -> float:
        """Milliseconds of a round trip. Raises StoreUnavailableError, also where the consumer group is missing."""
        began = time.perf_counter()
        await self._gateway.ask_server("", "PING")
        took = (time.perf_counter() - began) * 1000
        figures = await stats_of(self._gateway, self._layout, self._group)
        for keys, stats in zip(self._layout.partitions, figures, strict=False):  # there may be more meanwhile
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
        return Coalescer(self._reads.views, most=_VIEWS_A_READ)

    def _new_submits(self) -> Coalescer[_Submit, bool]:
        return Coalescer(self._submit, most=_JOBS_A_SUBMIT, weigh=_Submit.weight, heaviest=_BYTES_A_SUBMIT)

    async def _submit(self, jobs: Sequence[_Submit]) -> Sequence[bool | Exception]:
        """Whether each was added: not where its partition was full. Or why that did not take it."""
        await self._know()
        partitions = [self._layout.number(pet_id) for pet_id, _ in jobs]
        together: dict[int, list[_Submit]] = {}
        for partition, job in zip(partitions, jobs, strict=True):
            together.setdefault(partition, []).append(job)
        calls = [self._call(self._layout.partitions[partition], each) for partition, each in together.items()]
        replies = await self._gateway.run_each(scripts.SUBMIT, calls, patience=None)
        answers: dict[int, Iterator[bool | Exception]] = {
            partition: repeat(reply) if isinstance(reply, Exception) else chain(repeat(True, reply), repeat(False))
            for partition, reply in zip(together, replies, strict=True)
        }
        return [next(answers[partition]) for partition in partitions]

    def _call(self, keys: Keys, jobs: Sequence[_Submit]) -> Call:
        """Adds jobs to a partition."""
        lists = [keys.jobs(job.pet_id) for job in jobs] if self._jobs_life else ()
        payloads = [job.payload for job in jobs]
        return Call({"most": self._maxlen, "jobs_life": self._jobs_life, "payloads": payloads}, lists, keys)

    async def _know(self) -> None:
        """Nothing is sent by a number of partitions that is only set."""
        if not self._layout.is_known:
            await self._follow()

    async def _is_placed_anew(self) -> bool:
        """Whether pets are placed otherwise than we knew."""
        before = self._layout.placing
        await self._follow()
        return self._layout.placing != before


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


def _is_away(error: Exception) -> bool:
    """Whether a server is, and not a partition in motion."""
    return isinstance(error, StoreUnavailableError) and not isinstance(error, PartitionMovedError)


def _is_of(pet_id: str, stored: bytes) -> bool:
    """Whether it is a view of the pet's. Those of ours begin alike, and need not be looked through."""
    if stored.startswith(b'{"pet_id":"%s","clusters":[' % pet_id.encode()):
        return True
    try:
        return _owned.decode(stored).pet_id == pet_id
    except (ValueError, RecursionError):  # DecodeError, ValidationError and UnicodeDecodeError among them
        return False
