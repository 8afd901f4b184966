"""Histograms that take many values at once: what a batch measures is mostly the same for all its jobs.

The library's own has no call for that, and locks for threads, of which we have none that observe.
"""

import math
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar

from sploot_clusterd.spans import Context

_EXAMPLE_LIVES: Final = 1.0
"""Seconds."""


class Series:
    """One series of a histogram. To be used by one thread."""

    def __init__(self, bounds: Sequence[float]) -> None:
        """`bounds` are the buckets' upper ones, in order; what is beyond the last is counted too."""
        self._bounds = bounds
        self._sum = 0.0
        self._created = time.time()
        self._counts = [0] * (len(bounds) + 1)
        self._examples: dict[int, tuple[Context, float, float]] = {}
        """The last of each bucket: what it is of, its value, and when it was, in seconds since the epoch."""
        self.wants_example = [0.0] * len(self._counts)
        """From when on each bucket does, by `time.perf_counter`."""

    @property
    def bounds(self) -> Sequence[float]:
        return self._bounds

    @property
    def counts(self) -> list[int]:
        """How many values each bucket has by itself; the last one those beyond all bounds."""
        return [*self._counts]

    @property
    def sum(self) -> float:
        """Of all values."""
        return self._sum

    def observe(self, value: float) -> int:
        """The place of its bucket."""
        self._sum += value
        place = bisect_left(self._bounds, value)
        self._counts[place] += 1
        return place

    def show(self, value: float, context: Context) -> None:
        """What was observed is an example of its bucket, which has a trace."""
        place = bisect_left(self._bounds, value)
        self._examples[place] = context, value, time.time()
        self.wants_example[place] = time.perf_counter() + _EXAMPLE_LIVES

    def observe_each(self, values: Iterable[float]) -> None:
        """As `observe` for each of the values."""
        for value, times in Counter(values).items():
            self._sum += value * times
            self._counts[bisect_left(self._bounds, value)] += times

    def add_samples(self, metric: Metric, labels: dict[str, str]) -> None:
        """In Prometheus' form: each bucket counts what is in those below it too."""
        total = 0
        for place, (bound, count) in enumerate(zip((*self._bounds, math.inf), self._counts, strict=True)):
            total += count
            example = _exemplar(*self._examples[place]) if place in self._examples else None
            metric.add_sample(f"{metric.name}_bucket", {**labels, "le": _le(bound)}, total, exemplar=example)
        metric.add_sample(f"{metric.name}_count", labels, total)
        metric.add_sample(f"{metric.name}_sum", labels, self._sum)
        metric.add_sample(f"{metric.name}_created", labels, self._created)


class Histogram(Collector):
    """A histogram with one label; without, its one series is that of the label ''."""

    def __init__(
        self, name: str, meaning: str, bounds: Sequence[float], label: str = "", *, registry: CollectorRegistry
    ) -> None:
        self.name = name
        self.meaning = meaning
        self._bounds = bounds
        self.label = label
        self._series: dict[str, Series] = {}
        registry.register(self)

    def labels(self, value: str) -> Series:
        """The series of that value, made when it is first asked for."""
        if value not in self._series:
            self._series[value] = Series(self._bounds)
        return self._series[value]

    def describe(self) -> Iterable[Metric]:
        return [Metric(self.name, self.meaning, "histogram")]

    def collect(self) -> Iterable[Metric]:
        (metric,) = self.describe()
        for value, series in self._series.items():
            series.add_samples(metric, {self.label: value} if self.label else {})
        return [metric]


def _exemplar(context: Context, value: float, at: float) -> Exemplar:
    return Exemplar({"trace_id": context.trace_id.hex(), "span_id": context.span_id.hex()}, value, at)


def _le(bound: float) -> str:
    """An upper bound as the library writes it."""
    return "+Inf" if bound == math.inf else repr(float(bound))
