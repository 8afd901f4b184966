"""The web's half of the store: one read for a view, one script call for a submit, both shared by concurrent callers."""

import time
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from sploot_clusterd.errors import BacklogFullError, BadStateError, StoreUnavailableError
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.model import slots
from sploot_clusterd.store import scripts
from sploot_clusterd.store.coalesce import Coalescer
from sploot_clusterd.store.gateway import Gateway
from sploot_clusterd.store.stream import Stream

_VIEWS_A_READ: Final = 128
_JOBS_A_SUBMIT: Final = 64
_BYTES_A_SUBMIT: Final = 2**20
"""A script call holds up every other client of Redis: what takes longer than a few ms is cut into several."""
_LETTERS_A_PAGE: Final = 100


class _Owned(msgspec.Struct):
    """What every view has, also those of the service before this one."""

    pet_id: str
    clusters: list[msgspec.Raw]


_owned: Final = msgspec.json.Decoder(_Owned)


class ViewStore:
    """Views for readers, and the stream's front door."""

    def __init__(self, gateway: Gateway, stream: Stream, metrics: Metrics, *, maxlen: int) -> None:
        """`maxlen` is how many unsettled entries the stream may hold."""
        self._gateway = gateway
        self._keys = gateway.keys
        self._stream = stream
        self._maxlen = maxlen
        self._models: Sequence[bytes] = ()
        self._refused = metrics.backlog_refused
        self._views = Coalescer(self._read_views, most=_VIEWS_A_READ)
        self._submits = Coalescer(self._submit, most=_JOBS_A_SUBMIT, weigh=len, heaviest=_BYTES_A_SUBMIT)

    async def view(self, pet_id: str) -> bytes | None:
        """The stored view, or None. Raises StoreUnavailableError, BadStateError if a text is there that is no view."""
        key = self._keys.view(pet_id)
        stored = await self._views(key)
        if stored is not None and not _is_of(pet_id, stored):
            raise BadStateError(
                f"{key} holds what is no view of the pet: invalidate the view; the pet's next job that changes "
                "anything writes it again"
            )
        return stored

    async def submit(self, payload: bytes) -> None:
        """Adds a job's envelope to the stream.

        Raises BacklogFullError, having added nothing, or StoreUnavailableError: then the job may or may not have been
        accepted, and submitting it again is harmless.
        """
        if not await self._submits(payload):
            raise self._full(1)

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
        return [None] * added

    async def has_album(self, pet_id: str) -> bool:
        """Whether there is an album of the pet. Raises StoreUnavailableError."""
        return bool(await self._gateway.read("view", "EXISTS", self._keys.pet(pet_id).album))

    async def invalidate(self, pet_id: str) -> bool:
        """Drops the view; True if there was one. The album stays. Raises StoreUnavailableError."""
        return bool(await self._gateway.command("view", "UNLINK", self._keys.view(pet_id)))

    async def erase(self, pet_id: str) -> bool:
        """Removes all that is kept of a pet, its dead letters too; True if there was anything.

        Jobs accepted before it will not bring the pet back. Raises StoreUnavailableError: then ask again.
        """
        gone = await self._erase(pet_id)
        cursor: bytes = b""
        while True:
            cursor, deleted = await self._gateway.run(
                scripts.ERASE_LETTERS, pet_id=pet_id, cursor=cursor, page_size=_LETTERS_A_PAGE
            )
            gone += deleted
            if not cursor:
                return bool(gone)

    async def _erase(self, pet_id: str) -> int:
        """How much there was. The script has to be told the samples' keys: a model version that it knows and we do not
        is told to us, and we ask again.
        """
        while True:
            models = self._models
            # No sample of ours has a name that is no UTF-8.
            samples = [key for model in models for key in self._keys.sample(model.decode(errors="replace"))]
            what, *told = await self._gateway.run(
                scripts.ERASE, more_keys=samples, pet_id=pet_id, slots=slots(pet_id), models=models
            )
            if what == b"ok":
                return int(told[0])
            (self._models,) = told

    async def ping(self) -> float:
        """Milliseconds of a round trip. Raises StoreUnavailableError, also where the consumer group is missing."""
        began = time.perf_counter()
        await self._gateway.ask_server(self._keys.stream, "PING")
        took = (time.perf_counter() - began) * 1000
        if (await self._stream.stats()).pending < 0:
            raise StoreUnavailableError(
                f"the consumer group {self._stream.group} is missing on {self._keys.stream}: is a consumer running?"
            )
        return took

    def _full(self, refused: int) -> BacklogFullError:
        self._refused.inc(refused)
        return BacklogFullError(f"the backlog is full: {self._maxlen} jobs are waiting")

    async def _read_views(self, keys: Sequence[str]) -> Sequence[bytes | None]:
        return list(await self._gateway.read("view", "MGET", *keys))

    async def _submit(self, payloads: Sequence[bytes]) -> Sequence[bytes]:
        return list(await self._gateway.run(scripts.SUBMIT, most=self._maxlen, payloads=payloads))


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


def _is_of(pet_id: str, stored: bytes) -> bool:
    """Whether it is a view of the pet's. Those of ours begin alike, and need not be looked through."""
    if stored.startswith(b'{"pet_id":"%s","clusters":[' % pet_id.encode()):
        return True
    try:
        return _owned.decode(stored).pet_id == pet_id
    except (ValueError, RecursionError):  # DecodeError, ValidationError and UnicodeDecodeError among them
        return False
