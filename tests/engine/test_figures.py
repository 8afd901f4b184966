"""The figure that tells without labels how well clusters are set apart."""

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sploot_clusterd.engine import Params, decode_album
from sploot_clusterd.engine.quality import silhouette
from sploot_clusterd.engine.statistics import Cells
from tests.engine.pet import Pet, direction, insight, job, photos


def images(count, dimension=8, seed=0):
    vectors = np.random.default_rng(seed).normal(size=(count, dimension)) + 0.5
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def figure(vectors, groups, weights=None, counts=None, least=2):
    cells = Cells(vectors, np.ones(len(vectors)) if weights is None else weights)
    counts = np.ones(len(vectors), dtype=np.int64) if counts is None else counts
    return silhouette(cells, counts, np.asarray(groups), cells.about(16.0), least)


def by_pairs(vectors, groups):
    """Rousseeuw's definition, image by image, on distances of centred vectors."""
    cells = Cells(vectors, np.ones(len(vectors)))
    towards = cells.centred(cells.about(16.0)).astype(np.float64)
    distances = 1 - towards @ towards.T
    found = []
    for n, group in enumerate(groups):
        means = {g: distances[n, (groups == g) & (np.arange(len(groups)) != n)] for g in set(groups)}
        own = means.pop(group)
        nearest = min(each.mean() for each in means.values())
        found.append((nearest - own.mean()) / max(nearest, own.mean()) if len(own) else 0.0)
    return np.mean(found)


@given(st.lists(st.integers(0, 3), min_size=2, max_size=14), st.integers(0, 20))
def test_of_single_images_it_is_the_silhouette_of_all_pairs(groups, seed):
    groups = np.array(groups)
    vectors = images(len(groups), seed=seed)

    found = figure(vectors, groups, least=1)

    if len(set(groups)) < 2:
        assert found is None
    else:
        assert found == pytest.approx(by_pairs(vectors, groups), abs=1e-4)
        assert -1 <= found <= 1


def test_copies_in_one_cell_count_as_so_many_images():
    vectors = images(6)
    together = np.array([3, 1, 1, 1, 1, 1])

    apart = figure(np.repeat(vectors, together, axis=0), np.repeat([0, 0, 0, 1, 1, 1], together))
    joined = figure(
        vectors * together[:, None].astype(np.float32), [0, 0, 0, 1, 1, 1], together.astype(float), together
    )

    assert joined == pytest.approx(apart, abs=1e-4)


def test_groups_too_small_to_be_shown_are_left_out():
    vectors = images(7)

    assert figure(vectors, [5, 5, 5, 2, 2, 2, 9]) == pytest.approx(
        silhouette_of_part(vectors, [0, 0, 0, 1, 1, 1]), abs=1e-6
    )
    assert figure(vectors, [0, 0, 0, 0, 0, 1, 2]) is None
    assert figure(vectors[:0], np.zeros(0, np.int64)) is None


def silhouette_of_part(vectors, groups):
    """Of the first images alone, though centred with all of them."""
    about = Cells(vectors, np.ones(len(vectors))).about(16.0)
    part = Cells(vectors[: len(groups)], np.ones(len(groups)))
    about = about._replace(scales=about.scales[: len(groups)])
    return silhouette(part, np.ones(len(groups), np.int64), np.array(groups), about, 2)


def test_images_count_by_their_weight():
    vectors = np.vstack([np.repeat(np.eye(2, 6), 3, axis=0), -np.eye(6)[4:5]]).astype(np.float32)
    groups = [0, 0, 0, 1, 1, 1, 1]
    light = np.array([1, 1, 1, 1, 1, 1, 0.2])

    assert figure((vectors.T * light).T.astype(np.float32), groups, light) > figure(vectors, groups) + 0.05


def test_it_falls_as_clusters_come_closer():
    found = []
    for spread in (0.1, 0.5, 1.0, 1.5):
        groups = np.repeat([0, 1, 2], 8)
        vectors = np.array([direction(group, spread, seed) for seed, group in enumerate(groups)])
        found.append(figure(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), groups))

    assert found == sorted(found, reverse=True)
    assert found[0] > 0.9
    assert found[-1] < 0.5


def test_the_view_tells_it_as_of_the_last_rebuild():
    pet = Pet(Params(rebuild_least=9))
    pet.apply(job(1, *photos([4, 4])))
    assert pet.view["metrics"]["silhouette"] is None
    pet.apply(job(2, *photos({2: 4})))
    first = pet.view["metrics"]["silhouette"]
    assert 0.5 < first < 1

    pet.apply(job(3, insight("g0-9", direction(0, 0.3, 9))))
    assert pet.view["metrics"]["silhouette"] == first
    pet.apply(job(4, force=True))
    assert pet.view["metrics"]["silhouette"] != first
    before = pet.album.silhouette
    assert pet.reload().silhouette == before


def test_with_one_cluster_left_there_is_none():
    pet = Pet(Params(rebuild_least=6))
    pet.apply(job(1, *photos([4, 4])))
    assert pet.album.silhouette is not None

    pet.apply(job(2, removed=["g1-0", "g1-1", "g1-2"]))

    assert pet.view["metrics"]["silhouette"] is None


def test_spaces_are_averaged_by_their_images():
    pet = Pet(Params(rebuild_least=6))
    pet.apply(job(1, *photos([4, 4], spread=0.1)))
    one = pet.album.silhouette
    others = [insight(f"other-{n}", direction(n % 2, 0.8, n)) for n in range(16)]
    pet.apply(job(2, *others, model_version="m@2"))

    values = [space.silhouette for space in pet.album.spaces.values()]

    assert values[0] == one
    assert pet.album.silhouette == pytest.approx((8 * values[0] + 16 * values[1]) / 24)
    assert values[1] < values[0]


def test_an_album_stored_before_there_was_one_is_read():
    pet = Pet(Params(rebuild_least=6))
    pet.apply(job(1, *photos([4, 4])))
    tables = pet.tables()
    head = msgspec.msgpack.decode(tables[b"head"])
    head[7] = [space[:7] for space in head[7]]

    album = decode_album("pet_123", {**tables, b"head": msgspec.msgpack.encode(head)})

    assert album.silhouette is None
    assert album.clusters == pet.album.clusters
