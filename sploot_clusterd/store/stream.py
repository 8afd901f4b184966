"""The stream's consumer side: claiming, recording failures, setting jobs aside, and the figures of it."""

from collections.abc import AsyncIterator, Collection, Sequence
from enum import Enum
from typing import Final, NamedTuple

from redis.exceptions import ResponseError

from sploot_clusterd.errors import Reason
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.model import EntryId
from sploot_clusterd.store import scripts
from sploot_clusterd.store.client import Clients, send, translated
from sploot_clusterd.store.keys import Keys

_PAGE: Final = 64
_MARKS_A_PAGE: Final = 200


class Verdict(Enum):
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


class Entry(NamedTuple):
    """A delivered entry. `attempts` counts real failures, not deliveries."""

    id: EntryId
    fields: dict[bytes, bytes]
    attempts: int = 0
    verdict: Verdict = Verdict.RUN

    @property
    def key(self) -> bytes:
        """The id as Redis spells it."""
        return b"%d-%d" % self.id


class How(Enum):
    """Which pending entries to claim."""

    OWN = "own"
    DUE = "due"
    IDLE = "idle"


class Retry(NamedTuple):
    """An entry that stays pending, and when to take it up again. `attempts` includes the failure that led here."""

    entry: bytes
    attempts: int
    delay_ms: int


class Letter(NamedTuple):
    """A job to set aside, as its dead letter tells it."""

    entry: bytes
    payload: bytes
    reason: Reason
    error: str
    attempts: int
    first_id: str
    pet_id: str
    job_id: str
    failed_at: str
    other_pet_id: str = ""
    """A second pet that the job names, where its envelope and its body differ."""


class Stats(NamedTuple):
    unsettled: int
    pending: int
    """-1 where the group is missing."""
    oldest_pending_idle_ms: int
    oldest_unsettled_ms: int


