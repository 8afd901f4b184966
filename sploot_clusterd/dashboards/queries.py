"""Queries in Prometheus' language over the daemon's metrics, by what they are for. Names are given without prefix."""

from typing import Final, NamedTuple

from sploot_clusterd.metrics import PREFIX

CHOSEN: Final = '{job=~"$job",instance=~"$instance"}'
"""The processes that the dashboard's variables choose."""
_WINDOW: Final = "[$__rate_interval]"
_QUANTILES: Final = (0.5, 0.9, 0.99)


class Query(NamedTuple):
    """`legend` names the series in Grafana's way: `{{label}}` is that label's value."""

    expression: str
    legend: str


Queries = tuple[Query, ...]


def rate(counter: str, by: str = "") -> Queries:
    """A counter's increase a second, of all processes; a series for each value of the label `by` (or several)."""
    return _aggregate("sum", f"rate({PREFIX}{counter}{CHOSEN}{_WINDOW})", by, counter)


def total(gauge: str, by: str = "") -> Queries:
    """A gauge that each process has a part of."""
    return _aggregate("sum", f"{PREFIX}{gauge}{CHOSEN}", by, gauge)


def largest(gauge: str, by: str = "") -> Queries:
    """A gauge of which all processes report the same, or the worst counts."""
    return _aggregate("max", f"{PREFIX}{gauge}{CHOSEN}", by, gauge)


def smallest(gauge: str, by: str = "") -> Queries:
    """A gauge of which the least counts."""
    return _aggregate("min", f"{PREFIX}{gauge}{CHOSEN}", by, gauge)


def each(gauge: str) -> Queries:
    """A gauge of every process."""
    return largest(gauge, "instance")


def quantiles(histogram: str) -> Queries:
    """The median, and what nine and ninety-nine of a hundred stay below."""
    return tuple(Query(_quantile(q, histogram, "le"), f"p{q * 100:.0f}") for q in _QUANTILES)


def slowest(histogram: str, by: str) -> Queries:
    """What ninety-nine of a hundred stay below, for each value of a label."""
    return (Query(_quantile(0.99, histogram, f"{by}, le"), f"{{{{{by}}}}}"),)


def average(histogram: str) -> Queries:
    """The mean of what was observed."""
    sums = (f"sum(rate({PREFIX}{histogram}_{part}{CHOSEN}{_WINDOW}))" for part in ("sum", "count"))
    return (Query(" / ".join(sums), "mean"),)


def _quantile(q: float, histogram: str, by: str) -> str:
    return f"histogram_quantile({q}, sum by ({by}) (rate({PREFIX}{histogram}_bucket{CHOSEN}{_WINDOW})))"


def _aggregate(function: str, inner: str, by: str, name: str) -> Queries:
    if not by:
        return (Query(f"{function}({inner})", name.removesuffix("_total").replace("_", " ")),)
    legend = " ".join(f"{{{{{label.strip()}}}}}" for label in by.split(","))
    return (Query(f"{function} by ({by}) ({inner})", legend),)
