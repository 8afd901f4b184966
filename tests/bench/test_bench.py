"""That the benchmark works; what it measures is no test's business."""

from pathlib import Path

import msgspec
import pytest

from tests.bench.__main__ import MEASURES, main
from tests.bench.draw import CURVES, draw
from tests.bench.figure import Figure, Size
from tests.bench.table import middle, refreshed

_TINY = Size(
    seconds=0.2,
    jobs=400,
    repeats=1,
    albums=(20, 40),
    pets=2,
    fleet=20,
    idle_seconds=0.1,
    connections=2,
    pages=4,
    batches=(8,),
    consumers=(1, 2),
    lengths=(16,),
)


@pytest.mark.bench
@pytest.mark.parametrize("name", MEASURES)
def test_every_group_measures_something(name: str, tmp_path, capsys):
    assert main(["--only", name, "--json", str(tmp_path / "out.json")], _TINY) == 0
    figures = msgspec.json.decode((tmp_path / "out.json").read_bytes())[name]
    assert all(figure["ours"] for figure in figures)
    assert name == "shapes" or any(figure["ratios"] and figure["ratios"][0] > 0 for figure in figures)
    assert all(figure["name"] in capsys.readouterr().out for figure in figures[:1])


def test_a_ratio_is_taken_within_a_repeat():
    assert Figure("f", "us", [2.0, 9.0], [1.0, 3.0]).ratios == [2.0, 3.0]


def test_the_spread_is_shown():
    assert middle([3.0, 1.0, 2.0]) == "2 (1 .. 3)"
    assert middle([12345.6, 99.94, 0.123456]) == "99.9 (0.12 .. 12,346)"
    assert middle([5.0]) == "5"
    assert middle([]) == "-"


def test_figures_are_drawn_from_what_was_measured_before(tmp_path, capsys):
    points = [
        Figure(f"a job, {over}: {at}", "us", [at * 2.0, at * 3.0], over=over, at=at)
        for over in CURVES
        for at in (1, 64)
    ]
    (tmp_path / "in.json").write_bytes(
        msgspec.json.encode({"shapes": points, "others": [Figure("other", "ms", [1.0])]})
    )

    assert main(["--from", str(tmp_path / "in.json"), "--draw", str(tmp_path / "pictures")]) == 0

    assert {path.stem for path in (tmp_path / "pictures").iterdir()} == {curve.file for curve in CURVES.values()}
    for path in (tmp_path / "pictures").iterdir():
        assert path.read_text().rstrip().endswith("</svg>")
        assert path.stat().st_size < 20_000
    assert "| other | ms | 1 | - | - |" in capsys.readouterr().out
    first = [path.read_bytes() for path in draw(points, tmp_path / "again")]
    assert first == [path.read_bytes() for path in draw(points[::-1], tmp_path / "pictures")]


def test_a_group_is_refreshed_in_its_page_and_others_stay(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(_place("jobs", "old") + _place("reads", "kept"))
    (tmp_path / "in.json").write_bytes(msgspec.json.encode({"jobs": [Figure("new", "ms", [3.0], [1.5])]}))

    assert main(["--from", str(tmp_path / "in.json"), "--table", str(page)]) == 0

    text = page.read_text()
    assert "| new | ms | 3 | 1.5 | 2 |" in text
    assert "old" not in text
    assert _place("reads", "kept") in text


def test_the_page_has_a_place_for_each_group():
    text = (Path(__file__).parents[2] / "docs/performance.md").read_text()
    for group in MEASURES:
        refreshed(text, group, [])


def _place(group: str, content: str) -> str:
    return f"<!-- table {group} -->\n{content}\n<!-- end of table {group} -->\n"
