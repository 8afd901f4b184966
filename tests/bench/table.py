"""The figures as tables: one on the terminal, and one for each group of them in docs/performance.md."""

import statistics
from collections.abc import Sequence
from typing import Final

from tests.bench.figure import Figure
from tests.docs.tables import replaced

HEAD: Final = "| figure | unit | clusterd | bare | ratio | load |\n|---|---|---|---|---|---|"
_MANY: Final = 100.0
"""From here on no decimals are shown."""


def row(figure: Figure) -> str:
    """Medians, with lowest and highest in brackets; the load is that of the machine in the last minute."""
    bare = _number(statistics.median(figure.bare)) if figure.bare else "-"
    columns = (figure.name, figure.unit, middle(figure.ours), bare, middle(figure.ratios))
    return f"| {' | '.join(columns)} | {figure.load:.1f} |"


def refreshed(page: str, group: str, figures: Sequence[Figure]) -> str:
    """The page with the group's figures between its two marks, `<!-- table GROUP -->` and its end."""
    return replaced(page, group, "\n".join([HEAD, *map(row, figures)]))


def middle(values: Sequence[float]) -> str:
    """Median and, where there are several, the lowest and highest in brackets."""
    if not values:
        return "-"
    median = _number(statistics.median(values))
    return median if len(values) == 1 else f"{median} ({_number(min(values))} .. {_number(max(values))})"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= _MANY else f"{value:.2g}" if abs(value) < 1.0 else f"{value:.3g}"
