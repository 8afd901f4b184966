"""`clusterd eval` on albums made here: what it reads, what it refuses, and that its figures follow from the albums."""

import json
from pathlib import Path

import numpy as np
import pytest

from sploot_clusterd.cli import main
from sploot_clusterd.engine import Params
from sploot_clusterd.errors import ConfigError
from sploot_clusterd.evaluate.albums import LabelledAlbum, read_albums
from sploot_clusterd.evaluate.replay import Session, replay

_LABELS, _EACH, _DIMENSIONS = 4, 15, 64


def arrays(seed: int = 1) -> dict[str, np.ndarray]:
    """Two albums of four well separated labels, a third of the images degraded and of low quality."""
    rng = np.random.default_rng(seed)
    label = np.repeat(np.arange(_LABELS), _EACH)
    centres = rng.normal(size=(_LABELS, _DIMENSIONS))
    degraded = (np.arange(len(label)) % 3 == 0).astype(np.uint8)
    order = np.concatenate([rng.permutation(len(label)) for _ in range(2)])
    return {
        "embedding": (centres[label] + 0.3 * rng.normal(size=(len(label), _DIMENSIONS))).astype(np.float16),
        "label": label,
        "quality": np.where(degraded, 0.2, 0.8).astype(np.float32),
        "degraded": degraded,
        "album_offset": np.array([0, len(label), 2 * len(label)]),
        "album_member": order,
    }


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "albums.npz"
    np.savez(path, **arrays())
    return path


def test_easy_albums_get_nearly_perfect_figures_side_by_side(file: Path, tmp_path: Path, capsys):
    out = tmp_path / "figures.json"
    command = ["eval", str(file), "--algorithm", "mixture", "--algorithm", "average_linkage", "--json", str(out)]
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert "2 albums, 120 images, jobs of 1 to 8 images" in printed
    assert "| figure | mixture | average_linkage |" in printed
    for figures in json.loads(out.read_text()).values():
        assert figures["purity"] > 0.95
        assert figures["bcubed_f1"] > 0.9
        assert figures["hero_precision"] == figures["hero_undegraded"] == 1.0
        assert 0 <= figures["churn_from_30_images"] < 0.1
        assert figures["microseconds_an_image"] > 0


def test_only_so_many_albums_and_another_composition(file: Path, tmp_path: Path, capsys):
    other = tmp_path / "composition.npz"
    np.savez(other, album_offset=np.array([0, 3, 5]), album_member=np.array([0, 1, 2, 20, 21]))
    assert main(["eval", str(file), "--albums", str(other), "--first", "1", "--job-size", "1"]) == 0
    assert "1 albums, 3 images, jobs of 1 to 1 images" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"label": None}, "lacks label"),
        ({"album_offset": None}, "lacks album_offset"),
        ({"embedding": np.zeros((3, 4))}, r"embedding: expected \[60, d\]"),
        ({"album_offset": np.array([0, 5, 5])}, "album_offset"),
        ({"album_offset": np.array([0, 500])}, "album_offset"),
        ({"album_member": np.full(120, 60)}, "album_member: expected rows of embedding, 0 to 59"),
    ],
)
def test_files_that_do_not_fit_are_refused_by_name(tmp_path: Path, change: dict, says: str):
    given = {name: value for name, value in (arrays() | change).items() if value is not None}
    np.savez(tmp_path / "bad.npz", **given)
    with pytest.raises(ConfigError, match=says):
        read_albums(tmp_path / "bad.npz")


def test_what_is_no_archive_and_what_no_algorithm_end_with_usage(file: Path, tmp_path: Path, capsys):
    (tmp_path / "text.npz").write_text("no archive")
    for command in (["eval", str(tmp_path / "text.npz")], ["eval", str(tmp_path / "none.npz")]):
        assert main(command) == 2
        assert "expected an .npz file" in capsys.readouterr().err
    assert main(["eval", str(file), "--algorithm", "nonsense"]) == 2
    assert "available: average_linkage, mixture" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        main(["eval", str(file), "--first", "0"])


def test_a_degraded_hero_counts_as_wrong():
    labels = np.zeros(4, dtype=np.int64)
    same = np.tile(np.array([1.0, 0.0], dtype=np.float32), (4, 1))
    quality, degraded = np.array([0.2, 0.2, 0.9, 0.2]), np.array([0, 0, 1, 0])
    result = replay(LabelledAlbum("a", same, labels, quality, degraded), Params(), 4, seed=0)
    assert result.heroes == (1, 0, 0), "the engine sees quality only, and here it misleads"
    fair = replay(LabelledAlbum("a", same, labels, quality, 1 - degraded), Params(), 4, seed=0)
    assert fair.heroes == (1, 1, 1)


def test_a_session_is_the_same_however_jobs_are_cut():
    one = arrays()
    album = LabelledAlbum("a", one["embedding"].astype(np.float32), one["label"], None, None)
    assert replay(album, Params(), 8, seed=3).scores == replay(album, Params(), 8, seed=3).scores
    session = Session("a", Params())
    assert session.clusters([]).tolist() == []
