"""A built page as tests see it: what it fetches, where it leads, and where it can be led to."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

FETCHING = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src", "object": "data"}


@dataclass
class Page:
    links: list[str] = field(default_factory=list)
    fetched: list[str] = field(default_factory=list)
    anchors: set[str] = field(default_factory=set)
    formulas: int = 0


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.page = Page()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        told: dict[str, Any] = dict(attributes)
        if tag == "a" and told.get("href"):
            self.page.links.append(told["href"])
        if tag in FETCHING and told.get(FETCHING[tag]):
            self.page.fetched.append(told[FETCHING[tag]])
        if told.get("id"):
            self.page.anchors.add(told["id"])
        self.page.formulas += tag == "math"


def read(page: Path) -> Page:
    reader = _Reader()
    reader.feed(page.read_text())
    return reader.page
