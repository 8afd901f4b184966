"""A tracer that keeps what it is told, for tests that need no collector."""

from itertools import chain
from typing import NamedTuple

from sploot_clusterd.spans import MESSAGE_ID, PET, Ended, Run, Sort, Span, Stage, Told, Tracer, Value, Visits

SAMPLED = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
NOT_SAMPLED = SAMPLED[:-1] + "0"
TRACE_ID = SAMPLED.split("-")[1]
PARENT_ID = SAMPLED.split("-")[2]


class Visit(NamedTuple):
    sort: Sort
    began: float
    ended: float
    pet: str


def visits_of(sort: Sort, *pets: str, began: float = 1.0, ended: float = 2.0) -> Visits:
    """One by each pet."""
    visits = Visits(sort)
    visits.times = [began, ended] * len(pets)
    visits.pets = [*pets]
    return visits


class Kept(Tracer):
    """Samples whatever begins here, if `rate` is 1; else nothing."""

    is_on = True
    destination = "jobs"
    group = "workers"

    def __init__(self, rate: int = 1) -> None:
        self.rate = rate
        self.samples_all = rate == 1
        self.told: list[Told] = []
        """Of runs that ended together, each is a span."""
        self._visits: list[Visits] = []
        self.told_together: list[list[Visit]] = []

    def samples(self, trace_id: bytes) -> bool:  # noqa: ARG002 - as the real one
        return self.rate == 1

    def pet(self, pet_id: str) -> str:
        return f"hash of {pet_id}"

    def record(self, ended: Told) -> None:
        self.told += [self._span(ended, run) for run in ended.runs] if isinstance(ended, Ended) else [ended]

    def visits_of(self, sort: Sort) -> Visits:
        self._visits.append(Visits(sort))
        return self._visits[-1]

    def tell(self, visits: Visits) -> None:
        self.told_together.append(self._named(visits))
        visits.clear()

    def _named(self, visits: Visits) -> list[Visit]:
        each = zip(visits.times[::2], visits.times[1::2], visits.pets, strict=True)
        return [Visit(visits.of, began, ended, self.pet(pet_id) if pet_id else "") for began, ended, pet_id in each]

    def _span(self, ended: Ended, run: Run) -> Span:
        span = Span(self, ended.sort, context=run.context, parent_id=run.parent_id, began=ended.began)
        span.ended = ended.ended
        span.attributes = {MESSAGE_ID: run.message_id.decode(), PET: run.pet}
        span.links = [run.context._replace(span_id=run.before)] if run.before else []
        return span

    def spans(self, name: str = "") -> list[Span]:
        """Those whose name begins so, in the order in which they ended."""
        return [each for each in self.told if isinstance(each, Span) and each.sort.name.startswith(name)]

    def visits(self) -> list[Visit]:
        """Those that are told, and those that still wait for others."""
        return list(chain(*self.told_together, *map(self._named, self._visits)))

    def stages(self) -> list[Stage]:
        return [each for each in self.told if isinstance(each, Stage)]


def attributes(ended: Span | Visit) -> dict[str, Value]:
    """Those of its sort, and its own."""
    own = ended.attributes if isinstance(ended, Span) else {PET: ended.pet}
    return {**ended.sort.attributes, **own}
