"""The report is one page that needs nothing else, shows what the table says, and can be drawn of odd albums too."""

import base64
import importlib
import sys
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from sploot_clusterd.cli import main
from sploot_clusterd.engine import Params
from sploot_clusterd.evaluate.albums import LabelledAlbum
from sploot_clusterd.evaluate.figures import Measured, figures, shown
from sploot_clusterd.evaluate.replay import replay
from tests.evaluate.collection import arrays

SVG = "data:image/svg+xml;base64,"
LINK = "{http://www.w3.org/1999/xlink}href"


class Page(HTMLParser):
    """Its tags, the addresses that it refers to, the texts beside pictures, and the cells of its table."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.addresses: list[str] = []
        self.alternatives: list[str] = []
        self.cells: list[str] = []
        self._in = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.tags.add(tag)
        self._in = self._in if tag == "span" else tag
        self.addresses += [given[name] for name in ("src", "href") if name in given]
        self.alternatives += [given["alt"]] if tag == "img" else []

    def handle_data(self, data):
        if self._in in {"td", "th"} and data.strip():
            self.cells.append(data.strip())

    @property
    def pictures(self) -> list[str]:
        return [base64.b64decode(address.removeprefix(SVG)).decode() for address in self.addresses]


def labelled(number: int, images: int, labels: int = 3, dimension: int = 16) -> LabelledAlbum:
    rng = np.random.default_rng(number)
    label = np.arange(images) % labels
    vectors = rng.normal(size=(labels, dimension))[label] + 0.3 * rng.normal(size=(images, dimension))
    return LabelledAlbum(number, vectors.astype(np.float32), label)


@pytest.fixture
def page_of(drawn):
    """Text of the page of some albums."""

    def page(*albums: LabelledAlbum, algorithms: tuple[str, ...] = ("mixture",)) -> str:
        return drawn.report("some albums", albums, columns(albums, algorithms))

    return page


def columns(albums, algorithms=("mixture",)) -> list[Measured]:
    return [
        Measured(name, [replay(album, Params(algorithm=name), 4, seed=1) for album in albums], [0.5, 0.75])
        for name in algorithms
    ]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    np.savez(tmp_path / "albums.npz", **arrays())
    return tmp_path / "albums.npz"


def test_the_page_refers_to_nothing_outside(file: Path, tmp_path: Path, capsys):
    out = tmp_path / "report.html"
    command = ["eval", str(file), "--algorithm", "mixture", "--algorithm", "average_linkage", "--report", str(out)]
    assert main(command) == 0
    assert f"report: {out}" in capsys.readouterr().out

    page = Page(out.read_text())

    assert page.tags.isdisjoint({"script", "link", "iframe", "object"})
    assert "url(" not in out.read_text()
    assert "default-src 'none'" in out.read_text()
    assert all(address.startswith(SVG) for address in page.addresses)
    assert len(page.addresses) == 3 + 2, "three of all albums, and one of each of the two"
    for picture in page.pictures:
        links = [node.get(LINK) for node in ET.fromstring(picture).iter() if node.get(LINK)]
        assert all(link.startswith(("#", "data:")) for link in links)


def test_every_picture_has_a_title_axes_and_a_caption(page_of):
    page = Page(page_of(labelled(0, 20), labelled(1, 30)))

    titles = ["B-cubed F1", "F1 against the size of the album", "Cost as albums grow", "album-", "album-"]
    units = ["clusters for each label", "images in the album", "microseconds an image", "% of the variance"]
    for picture, caption, title in zip(page.pictures, page.alternatives, titles, strict=True):
        assert f"<!-- {title}" in picture  # letters are drawn; what they say is in a comment
        assert len(caption) > 50
    assert all(unit in picture for unit, picture in zip(units, page.pictures, strict=False))


def test_the_table_and_the_spread_say_what_the_terminal_says(page_of):
    albums = [labelled(0, 20), labelled(1, 30)]
    text = page_of(*albums, algorithms=("mixture", "average_linkage"))
    cells = Page(text).cells

    for column in columns(albums, ("mixture", "average_linkage")):
        found = {name: value for name, value in figures(column.results).items() if name != "microseconds_an_image"}
        at = cells.index(column.algorithm) - cells.index("figure")
        assert {name: cells[cells.index(name.replace("_", " ")) + at] for name in found} == {
            name: shown(name, value) for name, value in found.items()
        }
    assert "average_linkage: B-cubed F1 0.5000 to 0.7500 in 2 shuffled orders of arrival" in text


def test_the_worst_albums_come_first_and_no_more_than_six(drawn):
    albums = [labelled(number, 12 + number) for number in range(8)]
    measured = columns(albums)
    f1 = [0.9, 0.2, 0.8, 0.1, 0.7, 0.6, 0.5, 0.4]
    results = [
        result._replace(scores=result.scores._replace(bcubed_f1=value))
        for result, value in zip(measured[0].results, f1, strict=True)
    ]
    captions = Page(drawn.report("", albums, [measured[0]._replace(results=results)])).alternatives[3:]

    assert [caption.split(" ")[0] for caption in captions] == [f"album-{number}" for number in (3, 1, 7, 6, 5, 4)]


def test_the_same_results_give_the_same_pictures(drawn):
    albums = [labelled(0, 20)]
    measured = columns(albums)

    assert drawn.report("", albums, measured) == drawn.report("", albums, measured)


@pytest.mark.parametrize(
    "album",
    [
        pytest.param(labelled(0, 1, labels=1), id="one image"),
        pytest.param(labelled(0, 3), id="one job, so no churn"),
        pytest.param(labelled(0, 40, labels=40), id="outliers only"),
        pytest.param(labelled(0, 12, dimension=1), id="one dimension"),
        pytest.param(LabelledAlbum(0, np.ones((9, 4), np.float32), np.zeros(9, np.int64)), id="copies"),
        pytest.param(LabelledAlbum(0, np.zeros((9, 4), np.float32), np.zeros(9, np.int64)), id="no vectors"),
        pytest.param(labelled(0, 450, labels=30), id="many images and labels"),
    ],
)
def test_odd_albums_can_be_drawn(page_of, album: LabelledAlbum):
    assert len(Page(page_of(album)).pictures) == 4


def test_every_algorithm_has_its_panel(page_of):
    picture = Page(page_of(labelled(0, 20), algorithms=("mixture", "average_linkage", "mixture"))).pictures[3]

    assert picture.count("<!-- mixture: F1 ") == 2
    assert picture.count("<!-- average_linkage: F1 ") == 1


def test_vectors_that_lie_in_a_plane_keep_their_distances(drawn):
    plane_of = importlib.import_module("sploot_clusterd.evaluate.projections").principal_plane
    rng = np.random.default_rng(3)
    plane, _ = np.linalg.qr(rng.normal(size=(10, 2)))
    angles = rng.uniform(0, 2 * np.pi, size=30)
    vectors = (np.stack([np.cos(angles), np.sin(angles)], axis=1) @ plane.T).astype(np.float32)

    points, shares = plane_of(5.0 * vectors)

    apart = np.linalg.norm(vectors[:, None] - vectors, axis=2)
    assert np.linalg.norm(points[:, None] - points, axis=2) == pytest.approx(apart, abs=1e-5)
    assert shares.sum() == pytest.approx(1.0)
    assert shares[0] >= shares[1]


def test_without_matplotlib_it_is_said_how_to_get_it(file: Path, tmp_path: Path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for name in ("report", "drawings", "projections"):
        monkeypatch.delitem(sys.modules, f"sploot_clusterd.evaluate.{name}", raising=False)

    assert main(["eval", str(file), "--report", str(tmp_path / "report.html")]) == 2

    said = capsys.readouterr()
    assert "pip install matplotlib" in said.err
    assert said.out == "", "nothing was measured in vain"
