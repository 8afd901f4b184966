"""The built site by its files: every page is there, every link leads somewhere, nothing comes from elsewhere."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from docs.site.__main__ import SETTINGS
from docs.site.contract import http_page
from docs.site.diagrams import with_pictures
from docs.site.formulas import IN_TEXT
from docs.site.sources import Sources
from docs.site.stage import LIFTED, section
from sploot_clusterd.config import LimitsSettings
from sploot_clusterd.web.openapi import Document
from sploot_clusterd.web.routes import ROUTES
from tests.docs.pages import PAGES, ROOT
from tests.manual.html import Page, read


@pytest.fixture(scope="session")
def pages(site: Path) -> dict[Path, Page]:
    """Every page but the one of paths that do not exist, whose links a server's root has to be under."""
    return {file: read(file) for file in site.rglob("*.html") if file.name != "404.html"}


def test_every_page_of_the_repository_is_in_the_navigation(site: Path):
    def targets(entries: list[dict]) -> Iterator[str]:
        for entry in entries:
            for value in entry.values():
                yield from targets(value) if isinstance(value, list) else [value]

    shown = list(targets(tomllib.loads(SETTINGS.read_text())["project"]["nav"]))
    written = {"index.md" if page.name == "README.md" else page.name for page in PAGES}
    assert sorted(shown) == sorted({*written, *LIFTED, "http.md"})
    front = read(site / "index.html")
    assert {name.replace(".md", ".html") for name in shown} <= {link.removeprefix("./") for link in front.links}


def test_every_link_leads_to_a_page_and_an_anchor_of_it(pages: dict[Path, Page]):
    lost, followed = [], 0
    for file, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme:
                continue
            target = (file.parent / unquote(parts.path)).resolve() if parts.path else file
            followed += 1
            if not target.is_file() or (parts.fragment and unquote(parts.fragment) not in pages[target].anchors):
                lost.append(f"{file.name}: {link}")
    assert lost == []
    assert followed > 1000


def test_links_into_the_repository_lead_to_the_file_as_a_page(site: Path):
    page = site / "source/sploot_clusterd/engine/params.py.html"
    assert "source/sploot_clusterd/engine/params.py.html" in read(site / "clustering.html").links
    shown = re.sub(r"<[^>]+>", "", page.read_text())
    assert "class Params" in shown
    scripts = {f"{file.name}.html" for file in (ROOT / "sploot_clusterd/store/lua").glob("*.lua")}
    listed = {Path(link).name for link in read(site / "source/sploot_clusterd/store/lua.html").links}
    assert scripts <= listed


def test_nothing_is_fetched_from_elsewhere(pages: dict[Path, Page], site: Path):
    fetched = [(file.name, url) for file, page in pages.items() for url in page.fetched]
    assert len(fetched) > 500
    assert [one for one in fetched if urlsplit(one[1]).netloc] == []
    styles = "".join(file.read_text() for file in site.rglob("*.css"))
    assert re.findall(r"(?:@import|url\()\s*['\"]?(?:https?:)?//[^'\")]+", styles) == []


def test_links_that_leave_the_site_are_known(pages: dict[Path, Page]):
    hosts = {urlsplit(link).netloc for page in pages.values() for link in page.links if "://" in link}
    assert hosts <= {"github.com", "opentelemetry.io", "redis.io", "zensical.org", "127.0.0.1:9007"}


def test_formulas_are_typeset(site: Path, pages: dict[Path, Page]):
    source = (ROOT / "docs/clustering.md").read_text()
    blocks = source.count("```math\n")
    assert blocks >= 10
    assert pages[site / "clustering.html"].formulas == blocks + len(re.findall(IN_TEXT, source)) > 15
    assert 'class="formula"' in (site / "clustering.html").read_text()


def test_a_price_or_a_variable_is_no_formula():
    for text in ("$CLUSTERD_CONFIG and $HOME", "it costs $5 or $6", r"\$x\$", "$ x $"):
        assert not re.search(IN_TEXT, text), text


def test_every_diagram_is_a_picture(site: Path):
    diagrams = sum(page.read_text().count("```mermaid\n") for page in PAGES)
    pictures = list((site / "diagrams").glob("*.svg"))
    assert len(pictures) == diagrams > 3
    assert all(picture.read_text().startswith("<svg") for picture in pictures)
    assert "XREADGROUP" in "".join(picture.read_text() for picture in pictures)


def test_a_diagram_that_cannot_be_drawn_ends_the_build(tmp_path: Path):
    with pytest.raises(Exception, match="exit status"):
        with_pictures("```mermaid\nflowchart LR\n    A --> \n```\n", tmp_path)


def test_a_link_to_a_file_that_is_not_there_ends_the_build():
    with pytest.raises(FileNotFoundError):
        Sources(ROOT).page(ROOT / "sploot_clusterd/no_such_file.py")


def test_the_http_page_has_every_operation_status_and_type(site: Path, pages: dict[Path, Page]):
    content = Document(ROUTES, LimitsSettings()).content()
    page = http_page()
    for path, methods in content["paths"].items():
        for method, operation in methods.items():
            assert operation["summary"] in page
            [told] = re.findall(
                rf"^### {method.upper()} {re.escape(path)}\n(.*?)(?=^##)", page, re.MULTILINE | re.DOTALL
            )
            assert re.findall(r"^\| `(\d+)` \|", told, re.MULTILINE) == list(operation["responses"])
            assert set(re.findall(r"^\| `(\w+)` \| (?:path|query)", told, re.MULTILINE)) == {
                one["name"] for one in operation.get("parameters", ()) if one["in"] != "header"
            }
    types = content["components"]["schemas"]
    assert {name.lower() for name in types} <= pages[site / "http.html"].anchors
    fields = sum(len(schema.get("properties", ())) for schema in types.values())
    assert len(re.findall(r"^\| `\w+` \|", page.partition("## Types")[2], re.MULTILINE)) == fields > 100


def test_a_section_that_is_a_page_keeps_its_links_into_the_rest():
    metrics = section(*LIFTED["metrics.md"])
    assert metrics.startswith("# Metrics\n")
    assert "media_cluster_backlog_jobs" in metrics
    assert "](operations.md#rotating-a-token)" in metrics


def test_marks_for_tests_are_not_shown(site: Path):
    assert "&lt;!-- run" not in (site / "producers.html").read_text()
    assert "<!-- run" not in (site / "producers.html").read_text()
