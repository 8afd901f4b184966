"""Events of the feed as history takes them."""

from typing import Final, NamedTuple, Self

import msgspec

from sploot_clusterd.changes import Change, DeadJob, Kind
from sploot_clusterd.store import FeedEntry

_change: Final = msgspec.json.Decoder(Change).decode
_job: Final = msgspec.json.Decoder(DeadJob).decode


class Place(NamedTuple):
    """How far a partition's feed is written: its last event, whose id is `sequence-ms`; empty before the first."""

    event_id: str = ""
    sequence: int = 0

    @classmethod
    def of(cls, event_id: str) -> Self:
        """That of an event."""
        return cls(event_id, int(event_id.partition("-")[0]))

    @property
    def at_ms(self) -> int:
        return int(self.event_id.partition("-")[2] or 0)


class Told(NamedTuple):
    """An event. `version` is that of the album after it, 0 where there is none. `change` is there where it is
    `changed`, with its bytes in `raw`, and `job` where it is `dead`.
    """

    partition: int
    place: Place
    at_ms: int
    kind: Kind
    pet_id: str
    incarnation: str
    before: str
    after: str
    version: int
    change: Change | None = None
    raw: bytes = b""
    job: DeadJob | None = None


def version_of(token: str) -> int:
    """The number at the end of an album's token; 0 of an empty one. Raises ValueError."""
    return int(token.rpartition(".")[2] or 0)


def told(partition: int, entry: FeedEntry) -> Told:
    """Raises ValueError for an event that is not as the feed's contract says."""
    change = job = None
    raw = b""
    if entry.kind == "changed":
        raw = bytes(entry.change)
        change = _change(raw)
    elif entry.kind == "dead":
        job = _job(entry.job)
    version_of(entry.before)
    place = Place.of(entry.id)
    return Told(
        partition,
        place,
        place.at_ms,
        entry.kind,
        entry.pet_id,
        entry.incarnation,
        entry.before,
        entry.after,
        version_of(entry.after),
        change,
        raw,
        job,
    )
