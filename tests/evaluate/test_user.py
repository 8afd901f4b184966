"""The simulated user of `clusterd eval --corrections`: what is corrected, what it gains, and that it holds."""

import json
from pathlib import Path

import numpy as np
import pytest

from sploot_clusterd.cli import main
from sploot_clusterd.engine import Params
from sploot_clusterd.evaluate.albums import LabelledAlbum
from sploot_clusterd.evaluate.gains import Gains
from sploot_clusterd.evaluate.modes import Online
from sploot_clusterd.evaluate.replay import Replay
from sploot_clusterd.evaluate.user import CorrectedReplay, broken, worst


def fault(label, clusters):
    found = worst(np.array(label), np.array(clusters))
    return found and (list(found.clusters), found.strangers.tolist(), found.harm)


@pytest.mark.parametrize(
    ("label", "clusters", "expected"),
    [
        ([7, 7, 7, 8, 8], [0, 0, 0, 1, 1], None),
        ([7, 7, 7, 7, 7, 8], [3, 3, 3, 5, 5, 6], ([3, 5], [], 2)),
        ([7, 7, 7, 8, 8, 9], [0] * 6, ([0], [3, 4], 2)),
        ([7, 7, 7, 8, 8, 8, 8, 7, 7], [0, 0, 0, 1, 1, 1, 1, 1, 1], ([1], [7, 8], 2)),
        ([7, 7, 7, 7, 7, 7, 8, 8, 8, 8, 9, 9], [0, 0, 0, 1, 1, 1, 2, 2, 2, 2, 2, 2], ([0, 1], [], 3)),
        ([7, 7, 8], [0, 0, 0], None),
        ([7, 7], [-1, -2], None),
        ([7, 7, 7, 7], [-1, 4, 4, -2], None),
    ],
)
def test_the_user_corrects_what_puts_most_images_in_the_wrong_place(label, clusters, expected):
    assert fault(label, clusters) == expected


@pytest.mark.parametrize(
    ("said", "clusters", "expected"),
    [
        ([-1, -1], [0, 0], 0),
        ([0, 0, 1, 1, -1], [4, 4, 5, 5, 5], 0),
        ([0, 0, 1, 1], [4, 5, 6, 6], 1),
        ([0, 0, 1, 1], [4, 4, 4, 4], 1),
        ([0, 0, 1, 2], [4, 5, 4, 4], 4),
    ],
)
def test_what_does_not_hold_is_counted(said, clusters, expected):
    assert broken(np.array(said), np.array(clusters)) == expected


@pytest.mark.parametrize("most", [1, 3, 8])
def test_corrections_are_made_after_each_quarter_and_gain_something(albums: list[LabelledAlbum], most):
    plain = [Replay(album, Params(), 8, album.number) for album in albums]
    corrected = [CorrectedReplay(album, Params(), 8, album.number, most) for album in albums]
    without, with_user = (Online().run(replays, 0, lambda _: None).results for replays in (plain, corrected))

    gains = Gains.of(without, corrected, with_user)

    assert 0 < gains.corrections <= most
    assert max(each.corrections.made for each in corrected) <= most
    assert (gains.refused, gains.broken) == (0, 0)
    assert most == 1 or gains.bcubed_f1.corrected > gains.bcubed_f1.without + 0.01
    assert [result.generation for result in without] == [result.generation for result in with_user]


def test_the_command_prints_and_writes_what_corrections_gain(fleet_file: Path, tmp_path: Path, capsys):
    out = tmp_path / "figures.json"

    assert main(["eval", str(fleet_file), "--first", "6", "--corrections", "4", "--json", str(out)]) == 0

    printed = capsys.readouterr().out
    assert "| with corrections | mixture |" in printed
    assert "| constraints broken | 0 |" in printed
    written = json.loads(out.read_text())["mixture"]["corrections"]
    assert set(written) == set(Gains._fields)
    without = json.loads(out.read_text())["mixture"]["figures"]["bcubed_f1"]
    assert written["bcubed_f1"][0] == pytest.approx(without)

    assert main(["eval", str(fleet_file), "--first", "2", "--json", str(out)]) == 0
    assert "with corrections" not in capsys.readouterr().out
    assert json.loads(out.read_text())["mixture"]["corrections"] is None
