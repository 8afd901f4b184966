"""What a figure is: values of the daemon beside those of a bare baseline, taken in turns."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Size:
    """How much is measured: seconds of HTTP load, jobs in the stream, repeats, images an album, pets whose albums are
    weighed, pets of a whole fleet, seconds of idling, connections, open pages; jobs a read, consumers and lengths to
    compare.
    """

    seconds: float = 3.0
    jobs: int = 5000
    repeats: int = 3
    albums: tuple[int, ...] = (100, 300, 1000, 3000, 10_000)
    pets: int = 20
    fleet: int = 3000
    idle_seconds: float = 30.0
    connections: int = 32
    pages: int = 50
    batches: tuple[int, ...] = (1, 4, 16, 64, 256)
    consumers: tuple[int, ...] = (1, 2, 4)
    lengths: tuple[int, ...] = (64, 256, 512, 1280, 4096)


@dataclass
class Figure:
    """One row of the table. `bare` is empty where there is no baseline to divide by."""

    name: str
    unit: str
    ours: list[float]
    bare: list[float] = field(default_factory=list)
    load: float = field(default_factory=lambda: os.getloadavg()[0])
    """The machine's one-minute load when the figure was taken."""
    over: str = ""
    """What the figure was taken at several values of, if it is a point of a curve ..."""
    at: float = 0.0
    """... and its value here."""

    @property
    def ratios(self) -> list[float]:
        """Each repeat's own: ours over bare."""
        return [ours / bare for ours, bare in zip(self.ours, self.bare, strict=True)] if self.bare else []


Measure = Callable[[Size], list[Figure]]
