"""What the fleet's commits came to, by its processes' heartbeats. Pure: times are given."""

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import structs

from sploot_clusterd.fleet.beat import Beat
from sploot_clusterd.quality import FleetFigures, QualityPoint, Totals

_EVERY_S: Final = 60.0
_POINTS: Final = 480


class QualityHistory:
    """Of one who looks at all heartbeats every few seconds."""

    def __init__(self) -> None:
        self._points: deque[QualityPoint] = deque(maxlen=_POINTS)
        self._beats: Sequence[Beat] = ()
        self._marked: dict[tuple[str, float], Totals] = {}
        """What each process had done when the last period ended, by its name and start."""
        self._marked_at: float | None = None

    def add(self, beats: Iterable[Beat], now: float) -> None:
        """What all processes told last."""
        self._beats = [*beats]
        if self._marked_at is not None and now - self._marked_at < _EVERY_S * 0.9:
            return
        if self._marked_at is not None:
            done = Totals()
            for each in self._beats:
                before = self._marked.get((each.process, each.since))
                if before is not None or each.since >= self._marked_at:  # else what it did is of no known time
                    done = _sum(done, each.quality, _negated(before or Totals()))
            self._points.append(_point(now, done))
        self._marked = {(each.process, each.since): each.quality for each in self._beats}
        self._marked_at = now

    def figures(self) -> FleetFigures:
        totals = _sum(*(each.quality for each in self._beats))
        since = min((each.since for each in self._beats), default=None)
        return FleetFigures(len(self._beats), since, totals, [*self._points])


def _sum(*each: Totals) -> Totals:
    corrections: dict[str, int] = {}
    for one in each:
        for op, count in one.corrections.items():
            corrections[op] = corrections.get(op, 0) + count
    plain = [name for name in Totals.__struct_fields__ if name != "corrections"]
    return Totals(**{name: sum(getattr(one, name) for one in each) for name in plain}, corrections=corrections)


def _negated(done: Totals) -> Totals:
    fields = structs.asdict(done)
    corrections = {op: -count for op, count in fields.pop("corrections").items()}
    return Totals(**{name: -value for name, value in fields.items()}, corrections=corrections)


def _point(now: float, done: Totals) -> QualityPoint:
    shares = done.unclustered_shares / done.unclustered_count if done.unclustered_count > 0 else None
    return QualityPoint(
        now,
        *(done.merges, done.splits, done.hero_changes, sum(done.corrections.values())),
        silhouette=done.silhouettes / done.silhouette_count if done.silhouette_count > 0 else None,
        unclustered=None if shares is None else min(1.0, max(0.0, shares)),
    )
