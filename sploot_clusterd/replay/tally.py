"""What became of a run's jobs and reads, and whether the objectives held."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from sploot_clusterd.replay.latencies import Latencies

ACCEPTED: Final = 202
_REASONS_SHOWN: Final = 3


class Objective(NamedTuple):
    """So large a share is to be done within so many seconds. Those of docs/objectives.yml; a test compares."""

    name: str
    seconds: float
    share: float


VISIBLE: Final = Objective("a job is visible within 5 s", 5.0, 0.999)
READS: Final = Objective("a read succeeds within 50 ms", 0.05, 0.9995)


class Held:
    """How often an objective was held, and not."""

    def __init__(self, objective: Objective) -> None:
        self.objective = objective
        self.good = self.total = 0
        self.times = Latencies()

    def add(self, seconds: float, *, succeeded: bool = True) -> None:
        self.total += 1
        self.good += succeeded and seconds <= self.objective.seconds
        self.times.add(seconds)

    @property
    def missed(self) -> bool:
        """Not where nothing was measured."""
        return self.good < self.objective.share * self.total


@dataclass(slots=True)
class Slot:
    """What came to an end within a part of the run."""

    accepted: int = 0
    refused: int = 0
    answers: Latencies = field(default_factory=Latencies)
    visible: Latencies = field(default_factory=Latencies)


@dataclass(slots=True)
class Tally:
    """What became of the jobs: a count per status (0: no answer), and the first reasons of those not accepted.

    `total` is None where a run ends by the clock. `slot_seconds` is how long each of the parts is that `slots` tell
    apart.
    """

    total: int | None
    slot_seconds: float = 1.0
    begun: int = 0
    """Those posted; the daemon may have those without an answer, too."""
    statuses: Counter[int] = field(default_factory=Counter)
    reasons: dict[int, list[str]] = field(default_factory=dict)
    answers: Latencies = field(default_factory=Latencies)
    """Of requests, each try by itself."""
    visible: Held = field(default_factory=lambda: Held(VISIBLE))
    reads: Held = field(default_factory=lambda: Held(READS))
    behind: float = 0.0
    """How late a job was posted at most, in seconds, as earlier ones were not answered yet."""
    slots: defaultdict[int, Slot] = field(default_factory=lambda: defaultdict(Slot))

    def count(self, status: int, reason: str, at: float) -> None:
        """A job's last answer, so many seconds after the beginning."""
        self.statuses[status] += 1
        slot = self.slots[int(at / self.slot_seconds)]
        if status == ACCEPTED:
            slot.accepted += 1
            return
        slot.refused += 1
        known = self.reasons.setdefault(status, [])
        if reason not in known and len(known) < _REASONS_SHOWN:
            known.append(reason)

    def answered(self, seconds: float, at: float) -> None:
        """A request that took so long."""
        self.answers.add(seconds)
        self.slots[int(at / self.slot_seconds)].answers.add(seconds)

    def seen(self, seconds: float, at: float, *, succeeded: bool) -> None:
        """A job that was watched: readers saw it after so long, or did not within that time."""
        self.visible.add(seconds, succeeded=succeeded)
        self.slots[int(at / self.slot_seconds)].visible.add(seconds)

    @property
    def accepted(self) -> int:
        return self.statuses[ACCEPTED]

    @property
    def done(self) -> int:
        return self.statuses.total()

    @property
    def succeeded(self) -> bool:
        """Every job was accepted, and no objective missed."""
        wanted = self.begun if self.total is None else self.total
        return self.accepted == wanted and not self.visible.missed and not self.reads.missed
