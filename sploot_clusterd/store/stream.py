"""The stream's consumer side: claiming, recording failures, setting jobs aside, and the figures of it."""

import time
from collections.abc import AsyncIterator, Collection, Sequence
from enum import Enum
from typing import Final, NamedTuple, Self

from msgspec import Struct
from msgspec.structs import replace

from sploot_clusterd.config import StreamSettings
from sploot_clusterd.entry_ids import EntryId
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.store import scripts
from sploot_clusterd.store.gateway import Call, Gateway, pairs
from sploot_clusterd.store.outcomes import Letter, Retry, retries_told
from sploot_clusterd.store.probe import probe
from sploot_clusterd.store.reasons import GroupExistsError
from sploot_clusterd.store.script import Script
from sploot_clusterd.wire import CARRIED_ATTEMPTS

_PAGE: Final = 64
_SLACK: Final = 100
_SWEPT_A_PAGE: Final = 200
_RENEWED_A_CALL: Final = 100
_LONG_NUMBER: Final = 10


class Handling(Enum):
    """What is to be done with a delivered entry."""

    RUN = "run"
    ALONE = "alone"
    """It was delivered twice or more without an outcome: it may be what ended those processes."""
    GONE = "gone"
    """Its payload was deleted while it was pending."""


class LoneRun(Enum):
    """Whether a suspect may be run by itself once more."""

    RUN = "run"
    CRASH_LOOP = "crash_loop"
    """Each of its lone runs ended without an outcome, and no more are allowed."""
    LOST = "lost"


class Entry(Struct, frozen=True, gc=False):
    """A delivered entry. `attempts` counts real failures, not deliveries."""

    id: EntryId
    key: bytes
    """The id as Redis spells it."""
    fields: dict[bytes, bytes]
    attempts: int = 0
    handling: Handling = Handling.RUN
    delivery: int = 1
    """How often it was handed out, with this time."""

    @classmethod
    def of(cls, key: bytes, fields: dict[bytes, bytes], attempts: int = 0) -> Self:
        return cls(entry_id(key), key, fields, attempts)


class ClaimKind(Enum):
    """Which pending entries to claim."""

    OWN = "own"
    DUE = "due"
    IDLE = "idle"


class Stats(NamedTuple):
    unsettled: int
    pending: int
    """-1 where the group is missing."""
    oldest_pending_idle_ms: int
    oldest_unsettled_ms: int
    erasing: int = 0
    """Erased pets that history is still to forget."""


