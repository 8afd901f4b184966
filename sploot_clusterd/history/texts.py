"""Texts of jobs and errors may hold what no database takes: NUL, and halves of surrogate pairs."""

import re
from typing import Final

_REFUSED: Final = re.compile("[\x00\ud800-\udfff]")


def clean(text: str) -> str:
    """The text, with a replacement character for each that PostgreSQL refuses or UTF-8 cannot tell."""
    return _REFUSED.sub("\N{REPLACEMENT CHARACTER}", text)
