"""Every fenced block of the pages, with what tells a reader apart which of them are run by tests, and by which."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.docs.pages import PAGES

_FENCE = re.compile(
    r"^(?:<!-- (?P<mark>[a-z ]+) -->\n)?```(?P<language>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)


class Fence(NamedTuple):
    page: Path
    line: int
    language: str
    mark: str
    text: str

    @property
    def first(self) -> str:
        return self.text.partition("\n")[0]

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


def fences() -> Iterator[Fence]:
    for page in PAGES:
        text = page.read_text()
        for found in _FENCE.finditer(text):
            line = text.count("\n", 0, found.start("language")) + 1
            yield Fence(page, line, found["language"], found["mark"] or "", found["text"])


def unmarked(language: str) -> list[Fence]:
    """Those that no test runs by a mark above them."""
    return [fence for fence in fences() if fence.language == language and not fence.mark]
