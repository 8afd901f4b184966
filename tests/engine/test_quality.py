"""How good the clusters are, on albums made of a known mixture; and the algorithms to choose from."""

from importlib.metadata import EntryPoint

import numpy as np
import pytest

from sploot_clusterd.engine import Params, algorithm, load_algorithm
from sploot_clusterd.errors import ConfigError

from .pet import Pet, insight, job, photos


def album(seed, images=90, groups=5, dimension=64):
    """Vectors with a large common part, groups of unequal size, and noise as long as what tells groups apart."""
    rng = np.random.default_rng(seed)
    common = 3.0 * rng.normal(size=dimension)
    centres = rng.normal(size=(groups, dimension))
    truth = rng.choice(groups, size=images, p=rng.dirichlet(np.full(groups, 3.0)))
    return common + centres[truth] + 0.7 * rng.normal(size=(images, dimension)), truth


def clustered(vectors, params, step=4):
    """Cluster numbers of all images after jobs in order of arrival, as a reader sees them."""
    pet = Pet(params)
    for number, start in enumerate(range(0, len(vectors), step)):
        images = [insight(f"{n}", vectors[n]) for n in range(start, min(start + step, len(vectors)))]
        pet.apply(job(number, *images))
    found = np.full(len(vectors), -1)
    for cluster, names in enumerate(pet.members().values()):
        found[[int(name) for name in names]] = cluster
    lone = np.flatnonzero(found < 0)
    found[lone] = len(vectors) + lone
    return found


def pair_scores(truth, found):
    """(precision, recall) over pairs of images that are together."""
    together, same = found[:, None] == found, truth[:, None] == truth
    pairs = np.triu(np.ones_like(same), 1)
    both = (together & same & pairs).sum()
    return both / max((together & pairs).sum(), 1), both / (same & pairs).sum()


SHOW_ALL = {"max_cluster_size": 1000}


def test_the_mixture_finds_the_groups_of_an_album():
    scores = [pair_scores(truth, clustered(vectors, Params(**SHOW_ALL))) for vectors, truth in map(album, range(6))]

    precision, recall = np.mean(scores, axis=0)

    assert precision > 0.95
    assert recall > 0.85


def test_the_order_of_arrival_hardly_matters():
    vectors, truth = album(1)
    recalls = []
    for seed in range(4):
        order = np.random.default_rng(seed).permutation(len(vectors))
        precision, recall = pair_scores(truth[order], clustered(vectors[order], Params(**SHOW_ALL)))
        assert precision > 0.9
        recalls.append(recall)

    assert max(recalls) - min(recalls) < 0.15


def test_a_capped_album_still_finds_its_groups():
    vectors, truth = album(2, images=150)

    precision, recall = pair_scores(truth, clustered(vectors, Params(max_cells=40, **SHOW_ALL)))

    assert precision > 0.9
    assert recall > 0.7


def test_copies_of_one_photo_make_one_cluster():
    found = clustered(np.tile(album(3)[0][:1], (40, 1)), Params(**SHOW_ALL))

    assert set(found) == {0}


def test_average_linkage_is_exact():
    vectors, truth = album(4, images=60)
    vectors -= vectors.mean(axis=0)

    found = clustered(vectors, Params(algorithm="average_linkage", linkage_distance=0.8, **SHOW_ALL))

    assert pair_scores(truth, found) == (1.0, 1.0)


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

    def due(self, moved, _settled, _params):
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
