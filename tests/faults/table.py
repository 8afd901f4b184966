"""The table of results: a row for each experiment, over all its seeds."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from tests.faults.harm import Outcome

_PLACE = re.compile(r"(?<=<!-- table faults -->\n).*(?=<!-- end of table faults -->)", re.DOTALL)


@dataclass
class Row:
    """Counts are sums over the seeds, figures the worst of them."""

    HEAD: ClassVar[Sequence[str]] = (
        "| experiment | runs | harms | accepted | once | twice | never | dead letters | besides | seconds |",
        "|---|---|---|---|---|---|---|---|---|---|",
    )
    name: str
    passed: bool = True
    runs: int = 0
    harms: int = 0
    once: int = 0
    twice: int = 0
    never: int = 0
    dead_letters: int = 0
    figures: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0

    def add(self, outcome: Outcome, seconds: float) -> None:
        counts = outcome.verdict
        self.passed &= not outcome.breaches and not outcome.too_slow()
        self.runs += 1
        self.harms += outcome.harms
        self.once += counts.once
        self.twice += counts.twice + counts.uninvited
        self.never += counts.never
        self.dead_letters += counts.dead_letters
        self.figures = {name: max(value, self.figures.get(name, value)) for name, value in outcome.figures.items()}
        self.seconds += seconds

    def __str__(self) -> str:
        besides = "; ".join(f"{name}: {_short(value)}" for name, value in self.figures.items())
        cells: Sequence[object] = (
            self.name if self.passed else f"{self.name} (failed)",
            self.runs,
            self.harms,
            *(self.once + self.never, self.once, self.twice, self.never, self.dead_letters),
            besides or "-",
            round(self.seconds),
        )
        return f"| {' | '.join(map(str, cells))} |"


def refreshed(page: str, row: Row, order: Sequence[str]) -> str:
    """The page with this row in its table, in place of the experiment's earlier one. Rows stay in `order`."""
    (old,) = _PLACE.findall(page)
    rows = {line.split(" | ")[0].removeprefix("| ").removesuffix(" (failed)"): line for line in old.splitlines()[2:]}
    rows[row.name] = str(row)
    lines = [*Row.HEAD, *(rows[name] for name in order if name in rows)]
    return _PLACE.sub(lambda _: "\n".join(lines) + "\n", page)


def _short(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.2f}"
