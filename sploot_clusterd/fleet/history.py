"""From heartbeats to what the fleet does in a second, over the last minutes and hours. Pure: times are given."""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal

from msgspec import Struct, structs

from sploot_clusterd.fleet.beat import Beat
from sploot_clusterd.troubles import Trouble

Span = Literal["15m", "1h", "8h"]
_RINGS: Final[Mapping[Span, tuple[float, int]]] = {"15m": (5.0, 180), "1h": (20.0, 180), "8h": (60.0, 480)}
"""Seconds between points, and how many are kept."""
SPANS: Final[tuple[Span, ...]] = tuple(_RINGS)
_MOST_MARKS: Final = 50


class Point(Struct):
    """What the fleet did in a period that ended at `at` (seconds since 1970): jobs a second, and how it stood then.
    Percentiles are null where no job was done.
    """

    at: float
    in_s: float
    """What came in: reckoned from what left the stream, and from how that grew."""
    done_s: float
    failed_s: float
    """Runs."""
    dead_s: float
    backlog: int
    oldest_s: float
    wants: int
    """Pets that want insights."""
    p50_ms: float | None
    p99_ms: float | None


class Process(Struct):
    """A process, as it told of itself last."""

    process: str
    version: str
    since: float
    at: float
    consumers: int
    reasons: list[str]
    warnings: list[str]
    restarts: int
    done_s: float
    lag_ms: float | None
    """The 99th percentile of its event loop's lag since its beat before."""
    troubles: list[Trouble]
    """Why runs failed in it lately."""


class Mark(Struct):
    """Something that happened once, at `at`: a process started, or a generation of profiles came into use."""

    at: float
    process: str | None = None
    version: str | None = None
    generation: int | None = None
    seen_at: float = 0.0
    """When we saw it."""


class _Done(Struct):
    """What was done since some moment."""

    done: int = 0
    failed: int = 0
    dead: int = 0
    settled: int = 0
    latencies: list[int] = []
    lags: list[int] = []

    def add(self, other: "_Done") -> None:
        self.done += other.done
        self.failed += other.failed
        self.dead += other.dead
        self.settled += other.settled
        self.latencies = _sums(self.latencies, other.latencies)
        self.lags = _sums(self.lags, other.lags)


class _Ring:
    """The latest points of one period's length."""

    def __init__(self, period_s: float, most: int) -> None:
        self.points: deque[Point] = deque(maxlen=most)
        self._period_s = period_s
        self._began: float | None = None
        self._backlog = 0  # when the period began
        self._done = _Done()

    def add(self, done: _Done, newest: Beat, now: float, bounds_s: Sequence[float]) -> None:
        if self._began is None:
            self._began, self._backlog = now, newest.backlog  # what was done before is of no known time
            return
        self._done.add(done)
        seconds = now - self._began
        if seconds < self._period_s * 0.9:
            return
        total, self._done, self._began = self._done, _Done(), now
        came, self._backlog = total.settled + newest.backlog - self._backlog, newest.backlog
        self.points.append(
            Point(
                at=now,
                in_s=max(came, 0) / seconds,
                done_s=total.done / seconds,
                failed_s=total.failed / seconds,
                dead_s=total.dead / seconds,
                backlog=newest.backlog,
                oldest_s=newest.oldest_s,
                wants=newest.wants,
                p50_ms=percentile(total.latencies, bounds_s, 0.5),
                p99_ms=percentile(total.latencies, bounds_s, 0.99),
            )
        )


class History:
    """Of one who looks at all heartbeats every few seconds."""

    def __init__(self, latency_bounds_s: Sequence[float], lag_bounds_s: Sequence[float]) -> None:
        self._latency_bounds = latency_bounds_s
        self._lag_bounds = lag_bounds_s
        self._rings = {span: _Ring(*lengths) for span, lengths in _RINGS.items()}
        self._generation: int | None = None  # the highest that was seen
        self._beats: dict[str, Beat] = {}
        self._looked_at = float("inf")
        self.processes: list[Process] = []
        self.marks: deque[Mark] = deque(maxlen=_MOST_MARKS)

    def points(self, span: Span) -> list[Point]:
        """Those of the span, as far as they were seen."""
        return [*self._rings[span].points]

    def add(self, beats: Iterable[Beat], now: float) -> None:
        """What all processes told last."""
        beats = sorted(beats, key=lambda each: each.process)
        total = _Done()
        processes = []
        for each in beats:
            before = self._beats.get(each.process)
            done = _since(each, before, self._looked_at)
            total.add(done)
            processes.append(self._process(each, before, done))
        self._mark(beats, now)
        self._beats, self._looked_at = {each.process: each for each in beats}, now
        self.processes = processes
        if beats:
            wants = max(each.wants for each in beats)
            newest = structs.replace(max(beats, key=lambda each: each.at), wants=wants)
            for ring in self._rings.values():
                ring.add(total, newest, now, self._latency_bounds)

    def _mark(self, beats: Sequence[Beat], now: float) -> None:
        """What happened since the look before: starts, and a generation above all that were seen."""
        known = {(mark.process, mark.at) for mark in self.marks}
        for each in sorted(beats, key=lambda each: each.since):
            if (each.process, each.since) not in known:
                self.marks.append(Mark(each.since, each.process, each.version, seen_at=now))
        generation = max((each.generation for each in beats), default=0)
        if self._generation is not None and generation > self._generation:
            self.marks.append(Mark(now, generation=generation, seen_at=now))
        self._generation = max(generation, self._generation or 0)

    def _process(self, beat: Beat, before: Beat | None, done: _Done) -> Process:
        told = next((each for each in self.processes if each.process == beat.process), None)
        if told and before and before.at == beat.at:
            return told  # it has told nothing new
        seconds = beat.at - (before.at if before and before.since == beat.since else beat.since)
        lag = percentile(done.lags, self._lag_bounds, 0.99)
        rate = done.done / seconds if seconds > 0 else 0.0
        return Process(
            *(beat.process, beat.version, beat.since, beat.at, beat.consumers, beat.reasons, beat.warnings),
            *(beat.restarts, rate, lag, beat.troubles),
        )


def percentile(counts: Sequence[int], bounds_s: Sequence[float], share: float) -> float | None:
    """In milliseconds, within its bucket by proportion; of what is beyond the last bound, that; None of nothing."""
    wanted = share * sum(counts)
    if not wanted:
        return None
    below = 0.0
    for lower, upper, count in zip((0.0, *bounds_s), bounds_s, counts, strict=False):
        if count and below + count >= wanted:
            return (lower + (upper - lower) * (wanted - below) / count) * 1000
        below += count
    return bounds_s[-1] * 1000


def _since(beat: Beat, before: Beat | None, looked_at: float) -> _Done:
    """What a process did since the look before this one. Nothing is known of one that is seen first, unless it began
    after that.
    """
    if before is None or before.since != beat.since:
        began = beat.since >= looked_at
        return _Done(beat.done, beat.failed, beat.dead, beat.settled, beat.latencies, beat.lags) if began else _Done()
    return _Done(
        beat.done - before.done,
        beat.failed - before.failed,
        beat.dead - before.dead,
        beat.settled - before.settled,
        [now - then for now, then in zip(beat.latencies, before.latencies, strict=False)],
        [now - then for now, then in zip(beat.lags, before.lags, strict=False)],
    )


def _sums(some: Sequence[int], others: Sequence[int]) -> list[int]:
    if not some or not others:
        return [*some, *others]
    return [one + other for one, other in zip(some, others, strict=False)]
