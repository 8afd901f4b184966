"""`clusterd eval --profile`: by what images are compared in each mode, and what is said of it."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sploot_clusterd.cli import main
from sploot_clusterd.engine import Params, Profile, decode_profile, encode_profile
from sploot_clusterd.errors import ConfigError
from sploot_clusterd.evaluate.albums import LabelledAlbum
from sploot_clusterd.evaluate.cross_validation import learn_folds
from sploot_clusterd.evaluate.fleet import adopted
from sploot_clusterd.evaluate.modes import Given, Online, Ran, mode
from sploot_clusterd.evaluate.replay import Replay, replay
from tests.evaluate.collection import ALBUMS, DIMENSION, IMAGES, collection, saved

MOST, SEED = 8, 3


@pytest.fixture(scope="module")
def profile(fleet_file: Path) -> Profile:
    """Learned from fold 1, and named as another fleet would name it."""
    return replace(learn_folds(fleet_file, None).profiles[0], model_version="clip-b32", generation=7, settled=False)


@pytest.fixture(scope="module")
def exported(profile: Profile, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("profile") / "clip-b32.profile"
    path.write_bytes(encode_profile(profile))
    return path


def ran(by: Given | Online, albums: list[LabelledAlbum], seed: int = 0) -> Ran:
    return by.run((Replay(album, Params(), MOST, SEED + album.number) for album in albums), seed, lambda _: None)


def clusters(some: Ran) -> list[list[int]]:
    return [result.clusters.tolist() for result in some.results]


def alone(album: LabelledAlbum, *profiles: Profile) -> list[int]:
    return replay(album, Params(), MOST, SEED + album.number, adopted(*profiles)).clusters.tolist()


def test_online_a_profile_is_learned_and_every_album_ends_with_the_newest(albums: list[LabelledAlbum]):
    results, learning = ran(Online(), albums)

    assert learning is not None
    assert list(learning.profiles) == ["generation 1", "generation 2"], "a first, small one and one with axes"
    assert learning.profiles["generation 1"].sampled < 300
    assert 300 <= learning.profiles["generation 2"].sampled < 308, "as soon as a job brought the sample so far"
    assert [result.generation for result in results] == [2] * ALBUMS
    assert learning.told.startswith("the profile came to generation 2, of 30")
    assert " images and not settled; 50 of 50 albums ended with it; " in learning.told
    assert learning.told.endswith(f"{learning.seconds:.1f} seconds of learning")


def test_online_an_album_that_gets_no_job_after_the_newest_generation_stays_behind(albums: list[LabelledAlbum]):
    singles = [LabelledAlbum(100 + one.number, one.embedding[:1], one.label[:1]) for one in albums]
    results, learning = ran(Online(), [*albums, *singles])

    ended = [result.generation for result in results]
    assert learning is not None
    assert ended[:ALBUMS] == [2] * ALBUMS
    assert set(ended[ALBUMS:]) == {0, 1, 2}
    assert f"; {ended.count(2)} of {2 * ALBUMS} albums ended with it; " in learning.told


def test_online_the_seed_draws_the_turns(albums: list[LabelledAlbum]):
    def learned(seed: int) -> bytes:
        learning = ran(Online(), albums, seed).learning
        assert learning is not None
        return b"".join(map(encode_profile, learning.profiles.values()))

    assert learned(1) == learned(1) != learned(2)


def test_online_too_few_albums_to_learn_from_come_out_as_without_a_profile(albums: list[LabelledAlbum]):
    results, learning = ran(Online(), albums[:5])

    assert clusters(Ran(results, learning)) == clusters(ran(Given("no profile"), albums[:5]))
    assert learning is not None
    assert (learning.profiles, learning.seconds) == ({}, 0.0)
    assert learning.told.startswith(
        "no profile was learned: it takes 96 sampled images of 24 albums, and there are 40 of "
    )


def test_without_a_profile_albums_have_none(albums: list[LabelledAlbum], fleet_file: Path):
    results, learning = ran(mode("none", fleet_file, None, albums), albums)

    assert learning is None
    assert {result.generation for result in results} == {0}
    assert [result.clusters.tolist() for result in results] == [alone(album) for album in albums]


def test_by_folds_each_album_is_compared_by_the_profile_of_the_other_fold(
    fleet_file: Path, albums: list[LabelledAlbum]
):
    found = ran(mode("folds", fleet_file, None, albums), albums)
    profiles = learn_folds(fleet_file, None).profiles

    assert clusters(found) == [alone(album, profiles[album.number % 2]) for album in albums]
    assert clusters(found) != [alone(album, profiles[1 - album.number % 2]) for album in albums]
    assert found.learning is not None
    assert list(found.learning.profiles) == ["for fold 0", "for fold 1"]
    assert found.learning.told.startswith("2 profiles, of 600 and 600 images; ")


def test_a_profile_is_learned_from_all_images_of_the_other_fold_and_no_others(tmp_path: Path):
    arrays = collection()
    of_image = arrays["label_fold"][arrays["label"]]
    altered = arrays | {"embedding": np.where(of_image[:, None] == 0, -arrays["embedding"], arrays["embedding"])}
    once, again = (
        learn_folds(saved(tmp_path / f"{n}.npz", each), None).profiles for n, each in enumerate((arrays, altered))
    )

    assert encode_profile(once[0]) == encode_profile(again[0])
    assert encode_profile(once[1]) != encode_profile(again[1])
    for fold, profile in once.items():
        vectors = arrays["embedding"][of_image != fold]
        assert profile.settled
        assert profile.sampled == len(vectors)
        assert profile.kinds["embedding"].mean == pytest.approx(vectors.mean(axis=0), abs=1e-4)


def test_images_in_no_album_are_learned_from_too(tmp_path: Path, fleet_file: Path):
    few = {"album_offset": np.array([0, 24, 48]), "album_member": np.arange(48), "album_fold": np.array([0, 1])}
    composition = saved(tmp_path / "few.npz", few | {"label_fold": collection()["label_fold"]})

    assert [profile.sampled for profile in learn_folds(fleet_file, composition).profiles.values()] == [600, 600]


def test_a_profile_from_a_file_is_for_all_albums(
    exported: Path, profile: Profile, fleet_file: Path, albums: list[LabelledAlbum]
):
    found = ran(mode(exported, fleet_file, None, albums[:10]), albums[:10])

    same = replace(decode_profile(encode_profile(profile)), model_version="eval", generation=1, settled=True)
    assert clusters(found) == [alone(album, same) for album in albums[:10]]
    assert found.learning is not None
    assert found.learning.told == "the profile is generation 7 of 'clip-b32', of 600 images"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"album_fold": None}, "lacks album_fold; it has album_member, album_offset, "),
        ({"label_fold": None, "album_fold": None}, "lacks album_fold, label_fold; it has "),
        ({"album_fold": np.zeros(3)}, r"album_fold: expected \[50\], a fold for each album"),
        ({"label_fold": np.zeros(3)}, "label_fold: expected a fold for each label, those from 0 to "),
        ({"label": np.full(ALBUMS * IMAGES, -1)}, "label_fold: expected a fold for each label"),
        ({"label": np.zeros(ALBUMS * IMAGES)}, "label: expected whole numbers"),
        (
            {"album_fold": np.arange(ALBUMS), "label": np.zeros(ALBUMS * IMAGES, int), "label_fold": np.zeros(1)},
            "label_fold: 0 images have labels of other folds than 0, and a profile takes 300 that have vectors",
        ),
    ],
)
def test_arrays_that_give_no_folds_are_refused_by_name(tmp_path: Path, change: dict, says: str):
    given = {name: value for name, value in (collection() | change).items() if value is not None}
    path = saved(tmp_path / "bad.npz", given)
    with pytest.raises(ConfigError, match=says):
        learn_folds(path, None)


@pytest.mark.parametrize(
    ("name", "change", "says"),
    [
        ("none.profile", None, "No such file or directory: give a file that can be read"),
        ("text.profile", b"text", "give a file that `clusterd profile export` wrote"),
        (
            "long.profile",
            {"embedding": 2 * DIMENSION},
            "embedding: the profile is for 64 values, and the albums have 32",
        ),
        ("pose.profile", {"pose": 8}, "the profile is for pose, and the albums have embedding"),
        ("empty.profile", {}, "the profile is for nothing, and the albums have embedding"),
    ],
)
def test_a_profile_that_does_not_fit_ends_with_usage(
    tmp_path: Path, fleet_file: Path, profile: Profile, name: str, *, change: object, says: str, capsys
):
    path = tmp_path / name
    if isinstance(change, bytes):
        path.write_bytes(change)
    elif isinstance(change, dict):
        one = profile.kinds["embedding"]
        kinds = {
            kind: replace(
                one, mean=np.resize(one.mean, length), axes=np.eye(2, length, dtype=np.float32), scales=one.scales[:2]
            )
            for kind, length in change.items()
        }
        path.write_bytes(encode_profile(replace(profile, kinds=kinds)))
    assert main(["eval", str(fleet_file), "--profile", str(path)]) == 2
    said = capsys.readouterr()
    assert f"--profile: {path}: " in said.err
    assert says in said.err
    assert said.out == "", "nothing was measured in vain"


@pytest.mark.parametrize(
    ("chosen", "says", "profiles"),
    [
        ("none", ["no profile"], []),
        (
            "online",
            ["a profile learned online", "mixture: the profile came to generation 2"],
            ["generation 1", "generation 2"],
        ),
        ("folds", ["profiles learned on the other folds", "mixture: 2 profiles, "], ["for fold 0", "for fold 1"]),
        ("FILE", ["clip-b32.profile", "mixture: the profile is generation 7 of "], ["given"]),
    ],
)
def test_each_mode_does_all_that_an_evaluation_can_do(
    fleet_file: Path, exported: Path, tmp_path: Path, *, chosen: str, says: list[str], profiles: list[str], capsys
):
    out, page = tmp_path / "out.json", tmp_path / "report.html"
    command = ["eval", str(fleet_file), "--profile", str(exported) if chosen == "FILE" else chosen, "--shuffle", "1"]
    command += ["--sizes", "20:30", "--job-size", "5", "--json", str(out), "--report", str(page)]

    assert main(command) == 0

    printed = capsys.readouterr().out
    for text in (printed, page.read_text()):
        assert f"{ALBUMS} albums, {ALBUMS * IMAGES} images, jobs of 1 to 5 images, " in text
        assert [each for each in says if each not in text] == []
        assert "mixture: B-cubed F1 " in text
    column = json.loads(out.read_text())["mixture"]
    assert list(column["profiles"]) == profiles
    assert {album["profile_generation"] for album in column["albums"]} == {
        2 if chosen == "online" else int(bool(profiles))
    }
    assert len(column["shuffled_bcubed_f1"]) == 1


@pytest.mark.parametrize(("enabled", "title"), [("true", "a profile learned online"), ("false", "no profile")])
def test_by_default_it_is_as_the_daemon_would_do_it(fleet_file: Path, tmp_path: Path, enabled: str, title: str, capsys):
    (tmp_path / "config.toml").write_text(f"[profiles]\nenabled = {enabled}\n")
    assert main(["eval", str(fleet_file), "--first", "1", "--config", str(tmp_path / "config.toml")]) == 0
    assert f" images, {title}\n" in capsys.readouterr().out


def test_profile_takes_a_mode_or_a_file(fleet_file: Path, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["eval", str(fleet_file), "--profile", ""])
    assert "expected one of none, online, folds, or a file" in capsys.readouterr().err