class Stream:
    """One stream and one consumer group. Every method raises StoreUnavailableError when Redis does not answer."""

    def __init__(
        self,
        clients: Clients,
        keys: Keys,
        metrics: Metrics,
        *,
        group: str,
        retry_idle_ms: int,
        max_attempts: int,
        most_letters: int,
        approximate_trim: bool,
    ) -> None:
        self._clients = clients
        self._keys = keys
        self._metrics = metrics
        self.group = group
        self._retry_idle_ms = retry_idle_ms
        self._max_attempts = max_attempts
        self._most_letters = most_letters
        self._trim = "~" if approximate_trim else "="
        self._pair = (keys.stream, keys.attempts)
        self._put_off = 0
        self.may_be_due = True
        """False once `stats` saw nothing pending, until it sees something or this process puts an entry off."""
        self._round_trips = {kind: metrics.redis_round_trips.labels(kind) for kind in ("claim", "outcome", "upkeep")}

    async def reconnect(self) -> None:
        """Lets the next commands open new connections: the old ones led nowhere, or to a node that refuses writes."""
        await self._clients.forget_connections()

    async def ensure_group(self) -> None:
        """Creates stream and group if they are missing: always from the first entry, or earlier jobs were skipped."""
        with translated():
            try:
                await send(self._clients.commands, "XGROUP CREATE", self._keys.stream, self.group, "0", "MKSTREAM")
            except ResponseError as error:
                if "BUSYGROUP" not in str(error):
                    raise
            else:
                self._metrics.groups_created.inc()

    async def claim(self, consumer: str, how: How) -> AsyncIterator[list[Entry]]:
        """Pages of entries taken over for `consumer`; what waits for its due time is left."""
        cursor = b""
        while True:
            self._round_trips["claim"].inc()
            with translated():
                cursor, *taken = await scripts.CLAIM(
                    self._clients.commands,
                    self._pair,
                    (
                        self.group,
                        consumer,
                        how.value,
                        self._retry_idle_ms,
                        cursor,
                        _PAGE,
                    ),
                )
            if taken:
                self._metrics.reclaims.labels(how.value).inc(len(taken))
                self._metrics.deliveries.inc(len(taken))
                yield [_entry(*each) for each in taken]
            if not cursor:
                return

    async def begin_alone(self, consumer: str, entry: bytes, *, harmless: bool) -> LoneRun:
        """Counts a lone run before it begins. `harmless`: its last one had no outcome but left this process alive."""
        self._round_trips["claim"].inc()
        arguments = (self.group, consumer, entry, self._max_attempts, int(harmless))
        with translated():
            reply = await scripts.BEGIN_ALONE(self._clients.commands, self._pair, arguments)
        return LoneRun(reply.decode())

    async def renew(self, consumer: str, entries: Collection[bytes]) -> int:
        """Resets the idle time of those that are still the consumer's; how many these are."""
        self._round_trips["upkeep"].inc()
        with translated():
            ours = await scripts.RENEW(self._clients.commands, self._pair[:1], (self.group, consumer, *entries))
        return int(ours)

    async def retry(self, consumer: str, retries: Sequence[Retry]) -> int:
        """Records failures; the entries stay pending until they are due. How many were still the consumer's."""
        arguments = [part for r in retries for part in r]
        self._round_trips["outcome"].inc()
        self._put_off += 1
        self.may_be_due = True
        with translated():
            written = await scripts.RETRY(self._clients.commands, self._pair, (self.group, consumer, *arguments))
        return int(written)

    async def dead_letter(self, consumer: str, letter: Letter) -> bool:
        """Sets the job aside and settles its entry; False if there was nothing to keep (erased, or no longer ours)."""
        keys = (*self._pair, self._keys.dead_letters, self._keys.erased)
        head = (self.group, consumer, letter.entry, self._most_letters, self._trim, letter.pet_id, letter.first_id)
        self._round_trips["outcome"].inc()
        with translated():
            what, *dropped = await scripts.DEAD_LETTER(self._clients.commands, keys, (*head, *_letter_fields(letter)))
        if what != b"ok":
            return False
        self._metrics.dead_letters.labels(letter.reason).inc()
        self._metrics.dead_letters_dropped.inc(dropped[0])
        return True

    async def stats(self) -> Stats:
        """The stream's figures, without reading a payload."""
        self._round_trips["upkeep"].inc()
        put_off = self._put_off
        with translated():
            stats = Stats(*await scripts.STATS(self._clients.commands, (self._keys.stream,), (self.group,)))
        self.may_be_due = stats.pending != 0 or self._put_off != put_off
        return stats

    async def sweep_erase_marks(self) -> int:
        """Drops the erase marks that nothing unsettled is older than; how many."""
        cursor, swept = b"0", 0
        while True:
            self._round_trips["upkeep"].inc()
            with translated():
                cursor, dropped = await scripts.SWEEP_MARKS(
                    self._clients.commands, (self._keys.stream, self._keys.erased), (cursor, _MARKS_A_PAGE)
                )
            swept += int(dropped)
            if cursor == b"0":
                return swept

    async def forget_idle_consumers(self, idle_ms: int, living: Collection[str]) -> int:
        """Deletes consumers that were idle so long and hold nothing; how many. Others would pile up over restarts."""
        forgotten = 0
        with translated():
            for consumer in await send(self._clients.commands, "XINFO CONSUMERS", self._keys.stream, self.group):
                name = consumer["name"].decode(errors="replace")
                if consumer["pending"] == 0 and consumer["idle"] > idle_ms and name not in living:
                    forgotten += await scripts.FORGET_CONSUMER(
                        self._clients.commands, self._pair[:1], (self.group, consumer["name"])
                    )
        return forgotten


def entry_id(key: bytes) -> EntryId:
    """From Redis itself, so there is nothing to check."""
    return EntryId(*map(int, key.split(b"-")))


def _entry(key: bytes, verdict: bytes, attempts: int, flat: Sequence[bytes]) -> Entry:
    fields = dict(zip(flat[::2], flat[1::2], strict=True))
    return Entry(entry_id(key), fields, attempts, Verdict(verdict.decode()))


def _letter_fields(letter: Letter) -> list[scripts.Argument]:
    return [
        *("payload", letter.payload),
        *("error", letter.error),
        *("reason", letter.reason),
        *("attempts", letter.attempts),
        *("entry_id", letter.entry),
        *("first_id", letter.first_id),
        *("pet_id", letter.pet_id),
        *("job_id", letter.job_id),
        *("failed_at", letter.failed_at),
        *(("other_pet_id", letter.other_pet_id) if letter.other_pet_id else ()),
    ]
