"""From heartbeats to what the fleet does in a second, over the last minutes and hours. Pure: times are given."""

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import Struct

from sploot_clusterd.fleet.beat import Beat

_FINE: Final = (5.0, 180)
_COARSE: Final = (60.0, 480)
"""Seconds between points, and how many are kept: 15 minutes, and 8 hours."""


class Point(Struct):
    """What the fleet did in a period that ended at `at` (seconds since 1970): jobs a second, and how it stood then.
    Percentiles are null where no job was done.
    """

    at: float
    done_s: float
    failed_s: float
    dead_s: float
    backlog: int
    oldest_s: float
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


class _Done(Struct):
    """What was done since some moment."""

    done: int = 0
    failed: int = 0
    dead: int = 0
    latencies: list[int] = []
    lags: list[int] = []

    def add(self, other: "_Done") -> None:
        self.done += other.done
        self.failed += other.failed
        self.dead += other.dead
        self.latencies = _sums(self.latencies, other.latencies)
        self.lags = _sums(self.lags, other.lags)


class _Ring:
    """The latest points of one period's length."""

    def __init__(self, period_s: float, most: int) -> None:
        self.points: deque[Point] = deque(maxlen=most)
        self._period_s = period_s
        self._began: float | None = None
        self._done = _Done()

    def add(self, done: _Done, newest: Beat, now: float, bounds_s: Sequence[float]) -> None:
        if self._began is None:
            self._began = now  # what was done before is of no known time
            return
        self._done.add(done)
        seconds = now - self._began
        if seconds < self._period_s * 0.9:
            return
        total, self._done, self._began = self._done, _Done(), now
        rates = (total.done / seconds, total.failed / seconds, total.dead / seconds)
        percentiles = (percentile(total.latencies, bounds_s, share) for share in (0.5, 0.99))
        self.points.append(Point(now, *rates, newest.backlog, newest.oldest_s, *percentiles))


class History:
    """Of one who looks at all heartbeats every few seconds."""

    def __init__(self, latency_bounds_s: Sequence[float], lag_bounds_s: Sequence[float]) -> None:
        self._latency_bounds = latency_bounds_s
        self._lag_bounds = lag_bounds_s
        self._fine, self._coarse = _Ring(*_FINE), _Ring(*_COARSE)
        self._beats: dict[str, Beat] = {}
        self._looked_at = float("inf")
        self.processes: list[Process] = []

    def points(self, *, fine: bool) -> list[Point]:
        """The last 15 minutes, or the last 8 hours, as far as they were seen."""
        return [*(self._fine if fine else self._coarse).points]

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
        self._beats, self._looked_at = {each.process: each for each in beats}, now
        self.processes = processes
        if beats:
            newest = max(beats, key=lambda each: each.at)
            for ring in (self._fine, self._coarse):
                ring.add(total, newest, now, self._latency_bounds)

    def _process(self, beat: Beat, before: Beat | None, done: _Done) -> Process:
        told = next((each for each in self.processes if each.process == beat.process), None)
        if told and before and before.at == beat.at:
            return told  # it has told nothing new
        seconds = beat.at - (before.at if before and before.since == beat.since else beat.since)
        lag = percentile(done.lags, self._lag_bounds, 0.99)
        rate = done.done / seconds if seconds > 0 else 0.0
        return Process(
            *(beat.process, beat.version, beat.since, beat.at, beat.consumers, beat.reasons, beat.warnings),
            *(beat.restarts, rate, lag),
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
        return _Done(beat.done, beat.failed, beat.dead, beat.latencies, beat.lags) if began else _Done()
    return _Done(
        beat.done - before.done,
        beat.failed - before.failed,
        beat.dead - before.dead,
        [now - then for now, then in zip(beat.latencies, before.latencies, strict=False)],
        [now - then for now, then in zip(beat.lags, before.lags, strict=False)],
    )


def _sums(some: Sequence[int], others: Sequence[int]) -> list[int]:
    if not some or not others:
        return [*some, *others]
    return [one + other for one, other in zip(some, others, strict=False)]
