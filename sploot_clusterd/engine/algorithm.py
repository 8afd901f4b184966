"""Which grouping of cells an album gets: the contract of an algorithm, and how one is found by name."""

from functools import cache
from importlib.metadata import entry_points
from typing import Protocol

from sploot_clusterd.engine.mixture import Mixture
from sploot_clusterd.engine.params import Params
from sploot_clusterd.engine.statistics import Cells, Ints
from sploot_clusterd.errors import ConfigError

GROUP = "sploot_clusterd.engines"


class Algorithm(Protocol):
    """Groups the cells of one space into clusters. Pure: the same cells, in the same order, get the same groups.

    An entry point of the group `sploot_clusterd.engines` names a class (or a function) that, called without arguments,
    gives such an object. Cells come in the order in which they were founded.
    """

    @property
    def micro_cells(self) -> bool:
        """Whether near images share a cell and cells are capped; else each image is a cell of its own."""
        ...

    def due(self, moved: int, partitioned: int, params: Params) -> bool:
        """Whether to call `partition` after a job: `moved` images came or went since it saw `partitioned` images."""
        ...

    def attach(self, cells: Cells, groups: Ints, params: Params) -> int | None:
        """The group that a new image's cell, the last of `cells`, joins until the next `partition`; None founds one.

        `groups` [k - 1] numbers the present groups of the others from 0.
        """
        ...

    def partition(self, cells: Cells, params: Params) -> Ints:
        """A group number for each cell, [k]; which numbers are used does not matter."""
        ...


@cache
def load_algorithm(name: str) -> Algorithm:
    """A built-in algorithm or an installed one. Raises ConfigError naming what is available."""
    if name == "mixture":
        return Mixture()
    if name == "average_linkage":
        from sploot_clusterd.engine.linkage import AverageLinkage  # noqa: PLC0415 - scipy takes half of our memory

        return AverageLinkage()
    installed = {entry.name: entry for entry in entry_points(group=GROUP)}
    if name not in installed:
        available = ", ".join(sorted({"mixture", "average_linkage", *installed}))
        raise ConfigError(f"engine.algorithm: {name!r} is not installed; available: {available}")
    try:
        algorithm: Algorithm = installed[name].load()()
    except Exception as error:  # whatever a stranger's package raises while it loads
        raise ConfigError(f"engine.algorithm: {name!r} cannot be loaded: {error!r}") from error
    return algorithm
