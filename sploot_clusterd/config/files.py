"""Text files that people make: UTF-8, with or without the byte order mark that some editors put before it; and whether
somebody else could have made them.
"""

import codecs
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from sploot_clusterd import ownership
from sploot_clusterd.errors import ConfigError

_UTF_16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_named(file: Path, errors: str = "strict") -> tuple[str, os.stat_result]:
    """The text of a file that the operator named, and what `warnings_of` asks for.

    Raises OSError, ConfigError for UTF-16, and with "strict" UnicodeDecodeError for what is no UTF-8.
    """
    with file.open("rb") as opened:
        info = os.fstat(opened.fileno())
        return without_mark(opened.read(), str(file)).decode(errors=errors), info


def warnings_of(file: Path, info: os.stat_result, *, is_secret: bool) -> Iterator[str]:
    """Who else may change the file or, where it holds secrets, read it. That may be meant, so it is no error."""
    if others := ownership.others_who_change(info):
        yield f"{file} {others}, and so does what is set in it; where that is not meant, chown or chmod go-w it"
    if is_secret and info.st_mode & stat.S_IROTH:
        yield f"{file} holds secrets and can be read by everybody on this machine: chmod o-r it"


def read_found(file: Path, errors: str = "strict") -> tuple[str, str]:
    """The text of a file that nobody named; or none, and why not: somebody else could have put the file there.

    A link is followed if nobody else can change the directory that it is in. Raises as `read_named`.
    """
    info = file.lstat()
    others = ownership.owner_else(info)
    if not others and stat.S_ISLNK(info.st_mode):
        others = ownership.others_who_change(file.absolute().parent.stat())
    if others:
        return "", others
    text, info = read_named(file, errors)
    others = ownership.others_who_change(info)
    return ("", others) if others else (text, "")


def without_mark(content: bytes, name: str) -> bytes:
    """The UTF-8 in it, or in how it begins. Raises ConfigError for UTF-16: it has NULs."""
    is_marked = content.startswith(_UTF_16) and (len(content) % 2 == 0 or b"\0" in content)
    if is_marked or b"\0" in content[:2]:
        raise ConfigError(f"{name}: is UTF-16; save it as UTF-8, or convert it: iconv -f UTF-16 -t UTF-8")
    return content.removeprefix(codecs.BOM_UTF8)
