"""Dead letters as callers are told of them, and which of them are meant."""

from collections.abc import Sequence
from datetime import UTC, datetime
from enum import Enum
from typing import Annotated, NamedTuple

from msgspec import Meta, Struct

from sploot_clusterd.errors import Reason

Moment = Annotated[datetime, Meta(tz=True)]


class Replayed(Enum):
    """What became of a letter that was to be put back; everything but DONE left all as it was."""

    DONE = "replayed"
    GONE = "gone"
    """There is no such letter, or it was replayed already."""
    EMPTY = "empty"
    ERASED = "erased"
    FULL = "full"


class LetterFilter(Struct, frozen=True, kw_only=True):
    """Which letters are meant: all that everything given lets through. Times are those of setting aside, included."""

    reason: Reason | None = None
    pet: Annotated[str, Meta(pattern=r"^.+\Z", max_length=128)] | None = None
    since: Moment | None = None
    until: Moment | None = None

    @property
    def takes_all(self) -> bool:
        """Whether nothing is given."""
        return (self.reason, self.pet, self.since, self.until) == (None,) * 4

    @property
    def since_ms(self) -> int | None:
        return _ms(self.since)

    @property
    def until_ms(self) -> int | None:
        return _ms(self.until)


class LettersChange(LetterFilter, frozen=True, kw_only=True):
    """The body of a replay or drop of many: a filter, or `all`."""

    all: bool = False
    """Every letter, where no filter is given: what cannot be taken back takes a clear word."""
    after: Annotated[str, Meta(max_length=96)] = ""
    most: Annotated[int, Meta(ge=1, le=500)] = 100
    """Letters of this call."""


class ReplayRequest(Struct, frozen=True):
    """The body of a replay of one letter."""

    payload: str | None = None
    """What to put back in place of the letter's own payload: an entry's, as the letter has it."""
    dry_run: bool = False
    """Whether only to check the payload."""


class DeadLetter(Struct, frozen=True, gc=False):
    """One without its payload. Pet, job, reason and error are what its entry claims: any text."""

    id: str
    """As `clusterd dlq` takes it."""
    at: str
    """When it was set aside (RFC 3339), by Redis' clock."""
    reason: str
    error: str
    pet_id: str
    other_pet_id: str
    """A second pet that the entry names; empty mostly."""
    job_id: str
    attempts: int | None
    payload_bytes: int
    """0 where the payload was lost: then there is nothing to put back."""


class Selected(NamedTuple):
    """A letter that is meant, and the place behind it."""

    letter: DeadLetter
    place: str


class Part(NamedTuple):
    """What a part of all letters held, and where to go on, "" for nowhere."""

    letters: Sequence[Selected]
    next: str


class Fault(Struct, frozen=True):
    """Where in the payload the error is: characters from `start` up to `end`, and by its name."""

    path: str
    """As in `payload.images[0].quality`; empty where the payload is no JSON from there on."""
    start: int
    end: int


class WholeLetter(Struct, frozen=True):
    """A letter with its payload. What is no UTF-8 in that is written as escapes."""

    letter: DeadLetter
    first_id: str
    """The job's place in the order."""
    payload: str
    fault: Fault | None
    """null where the error names nothing that is in the payload."""


class LettersPage(Struct):
    """Some of the letters that are meant, the oldest first; of several partitions one after the other."""

    letters: list[DeadLetter]
    next: str | None
    """Where to go on (`after`); null where all were looked through."""


class LettersCounted(Struct):
    """How many are meant in a part of all letters."""

    letters: int
    empty: int
    """Those of them whose payload was lost: they can only be dropped."""
    reasons: dict[str, int]
    newest: str | None
    """When the last of them was set aside: with it as `until`, what comes later is not meant."""
    next: str | None


class LettersChanged(Struct):
    """What became of some of the letters that are meant."""

    status: str
    """`replayed` or `dropped`; `full` where the stream took no more, and `noop` where nothing was changed."""
    letters: int
    """How many were replayed or dropped."""
    refused: dict[str, int]
    """Of those that stay, how many are `empty` (the payload was lost) or `erased` (the pet was, since)."""
    next: str | None
    """Where the rest begins (`after`); null where all were looked through."""


def moment(ms: int) -> str:
    """RFC 3339, in UTC. A time that no calendar has, as an id of somebody else's making may name, is the last one."""
    try:
        at = datetime.fromtimestamp(ms / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        at = datetime.max.replace(tzinfo=UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _ms(at: datetime | None) -> int | None:
    return None if at is None else max(0, round(at.timestamp() * 1000))