class Stream:
    """One stream and one consumer group. Every method raises StoreUnavailableError when Redis does not answer."""

    def __init__(
        self, gateway: Gateway, settings: StreamSettings, metrics: Metrics, *, feeds: bool = False, jobs_life: int = 0
    ) -> None:
        """`feeds`: the change feed is told of dead letters; `jobs_life`: of what pets are told of their jobs, in s; 0:
        they are not told.
        """
        self._feeds = feeds
        self._jobs_life = jobs_life
        self._gateway = gateway
        self._settings = settings
        self._metrics = metrics
        self.group = settings.group
        self.key = gateway.keys.stream
        """What it is called in Redis."""

    async def reconnect(self) -> None:
        """Lets the next commands open new connections: the old ones led nowhere, or to a node that refuses writes."""
        self._gateway.forget_connections()

    async def probe(self) -> None:
        """Raises StoreUnavailableError where nothing can be committed now, as the stream's slot is on its way: to claim
        entries all the same would look like failed runs.
        """
        await probe(self._gateway)

    async def ensure_group(self) -> None:
        """Creates stream and group if they are missing: always from the first entry, or earlier jobs were skipped."""
        stream = self._gateway.keys.stream
        try:
            await self._gateway.command("upkeep", "XGROUP CREATE", stream, self.group, "0", "MKSTREAM")
        except GroupExistsError:
            return
        self._metrics.groups_created.inc()

    async def claim(
        self,
        consumer: str,
        kind: ClaimKind,
        *,
        idle_ms: int | None = None,
        lives: bool = False,
        besides: Collection[str] = (),
    ) -> AsyncIterator[list[Entry]]:
        """Pages of entries taken over for `consumer`, each when it is asked for; what waits for its due time is left.
        `idle_ms` in place of the setting says which are IDLE. `lives`: those that are OWN were delivered to this very
        process, which they have not ended. What consumers named in `besides` have is left to them.
        """
        cursor = b""
        while True:
            cursor, *replies = await self._gateway.run(
                scripts.CLAIM,
                group=self.group,
                consumer=consumer,
                kind=kind.value,
                abandoned=self._settings.retry_idle_ms if idle_ms is None else idle_ms,
                cursor=cursor,
                most=_PAGE,
                lives=int(lives),
                besides=besides,
            )
            if replies:
                self._metrics.reclaims.labels(kind.value).inc(len(replies))
                self._metrics.deliveries.inc(len(replies))
                yield [_entry(*each) for each in replies]
            if not cursor:
                return

    async def begin_alone(self, consumer: str, entry: bytes, *, harmless: bool) -> LoneRun:
        """Counts a lone run before it begins. `harmless`: its last one had no outcome but left this process alive."""
        reply = await self._gateway.run(
            scripts.BEGIN_ALONE,
            group=self.group,
            consumer=consumer,
            entry=entry,
            most_lone_runs=self._settings.max_attempts,
            harmless=int(harmless),
        )
        return LoneRun(reply.decode())

    async def renew(self, consumer: str, entries: Sequence[bytes]) -> Collection[bytes]:
        """Resets the idle time of those that are still the consumer's, and names them. That others were in its hands so
        long and ended no process is written down. Raises StoreUnavailableError.
        """
        pages = [entries[at : at + _RENEWED_A_CALL] for at in range(0, len(entries), _RENEWED_A_CALL)]
        calls = [Call({"group": self.group, "consumer": consumer, "entries": page}) for page in pages]
        replies = await self._gateway.run_each(scripts.RENEW, calls)
        for reply in replies:
            if isinstance(reply, Exception):
                raise reply
        return {entry for ours in replies for entry in ours}

    async def retry(self, consumer: str, retries: Sequence[Retry]) -> int:
        """Records failures; the entries stay pending until they are due. How many were still the consumer's."""
        lists, flat = retries_told(self._gateway.keys, retries, jobs_life=self._jobs_life)
        written = await self._gateway.run(
            scripts.RETRY,
            more_keys=lists,
            group=self.group,
            consumer=consumer,
            jobs_life=self._jobs_life,
            retries=flat,
        )
        return int(written)

    async def put_off(self, consumer: str, entries: Sequence[tuple[bytes, int]]) -> int:
        """Leaves entries that were not run for so many ms each. How many were still the consumer's."""
        flat = [part for each in entries for part in each]
        return int(await self._gateway.run(scripts.PUT_OFF, group=self.group, consumer=consumer, entries=flat))

    async def dead_letter(self, consumer: str, letter: Letter) -> bool:
        """Sets the job aside and settles its entry; False if there was nothing to keep (erased, or no longer ours)."""
        fed: tuple[bytes, int] | tuple[()] = ()
        if self._feeds and letter.fed is not None:
            fed = letter.fed, int(time.time() * 1000)
        keys = self._gateway.keys
        what, *dropped = await self._gateway.run(
            scripts.DEAD_LETTER,
            more_keys=(keys.pet(letter.pet_id).album, keys.feed, keys.feed_index) if fed else (),
            group=self.group,
            consumer=consumer,
            entry=letter.entry,
            most_letters=self._settings.maxlen + (_SLACK if self._settings.approximate_trim else 0),
            most_bytes=self._settings.dead_letter_bytes,
            pet_id=letter.pet_id,
            other_pet_id=letter.other_pet_id,
            first_id=letter.first_id,
            jobs_life=self._jobs_life,
            told=letter.told() if self._jobs_life else "",
            letter=letter.fields(),
            fed=fed,
        )
        if what != b"ok":
            return False
        self._metrics.dead_letters.labels(letter.reason).inc()
        self._metrics.dead_letters_dropped.inc(dropped[0])
        return True

    async def remake(self) -> bool:
        """Deletes the stream if it can take nothing more and is empty, so that it begins anew; whether it was so."""
        return bool(await self._gateway.run(scripts.REMAKE_STREAM))

    async def sweep_erase_marks(self) -> int:
        """Drops the erase marks that nothing unsettled is older than; how many."""
        return await self._sweep(scripts.SWEEP_MARKS)

    async def sweep_records(self) -> int:
        """Drops the records of entries that are not pending any more; how many."""
        return await self._sweep(scripts.SWEEP_RECORDS, group=self.group)

    async def _sweep(self, script: Script, **values: str) -> int:
        cursor, swept = b"0", 0
        while True:
            cursor, dropped = await self._gateway.run(script, cursor=cursor, page_size=_SWEPT_A_PAGE, **values)
            swept += int(dropped)
            if cursor == b"0":
                return swept

    async def forget_idle_consumers(self, idle_ms: int, living: Collection[str]) -> int:
        """Deletes consumers that were idle so long and hold nothing; how many. Others would pile up over restarts."""
        forgotten = 0
        for flat in await self._gateway.command("upkeep", "XINFO CONSUMERS", self._gateway.keys.stream, self.group):
            consumer = pairs(flat)
            name = consumer[b"name"].decode(errors="replace")
            if consumer[b"pending"] == 0 and consumer[b"idle"] > idle_ms and name not in living:
                forgotten += await self._gateway.run(
                    scripts.FORGET_CONSUMER, group=self.group, consumer=consumer[b"name"]
                )
        return forgotten


def entry_id(key: bytes) -> EntryId:
    """From Redis itself, so there is nothing to check."""
    ms, _, seq = key.partition(b"-")
    return EntryId(int(ms), int(seq))


def delivered(key: bytes, flat: Sequence[bytes]) -> Entry:
    """An entry that is new to the group. One that came from another partition has its attempts beside."""
    fields = pairs(flat)
    carried = fields.get(CARRIED_ATTEMPTS, b"")
    return Entry.of(key, fields, int(carried) if carried.isdigit() and len(carried) < _LONG_NUMBER else 0)


def _entry(key: bytes, handling: bytes, attempts: int, flat: Sequence[bytes], delivery: int) -> Entry:
    entry = delivered(key, flat)
    attempts = attempts or entry.attempts
    return replace(entry, attempts=attempts, handling=Handling(handling.decode()), delivery=delivery)
