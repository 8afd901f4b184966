"""The web's half of the store: one read for a view, one script call for a submit, both shared by concurrent callers."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from sploot_clusterd.errors import BacklogFullError, StoreRefusesError, StoreUnavailableError
from sploot_clusterd.health import Health
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.store import scripts
from sploot_clusterd.store.asking import ask
from sploot_clusterd.store.client import Clients, once_more, send, translated
from sploot_clusterd.store.coalesce import Coalescer
from sploot_clusterd.store.keys import Keys

_VIEWS_A_READ: Final = 128
_JOBS_A_SUBMIT: Final = 64
_BYTES_A_SUBMIT: Final = 2**20
"""A script call holds up every other client of Redis: what takes longer than a few ms is cut into several."""
_LETTERS_A_PAGE: Final = 100


class ViewStore:
    """Views for readers, and the stream's front door."""

    def __init__(
        self,
        clients: Clients,
        keys: Keys,
        metrics: Metrics,
        health: Health,
        *,
        maxlen: int,
        group: str,
        slots: Callable[[str], Sequence[str]],
        retry_reads: bool,
    ) -> None:
        """`slots` names those that a pet may have in a sample of the fleet."""
        self._clients = clients
        self._keys = keys
        self._health = health
        self._maxlen = maxlen
        self._group = group
        self._slots = slots
        self._models: Sequence[bytes] = ()
        self._retry_reads = retry_reads
        self._round_trips = {kind: metrics.redis_round_trips.labels(kind) for kind in ("view", "submit", "erase")}
        self._refused = metrics.backlog_refused
        self._views = Coalescer(self._read_views, most=_VIEWS_A_READ)
        self._submits = Coalescer(self._submit, most=_JOBS_A_SUBMIT, weigh=len, heaviest=_BYTES_A_SUBMIT)

    async def view(self, pet_id: str) -> bytes | None:
        """The stored view, or None. Raises StoreUnavailableError."""
        return await self._views(self._keys.view(pet_id))

    async def submit(self, payload: bytes) -> None:
        """Adds a job's envelope to the stream.

        Raises BacklogFullError, having added nothing, or StoreUnavailableError: then the job may or may not have been
        accepted, and submitting it again is harmless.
        """
        if not await self._submits(payload):
            raise self._full(1)
        self._health.clear_warning("backlog")

    async def submit_all(self, payloads: Sequence[bytes]) -> Sequence[Exception | None]:
        """Adds envelopes in their order, many in a round trip. For each None, or the error that `submit` would raise.

        After the first that is not added none is: a later job must not come before an earlier one that is sent again.
        """
        added = 0
        try:
            for batch in _batches(payloads):
                taken = sum(map(bool, await self._submit(batch)))
                added += taken
                if taken < len(batch):
                    raise self._full(len(payloads) - added)
        except (BacklogFullError, StoreUnavailableError) as error:
            return [None] * added + [error] * (len(payloads) - added)
        self._health.clear_warning("backlog")
        return [None] * added

    async def has_album(self, pet_id: str) -> bool:
        """Whether there is an album of the pet. Raises StoreUnavailableError."""
        self._round_trips["view"].inc()
        key = self._keys.pet(pet_id).album
        return bool(await once_more(lambda: send(self._clients.commands, "EXISTS", key), enabled=self._retry_reads))

    async def invalidate(self, pet_id: str) -> bool:
        """Drops the view; True if there was one. The album stays. Raises StoreUnavailableError."""
        self._round_trips["view"].inc()
        with translated():
            return bool(await send(self._clients.commands, "UNLINK", self._keys.view(pet_id)))

    async def erase(self, pet_id: str) -> bool:
        """Removes all that is kept of a pet, its dead letters too; True if there was anything.

        Jobs accepted before it will not bring the pet back. Raises StoreUnavailableError: then ask again.
        """
        with translated():
            gone = await self._erase(pet_id)
            cursor: bytes = b""
            while True:
                self._round_trips["erase"].inc()
                cursor, deleted = await scripts.ERASE_LETTERS(
                    self._clients.commands, (self._keys.dead_letters,), (pet_id, cursor, _LETTERS_A_PAGE)
                )
                gone += deleted
                if not cursor:
                    return bool(gone)

    async def _erase(self, pet_id: str) -> int:
        """How much there was. The script has to be told the samples' keys: a model version that it knows and we do not
        is told to us, and we ask again.
        """
        keys, slots = self._keys, self._slots(pet_id)
        while True:
            models = self._models
            samples = [key for model in models for key in keys.sample(model.decode())]
            named = (keys.stream, *keys.pet(pet_id), keys.erased, keys.dead_letters, keys.profiles, *samples)
            self._round_trips["erase"].inc()
            what, *told = await scripts.ERASE(self._clients.commands, named, (pet_id, len(slots), *slots, *models))
            if what == b"ok":
                return int(told[0])
            self._models = told

    async def ping(self) -> float:
        """Milliseconds of a round trip. Raises StoreUnavailableError, also where the consumer group is missing."""
        began = time.perf_counter()
        with translated():
            await send(self._clients.commands, "PING")
            took = (time.perf_counter() - began) * 1000
            stats = await scripts.STATS(self._clients.commands, (self._keys.stream,), (self._group,))
        if stats[1] < 0:
            raise StoreUnavailableError(
                f"the consumer group {self._group} is missing on {self._keys.stream}: is a consumer running?"
            )
        return took

    def _full(self, refused: int) -> BacklogFullError:
        self._refused.inc(refused)
        self._health.set_warning("backlog", f"backlog full: {self._maxlen} unsettled jobs, submits are refused")
        return BacklogFullError(f"the backlog is full: {self._maxlen} jobs are waiting")

    async def _read_views(self, keys: Sequence[str]) -> Sequence[bytes | None]:
        self._round_trips["view"].inc()
        views = await once_more(lambda: ask(self._clients.commands, "MGET", *keys), enabled=self._retry_reads)
        return list(views)

    async def _submit(self, payloads: Sequence[bytes]) -> Sequence[bytes]:
        self._round_trips["submit"].inc()
        try:
            with translated():
                ids = await scripts.SUBMIT(self._clients.commands, (self._keys.stream,), (self._maxlen, *payloads))
        except StoreRefusesError:
            await self._clients.forget_connections()
            raise
        return list(ids)


def _batches(payloads: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    """Cuts them as submits that meet are cut."""
    batch: list[bytes] = []
    weight = 0
    for payload in payloads:
        if batch and (len(batch) == _JOBS_A_SUBMIT or weight + len(payload) > _BYTES_A_SUBMIT):
            yield batch
            batch, weight = [], 0
        batch.append(payload)
        weight += len(payload)
    if batch:
        yield batch
