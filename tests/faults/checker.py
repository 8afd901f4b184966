"""Counts the effect that each accepted job had: once, twice, never, or a dead letter."""

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from sploot_clusterd.engine import decode_album
from sploot_clusterd.engine.rows import decode_row
from sploot_clusterd.errors import BadStateError
from tests.faults.fed import feed_breaches
from tests.faults.fleet import Fleet
from tests.faults.load import Ledger
from tests.faults.told import told_breaches

NAMESPACE = "sploot.media.clusters"
LETTERS = "streams:media.cluster.deadletter"


@dataclass
class Verdict:
    """Counts of effects over all pets."""

    once: int = 0
    never: int = 0
    twice: int = 0
    uninvited: int = 0
    dead_letters: int = 0
    lost: list[str] = field(default_factory=list)
    """Images of accepted jobs that are not there."""
    details: list[str] = field(default_factory=list)
    unfed: list[str] = field(default_factory=list)
    """Where the change feed tells something else than what happened."""
    mistold: list[str] = field(default_factory=list)
    """Where a pet is told something else of a job."""

    def breaches(self, *, never: int = 0, dead_letters: int = 0) -> list[str]:
        """What speaks against "each job had its effect exactly once", but for what has to be excused."""
        found = {"never": self.never - never, "twice": self.twice, "uninvited": self.uninvited}
        breaches = [f"{count} {what}" for what, count in found.items() if count]
        if self.dead_letters != dead_letters:
            breaches.append(f"{self.dead_letters} dead letters, not {dead_letters}")
        return breaches + self.unfed + self.mistold


async def verdict(fleet: Fleet, ledger: Ledger, *, one_history: bool = True) -> Verdict:
    """The effect of each job: a row for its image, and a place in the additive statistics, both exactly once.

    Besides, no entry may have been committed by two runs; the daemons' logs tell that. Where Redis itself goes back in
    time (not `one_history`), a commit may be lost and come again, so only what is stored counts.
    """
    result = Verdict(dead_letters=len(await fleet.letters()))
    if one_history:
        result.twice += sum(times > 1 for times in _commits(fleet).values())
        result.unfed += await feed_breaches(fleet)
    for pet in sorted({*ledger.accepted, *ledger.unsure}):
        accepted, unsure = set(ledger.accepted.get(pet, ())), ledger.unsure.get(pet, set())
        try:
            present, _, counted = await _stored(fleet, pet)
        except BadStateError as error:  # two commits mixed: nothing of it has its effect
            result.never += len(accepted)
            result.details.append(f"{pet}: {error}")
            continue
        if one_history and ledger.numbered:
            result.mistold += await told_breaches(fleet, pet, fleet.layout.of(pet).pet(pet), present, unsure)
        extra = counted - len(present)
        result.once += len(accepted & present) - max(0, -extra)
        result.never += len(accepted - present) + max(0, -extra)
        result.twice += max(0, extra)
        result.uninvited += len(present - accepted - unsure)
        result.lost += sorted(accepted - present)
        if extra or accepted - present:
            result.details.append(f"{pet}: {len(accepted)} accepted, {len(present)} rows, {counted} counted")
    return result


async def verdict_of_removals(fleet: Fleet, ledger: Ledger) -> Verdict:
    """The effect of each removal: there is a tombstone in the image's place, and the statistics hold what is left."""
    result = Verdict(dead_letters=len(await fleet.letters()))
    for pet, images in ledger.accepted.items():
        present, removed, counted = await _stored(fleet, pet)
        gone = removed & images.keys()
        result.once += len(gone)
        result.never += len(images) - len(gone)
        result.twice += abs(counted - len(present))
    return result


async def letters_by_reason(fleet: Fleet) -> Counter[str]:
    """How many dead letters there are of each reason. No entry may have two."""
    letters = await fleet.letters()
    entries = Counter((fields[b"entry_id"], fields[b"payload"]) for fields in letters)
    assert all(count == 1 for count in entries.values()), "an entry became two dead letters"
    return Counter(fields[b"reason"].decode() for fields in letters)


class _Stored(NamedTuple):
    """Of a pet: its images, its tombstones, and how many images its statistics hold, or are hidden."""

    present: set[str]
    removed: set[str]
    counted: int


async def _stored(fleet: Fleet, pet: str) -> _Stored:
    """Raises BadStateError."""
    keys = fleet.layout.of(pet).pet(pet)
    fields = await fleet.redis.hgetall(keys.album)
    fields.pop(b"token", None)
    rows = await fleet.redis.hgetall(keys.images)
    present = {image.decode() for image, row in rows.items() if decode_row(row).exists}
    removed = {image.decode() for image in rows} - present
    album = decode_album(pet, fields) if fields else None
    counted = sum(cell.count for cell in album.cells.values()) + len(album.hidden) if album else 0
    return _Stored(present, removed, counted)


def _commits(fleet: Fleet) -> Counter[object]:
    """How many runs of each entry ended in a commit; entries of two partitions may have one id."""
    lines = (line for daemon in fleet.daemons for line in daemon.log())
    return Counter((line["entry_id"], line["pet_id"]) for line in lines if line["message"] == "job done")
