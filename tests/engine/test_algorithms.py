"""The algorithms to choose from: the yardstick, and what other packages install."""

from importlib.metadata import EntryPoint

import numpy as np
import pytest

from sploot_clusterd.engine import Params, algorithm, load_algorithm
from sploot_clusterd.errors import ConfigError
from tests.engine.pet import Pet, job, photos


def test_average_linkage_is_exact():
    """Groups are found as they are, whose members are nearer to each other than the cut and farther from all others."""
    pet = Pet(Params(algorithm="average_linkage", linkage_distance=0.6))

    for group in (5, 1, 9):
        pet.apply(job(group, *photos({group: group})))

    assert sorted(map(len, pet.members().values())) == [5, 9]
    assert {len({image.split("-")[0] for image in images}) for images in pet.members().values()} == {1}
    assert pet.view["unclustered"] == ["g1-0"]


def test_average_linkage_keeps_ids_and_takes_removals():
    pet = Pet(Params(algorithm="average_linkage"))
    pet.apply(job(1, *photos([4, 4])))
    before = pet.members()
    assert sorted(map(len, before.values())) == [4, 4]

    pet.apply(job(2, removed=["g0-0"]))
    pet.apply(job(3, *photos({2: 1})))

    assert {key: sorted(set(names) - {"g0-0"}) for key, names in before.items()} == {
        key: sorted(names) for key, names in pet.members().items()
    }
    assert pet.view["unclustered"] == ["g2-0"]


class Alone:
    """Every cell a cluster of its own."""

    micro_cells = False

    def due(self, moved, _partitioned, _params):
        return moved > 0

    def attach(self, _cells, _groups, _params):
        return None

    def partition(self, cells, _params):
        return np.arange(len(cells.weights))


@pytest.fixture
def installed(monkeypatch):
    """Entry points as if other packages had them."""

    def install(**targets):
        entries = [EntryPoint(name, target, algorithm.GROUP) for name, target in targets.items()]
        monkeypatch.setattr(algorithm, "entry_points", lambda group: [e for e in entries if e.group == group])

    load_algorithm.cache_clear()
    yield install
    load_algorithm.cache_clear()


def test_an_installed_algorithm_is_used(installed):
    installed(alone=f"{__name__}:Alone")
    pet = Pet(Params(algorithm="alone"))

    pet.apply(job(1, *photos([3, 3])))

    assert len(pet.album.clusters) == 6
    assert pet.clusters == []


def test_an_unknown_algorithm_is_refused_with_those_there_are(installed):
    installed(alone=f"{__name__}:Alone")

    with pytest.raises(ConfigError, match=r"engine.algorithm: 'kmeans' .*alone, average_linkage, mixture"):
        load_algorithm("kmeans")


@pytest.mark.parametrize("target", ["no.such.module:Thing", f"{__name__}:Missing"])
def test_an_algorithm_that_does_not_load_is_refused(installed, target):
    installed(broken=target)

    with pytest.raises(ConfigError, match="'broken' cannot be loaded"):
        load_algorithm("broken")


def test_a_partition_of_the_wrong_length_is_an_error(installed, monkeypatch):
    installed(alone=f"{__name__}:Alone")
    monkeypatch.setattr(Alone, "partition", lambda *_: np.arange(1))

    with pytest.raises(ValueError, match="partition gave"):
        Pet(Params(algorithm="alone")).apply(job(1, *photos([3])))
