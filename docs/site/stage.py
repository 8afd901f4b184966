"""The pages as the generator wants them: those of the repository, their links bent, and those made from the code."""

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

from docs.site.contract import http_page
from docs.site.diagrams import with_pictures
from docs.site.sources import Sources

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
FRONT = ROOT / "README.md"
CARRIED = [Path(__file__).with_name(name) for name in ("extra.css", "iframe-worker.js")]
LIFTED = {"metrics.md": (DOCS / "operations.md", "Metrics"), "keys.md": (DOCS / "architecture.md", "Keys")}
"""Pages of the site that are a section of a longer one, too, as they are looked up by themselves."""

_FENCED = re.compile(r"(^ *```.*?^ *```$)", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(\[[^\]]*\]\()([^)\s]+)(\))")
_MARK = re.compile(r"^<!-- .* -->\n", re.MULTILINE)


def stage(pages: Path) -> None:
    """Writes every page, picture and style sheet of the site to the directory `pages`, which it makes."""
    pages.mkdir(parents=True)
    sources = Sources(ROOT)
    for source in (FRONT, *sorted(DOCS.glob("*.md"))):
        text = _bent(source.read_text(), source, sources)
        (pages / _name(source)).write_text(with_pictures(text, pages / "diagrams"))
    for name, (source, heading) in LIFTED.items():
        (pages / name).write_text(_bent(section(source, heading), source, sources))
    (pages / "http.md").write_text(http_page())
    sources.write(pages)
    shutil.copytree(DOCS / "pictures", pages / "pictures")
    for file in CARRIED:
        shutil.copy(file, pages)


def _name(source: Path) -> str:
    return "index.md" if source == FRONT else source.name


def section(page: Path, heading: str) -> str:
    """The section below a heading of the second level, which becomes the first; links into the page stay right."""
    found = re.search(rf"^## {heading}$\n(.*?)(?=^## |\Z)", page.read_text(), re.MULTILINE | re.DOTALL)
    if not found:
        raise ValueError(f"{page} has no section {heading!r}")
    text = outside_code(found[1], lambda part: re.sub(r"^##(#+ )", r"#\1", part, flags=re.MULTILINE))
    return f"# {heading}\n{text}".replace("](#", f"]({page.name}#")


def _bent(text: str, source: Path, sources: Sources) -> str:
    """The page without the marks that tests read, and with links that lead to other pages of the site."""

    def bent(link: re.Match[str]) -> str:
        before, target, after = link.groups()
        if "://" in target or target.startswith("#"):
            return link[0]
        path, hash_, anchor = target.partition("#")
        return f"{before}{_place((source.parent / path).resolve(), sources)}{hash_}{anchor}{after}"

    return outside_code(text, lambda part: _MARK.sub("\n", _LINK.sub(bent, part)))


def _place(target: Path, sources: Sources) -> str:
    """Where the site has a file of the repository, from any of the pages at its top."""
    if target.suffix == ".md":
        return _name(target)
    if target.parent == DOCS / "pictures":
        return os.path.relpath(target, DOCS)
    return sources.page(target)


def outside_code(text: str, change: Callable[[str], str]) -> str:
    """The page with what is in no fenced block changed."""
    parts = _FENCED.split(text)
    parts[::2] = map(change, parts[::2])
    return "".join(parts)
