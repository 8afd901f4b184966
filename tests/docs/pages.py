"""Markdown pages as tests see them: links, headings, and the blocks that a comment above them marks."""

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

_BLOCK = re.compile(r"^<!-- (?P<mark>[a-z ]+) -->\n```(?P<language>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")


class Block(NamedTuple):
    """A fenced block right below a comment, which is its mark."""

    mark: str
    language: str
    text: str


def blocks(page: Path) -> list[Block]:
    return [Block(found["mark"], found["language"], found["text"]) for found in _BLOCK.finditer(page.read_text())]


def only_block(page: Path, mark: str) -> Block:
    [block] = [block for block in blocks(page) if block.mark == mark]
    return block


def links(page: Path) -> list[str]:
    return _LINK.findall(_FENCED.sub("", page.read_text()))


def anchors(page: Path) -> set[str]:
    """What a heading can be linked by, as GitHub makes it."""
    headings = re.findall(r"^#+ (.+)$", _FENCED.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def table_rows(page: Path, under: str) -> Iterator[list[str]]:
    """The cells of every table row in the section of that heading, heads left out."""
    text = page.read_text()
    heading = re.search(rf"^(#+) {re.escape(under)}$", text, re.MULTILINE)
    assert heading, f"{page.name} has no section {under!r}"
    section = re.split(rf"^#{{1,{len(heading[1])}}} ", text[heading.end() :], maxsplit=1, flags=re.MULTILINE)[0]
    lines = section.splitlines()
    for before, line in pairwise(lines):
        if line.startswith("|") and before.startswith("|") and not line.startswith("|---"):
            yield [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
