"""`clusterd eval` on albums made here: what it reads and refuses, which albums it takes, what it prints and writes."""

import json
from pathlib import Path

import numpy as np
import pytest

from sploot_clusterd.cli import main
from sploot_clusterd.engine import Params
from sploot_clusterd.errors import ConfigError
from sploot_clusterd.evaluate.albums import LabelledAlbum, read_albums
from sploot_clusterd.evaluate.replay import Session, replay
from tests.evaluate.collection import arrays


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
    for column in json.loads(out.read_text()).values():
        figures = column["figures"]
        assert figures["purity"] > 0.95
        assert figures["bcubed_f1"] > 0.9
        assert figures["hero_precision"] == figures["hero_undegraded"] == 1.0
        assert 0 <= figures["churn_from_30_images"] < 0.1
        assert figures["microseconds_an_image"] > 0


def test_the_figures_are_means_of_the_albums(file: Path, tmp_path: Path):
    out = tmp_path / "figures.json"
    assert main(["eval", str(file), "--json", str(out)]) == 0
    column = json.loads(out.read_text())["mixture"]
    assert [(album["name"], album["images"], album["labels"]) for album in column["albums"]] == [
        ("album-0", 60, 4),
        ("album-1", 60, 4),
    ]
    assert column["shuffled_bcubed_f1"] == []
    for name in ("purity", "bcubed_f1", "ari", "k_ratio", "churn"):
        assert column["figures"][name] == pytest.approx(np.mean([album[name] for album in column["albums"]]))


def test_only_so_many_albums_and_another_composition(file: Path, tmp_path: Path, capsys):
    other = tmp_path / "composition.npz"
    np.savez(other, album_offset=np.array([0, 3, 5]), album_member=np.array([0, 1, 2, 20, 21]))
    assert main(["eval", str(file), "--albums", str(other), "--first", "1", "--job-size", "1"]) == 0
    assert "1 albums, 3 images, jobs of 1 to 1 images" in capsys.readouterr().out


def test_only_albums_of_some_sizes_each_with_the_same_jobs_as_among_all(file: Path, tmp_path: Path, capsys):
    other, out = tmp_path / "composition.npz", tmp_path / "out.json"
    np.savez(other, album_offset=np.array([0, 3, 33, 43]), album_member=np.arange(43))
    command = ["eval", str(file), "--albums", str(other), "--json", str(out)]

    def by_name(*more: str) -> dict:
        assert main([*command, *more]) == 0
        albums = json.loads(out.read_text())["mixture"]["albums"]
        return {album.pop("name"): {k: v for k, v in album.items() if k[0] != "m"} for album in albums}

    every = by_name()
    assert by_name("--sizes", "10:30") == {name: every[name] for name in ("album-1", "album-2")}
    assert by_name("--sizes", "10:30", "--first", "1") == {"album-1": every["album-1"]}
    capsys.readouterr()
    assert main([*command, "--sizes", "31:99"]) == 2
    assert "those of " in (err := capsys.readouterr().err)
    assert "have 3 to 30 images" in err


@pytest.mark.parametrize("text", ["30", "30:", ":30", "0:30", "30:20", "a:b"])
def test_sizes_are_two_whole_numbers(file: Path, text: str, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["eval", str(file), "--sizes", text])
    assert "expected MIN:MAX" in capsys.readouterr().err


def test_shuffles_tell_how_much_the_order_of_arrival_matters(file: Path, tmp_path: Path, capsys):
    out = tmp_path / "out.json"
    command = ["eval", str(file), "--algorithm", "mixture", "--algorithm", "average_linkage", "--shuffle", "3"]
    assert main([*command, "--json", str(out)]) == 0
    linkage = json.loads(out.read_text())["average_linkage"]
    assert linkage["shuffled_bcubed_f1"] == [pytest.approx(linkage["figures"]["bcubed_f1"])] * 3, "it knows no order"
    printed = capsys.readouterr().out
    assert "\nmixture: B-cubed F1 " in printed
    assert " in 3 shuffled orders of arrival, a spread of 0.0000\n" in printed


def test_a_shuffled_album_holds_the_same_images():
    one = arrays()
    pose = one["embedding"].astype(np.float32)[:, :8]
    album = LabelledAlbum(
        5, one["embedding"].astype(np.float32), one["label"], one["quality"], one["degraded"], {"pose": pose}
    )

    def images(some: LabelledAlbum) -> list:
        insights = [some.insight(at) for at in range(len(some))]
        vectors = [tuple(vector.tobytes() for vector in insight.vectors.values()) for insight in insights]
        qualities = [insight.quality for insight in insights]
        return list(zip(vectors, qualities, some.label.tolist(), some.degraded.tolist(), strict=True))

    assert images(album.shuffled(1)) != images(album)
    assert sorted(images(album.shuffled(1))) == sorted(images(album))
    assert images(album.shuffled(1)) == images(album.shuffled(1)) != images(album.shuffled(2))


def test_other_kinds_are_sent_where_an_image_has_them(tmp_path: Path):
    pose = np.ones((60, 3))
    pose[1] = 0.0
    np.savez(tmp_path / "albums.npz", **arrays() | {"pose": pose, "album_member": np.arange(60).repeat(2)})
    album = read_albums(tmp_path / "albums.npz")[0]
    assert [sorted(album.insight(at).vectors) for at in (0, 2)] == [["embedding", "pose"], ["embedding"]]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"label": None}, "lacks label"),
        ({"album_offset": None}, "lacks album_offset"),
        ({"embedding": np.zeros((3, 4))}, r"embedding: expected \[60, d\]"),
        ({"pose": np.zeros(60)}, r"pose: expected \[60, d\]"),
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
    (tmp_path / "empty.npz").touch()
    np.save(tmp_path / "single.npy", np.arange(3))
    for command in (["eval", str(tmp_path / name)] for name in ("text.npz", "empty.npz", "single.npy", "none.npz")):
        assert main(command) == 2
        assert "expected an .npz file" in capsys.readouterr().err
    assert main(["eval", str(file), "--algorithm", "nonsense"]) == 2
    assert "available: average_linkage, mixture" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        main(["eval", str(file), "--first", "0"])


@pytest.mark.parametrize("option", ["--json", "--report"])
def test_a_file_that_cannot_be_written_is_found_out_before_anything_is_measured(
    file: Path, tmp_path: Path, option: str, capsys
):
    for path in (tmp_path, tmp_path / "none" / "out"):
        assert main(["eval", str(file), option, str(path)]) == 2
        said = capsys.readouterr()
        assert f"{path}: cannot be written: name a file" in said.err
        assert said.out == ""


def test_a_degraded_hero_counts_as_wrong():
    labels = np.zeros(4, dtype=np.int64)
    same = np.tile(np.array([1.0, 0.0], dtype=np.float32), (4, 1))
    quality, degraded = np.array([0.2, 0.2, 0.9, 0.2]), np.array([0, 0, 1, 0])
    result = replay(LabelledAlbum(0, same, labels, quality, degraded), Params(), 4, seed=0)
    assert result.heroes == (1, 0, 0), "the engine sees quality only, and here it misleads"
    fair = replay(LabelledAlbum(0, same, labels, quality, 1 - degraded), Params(), 4, seed=0)
    assert fair.heroes == (1, 1, 1)


def test_a_session_is_the_same_however_jobs_are_cut():
    one = arrays()
    album = LabelledAlbum(0, one["embedding"].astype(np.float32), one["label"])
    assert replay(album, Params(), 8, seed=3).scores == replay(album, Params(), 8, seed=3).scores
    session = Session("a", Params())
    assert session.clusters([]).tolist() == []
