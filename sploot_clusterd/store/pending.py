"""The group's pending entries, as those see them who have to wait for older ones: which there are, and whose."""

from collections.abc import Collection, Sequence
from enum import Enum
from typing import Final, NamedTuple

from sploot_clusterd.store import scripts
from sploot_clusterd.store.gateway import Gateway, pairs
from sploot_clusterd.store.stream import Entry

_PAGE: Final = 1000


class Standing(Enum):
    """How a pending entry stands."""

    HELD = "held"
    """In a consumer's hands, or in those of one that is gone."""
    PUT_OFF = "put_off"
    """In nobody's until it is due: it had to wait for older ones, or for a contended pet."""
    FAILED = "failed"
    """A run of it failed and is to be tried again, or its third lone run began: it seems to end processes."""
    GONE = "gone"
    """Settled, or without a payload."""


_STANDINGS: Final = {standing.value.encode(): standing for standing in Standing}


class PendingEntry(NamedTuple):
    """`pets`: those that its job names, one of which is its own. Where only decoding tells, and of a failed one, there
    is the whole `entry` instead. Both are empty where neither was asked for; where they were, `idle_ms` is 0.
    """

    key: bytes
    standing: Standing
    idle_ms: int
    pets: frozenset[str] = frozenset()
    entry: Entry | None = None


class Bounds(NamedTuple):
    """How many entries are pending, and the first and the last of them."""

    entries: int
    first: bytes | None
    last: bytes | None


class PendingEntries:
    """One group's. Every method raises StoreUnavailableError."""

    def __init__(self, gateway: Gateway, group: str) -> None:
        self._gateway = gateway
        self._group = group

    async def bounds(self) -> Bounds:
        """How many there are, the first and the last one: a change tells that some were delivered or settled."""
        count, first, last, _ = await self._gateway.command(
            "order", "XPENDING", self._gateway.keys.stream, self._group, again=True
        )
        return Bounds(count, first, last)

    async def before(self, entry: bytes) -> dict[bytes, str]:
        """The keys of all that are older, in their order, and in whose hands they are: the consumers' names.

        Entries are delivered in order. So whatever is older than a delivered one and not among these is settled.
        """
        found: dict[bytes, str] = {}
        begin = b"-"
        while True:
            arguments = (self._gateway.keys.stream, self._group, begin, b"(" + entry, _PAGE)
            page = await self._gateway.command("order", "XPENDING", *arguments, again=True)
            found |= {key: consumer.decode(errors="replace") for key, consumer, *_ in page}
            if len(page) < _PAGE:
                return found
            begin = b"(" + page[-1][0]

    async def look(self, strange: Collection[bytes], known: Collection[bytes] = ()) -> list[PendingEntry]:
        """How these stand, and of the strange ones whose they are."""
        entries: list[PendingEntry] = []
        strange, known = list(strange), list(known)
        while strange or known:
            replies = await self._gateway.run(
                scripts.PENDING_JOBS,
                group=self._group,
                strange=strange[:_PAGE],
                known=known[: max(0, _PAGE - len(strange))],
            )
            entries += [_pending(*reply) for reply in replies]
            count = len(replies)
            strange, known = strange[count:], known[max(0, count - len(strange)) :]
        return entries


def _pending(key: bytes, standing: bytes, idle_ms: int, pets: Sequence[bytes], flat: Sequence[bytes]) -> PendingEntry:
    names = frozenset(pet.decode(errors="replace") for pet in pets)
    entry = Entry.of(key, pairs(flat)) if flat else None
    return PendingEntry(key, _STANDINGS[standing], idle_ms, names, entry)
