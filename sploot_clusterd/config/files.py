"""Text files that people make: UTF-8, with or without the byte order mark that some editors put before it."""

import codecs
from pathlib import Path
from typing import Final

from sploot_clusterd.errors import ConfigError

_UTF_16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_text(file: Path, errors: str = "strict") -> str:
    """Raises OSError, ConfigError for UTF-16, and with "strict" UnicodeDecodeError for what is no UTF-8."""
    return without_mark(file.read_bytes(), str(file)).decode(errors=errors)


def without_mark(content: bytes, name: str) -> bytes:
    """The UTF-8 in it, or in how it begins. Raises ConfigError for UTF-16: it has NULs."""
    is_marked = content.startswith(_UTF_16) and (len(content) % 2 == 0 or b"\0" in content)
    if is_marked or b"\0" in content[:2]:
        raise ConfigError(f"{name}: is UTF-16; save it as UTF-8, or convert it: iconv -f UTF-16 -t UTF-8")
    return content.removeprefix(codecs.BOM_UTF8)
