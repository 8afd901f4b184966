"""How a run went, in figures and as text."""

from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import Struct

from sploot_clusterd.replay.latencies import Latencies
from sploot_clusterd.replay.tally import ACCEPTED, Held, Tally


class Times(Struct):
    """Milliseconds; None where nothing was measured."""

    count: int
    p50: float | None
    p95: float | None
    p99: float | None
    longest: float | None


class Verdict(Struct):
    """What became of an objective. `share` of `total` held it; None where nothing was measured."""

    name: str
    wanted: float
    share: float | None
    total: int
    missed: bool


class Part(Struct):
    """A part of the run, from so many seconds after its beginning. Milliseconds; None where nothing came to an end."""

    at: float
    accepted: int
    refused: int
    answer_p50: float | None
    answer_p99: float | None
    visible_p50: float | None
    visible_longest: float | None


class Summary(Struct):
    """A rehearsal's report. `behind` is how late a job was posted at most, in seconds, `part_seconds` how long each of
    its parts is.
    """

    seconds: float
    posted: int
    accepted: int
    refused: int
    per_second: float
    behind: float
    statuses: dict[str, int]
    answers: Times
    visible: Times
    reads: Times
    objectives: list[Verdict]
    part_seconds: float
    parts: list[Part]

    def lines(self) -> Iterator[str]:
        """As text, after `lines` of the tally."""
        yield f"  behind its rate: at most {self.behind:.2f} s"
        for name, times in (("answers", self.answers), ("until seen", self.visible), ("reads", self.reads)):
            yield f"  {name:<11} {_line_of(times)}"
        for verdict in self.objectives:
            share = "nothing measured" if verdict.share is None else f"{verdict.share:.2%} of {verdict.total}"
            yield f"  {'MISSED' if verdict.missed else 'held':<7} {verdict.name}, {verdict.wanted:.2%}: {share}"


def lines(tally: Tally, seconds: float) -> Iterator[str]:
    """What became of the jobs, as text."""
    rate = tally.done / seconds if seconds else 0.0
    refused = tally.done - tally.accepted
    total = tally.begun if tally.total is None else tally.total
    whole = f"{total} jobs" if tally.done == total else f"interrupted: {tally.done} of {total} jobs"
    yield f"{whole} in {seconds:.1f} s ({rate:.0f} a second): {tally.accepted} accepted, {refused} not"
    if tally.done < total:
        yield f"  {tally.begun - tally.done} without an answer, {total - tally.begun} not posted"
    for status, count in sorted(tally.statuses.items()):
        if status != ACCEPTED:
            yield f"  {count} x {status or 'no answer'}: " + "; ".join(tally.reasons[status])


def summary(tally: Tally, seconds: float) -> Summary:
    return Summary(
        seconds=round(seconds, 3),
        posted=tally.begun,
        accepted=tally.accepted,
        refused=tally.done - tally.accepted,
        per_second=round(tally.done / seconds, 3) if seconds else 0.0,
        behind=round(tally.behind, 3),
        statuses={str(status): count for status, count in sorted(tally.statuses.items())},
        answers=_times(tally.answers),
        visible=_times(tally.visible.times),
        reads=_times(tally.reads.times),
        objectives=[_verdict(tally.visible), _verdict(tally.reads)],
        part_seconds=tally.slot_seconds,
        parts=list(_parts(tally)),
    )


def _times(times: Latencies) -> Times:
    p50, p95, p99 = (_ms(times.quantile(share)) for share in (0.5, 0.95, 0.99))
    return Times(len(times), p50, p95, p99, _ms(times.longest) if len(times) else None)


def _verdict(held: Held) -> Verdict:
    objective, share = held.objective, held.good / held.total if held.total else None
    return Verdict(objective.name, objective.share, share, held.total, held.missed)


def _parts(tally: Tally) -> Iterator[Part]:
    for number in range(max(tally.slots, default=-1) + 1):
        slot = tally.slots[number]
        yield Part(
            at=round(number * tally.slot_seconds, 3),
            accepted=slot.accepted,
            refused=slot.refused,
            answer_p50=_ms(slot.answers.quantile(0.5)),
            answer_p99=_ms(slot.answers.quantile(0.99)),
            visible_p50=_ms(slot.visible.quantile(0.5)),
            visible_longest=_ms(slot.visible.quantile(1.0)),
        )


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 2)


def _line_of(times: Times) -> str:
    shown: Sequence[Any] = (times.p50, times.p95, times.p99, times.longest)
    if times.p50 is None:
        return "none"
    return "{} of them: p50 {:.1f} ms, p95 {:.1f} ms, p99 {:.1f} ms, longest {:.1f} ms".format(times.count, *shown)
