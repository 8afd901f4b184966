"""The simulated user of `clusterd eval --questions`: truthful answers, what they gain, and that they hold."""

import json
from pathlib import Path

import numpy as np
import pytest

from sploot_clusterd.cli import main
from sploot_clusterd.engine import NO_PROFILES, Params
from sploot_clusterd.evaluate.albums import LabelledAlbum
from sploot_clusterd.evaluate.answers import AskedReplay, GuessedReplay
from sploot_clusterd.evaluate.gains import Gains
from sploot_clusterd.evaluate.modes import Online
from sploot_clusterd.evaluate.replay import Replay
from sploot_clusterd.model import Apart, Merge, Move, Split, Stay
from sploot_clusterd.view import Belongs, Same


def groups(sizes, label) -> LabelledAlbum:
    """Looks that are far apart; images of a label may be in several."""
    looks = np.repeat(np.arange(len(sizes)), sizes)
    vectors = np.eye(16)[looks] + 0.02 * np.random.default_rng(1).normal(size=(len(looks), 16))
    return LabelledAlbum(0, vectors.astype(np.float32), np.array(label))


class Scripted(AskedReplay):
    """Is asked one question, and remembers what was answered."""

    ask = None

    def question(self):
        asked, self.ask = self.ask, None
        return asked

    def correct(self, said, *more, **named):
        self.answers = said
        super().correct(said, *more, **named)


def answered(sizes, label, question):
    replay = Scripted(groups(sizes, label), Params(), len(label), 0, 1)
    while len(replay.steps) < len(replay.sizes):
        replay.step(NO_PROFILES)
    replay.ask = question
    assert replay.look(NO_PROFILES)
    assert replay.corrections.refused == replay.corrections.broken == 0
    return replay.answers


C = [f"album-0-cluster-{number}" for number in range(3)]


def belongs(*images) -> Belongs:
    return Belongs(images[0], C[1], 1.0, list(images))


@pytest.mark.parametrize(
    ("label", "question", "answer"),
    [
        ([7] * 8 + [9] * 4, Same([C[0], C[1]], 1.0), Merge([C[0], C[1]])),
        ([7] * 4 + [8] * 4 + [9] * 4, Same([C[0], C[1]], 1.0), Apart([C[0], C[1]])),
        ([7] * 4 + [8] * 4 + [9] * 4, belongs("img-5"), Stay(C[1], ["img-5"])),
        ([7] * 4 + [8, 7, 8, 8] + [9] * 4, belongs("img-5"), Move(["img-5"], C[0], asked=True)),
        ([7] * 4 + [8, 1, 8, 8] + [9] * 4, belongs("img-5"), Split(C[1], ["img-5"], asked=True)),
    ],
)
def test_the_user_answers_by_what_most_images_are(label, question, answer):
    assert answered([4, 4, 4], label, question) == [answer]


def test_of_each_photo_that_is_in_doubt_the_user_says_where_it_belongs():
    label = [7] * 4 + [8, 7, 8, 1, 8, 8] + [9] * 4
    assert answered([4, 6, 4], label, belongs("img-7", "img-5", "img-6")) == [
        Stay(C[1], ["img-6"]),
        Split(C[1], ["img-7"], asked=True),
        Move(["img-5"], C[0], asked=True),
    ]


@pytest.mark.parametrize("kind", [AskedReplay, GuessedReplay])
def test_answers_are_given_after_each_quarter_and_hold(albums: list[LabelledAlbum], kind):
    plain = [Replay(album, Params(), 8, album.number) for album in albums]
    asked = [kind(album, Params(), 8, album.number, 5) for album in albums]
    without, with_user = (Online().run(replays, 0, lambda _: None).results for replays in (plain, asked))

    gains = Gains.of(without, asked, with_user)

    assert 0 < gains.corrections <= 5
    assert (gains.refused, gains.broken) == (0, 0)


def test_the_command_prints_and_writes_what_answers_gain(fleet_file: Path, tmp_path: Path, capsys):
    out = tmp_path / "figures.json"

    assert main(["eval", str(fleet_file), "--first", "4", "--questions", "3", "--json", str(out)]) == 0

    printed = capsys.readouterr().out
    assert "| with questions | mixture |" in printed
    assert "| with random pairs | mixture |" in printed
    written = json.loads(out.read_text())["mixture"]
    assert set(written["questions"]) == set(written["random_pairs"]) == set(Gains._fields)
    assert written["corrections"] is None
