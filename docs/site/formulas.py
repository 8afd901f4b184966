"""TeX as MathML, which browsers show by themselves: ```math blocks, and `$...$` in the text, as GitHub shows them."""

import re
from typing import Any

from latex2mathml.converter import convert
from markdown import Markdown
from markdown.extensions import Extension
from markdown.inlinepatterns import InlineProcessor

IN_TEXT = r"(?<![\\$\w])\$(?=\S)([^$\n]+?)(?<=\S)\$(?![\w$])"


def block(source: str, *_: Any, **__: Any) -> str:
    """A ```math block, as superfences calls for it."""
    return f'<div class="formula">{convert(source.strip(), display="block")}</div>'


class _InText(InlineProcessor):
    def handleMatch(self, m: re.Match[str], data: str) -> tuple[str, int, int]:  # type: ignore[override]  # noqa: ARG002, N802
        return self.md.htmlStash.store(convert(m[1])), m.start(0), m.end(0)


class Formulas(Extension):
    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802 - Markdown's name
        # Before emphasis and links, behind code in backticks (190).
        md.inlinePatterns.register(_InText(IN_TEXT, md), "formula", 185)


def makeExtension(**settings: Any) -> Formulas:  # noqa: N802 - Markdown's name
    return Formulas(**settings)
