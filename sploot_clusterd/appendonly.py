"""Append-only files that Redis refuses at its start: padding is taken off, of anything else is said what to do.

A file system that puts space aside before it writes (XFS, ext4, network disks) may, after a loss of power, leave a file
longer than what was written, with zeros in the rest. Redis mends a file that ends within a command, but not this, and
the tool that it names for it, redis-check-aof, is not in the package.
"""

import itertools
import os
import re
import shutil
from pathlib import Path
from typing import BinaryIO, Final

_COMPLAINT: Final = re.compile(r"append only file (\S+\.aof)")
_CHUNK: Final = 1 << 20
_LONGEST_LINE: Final = 64


def named_in(log: str) -> str | None:
    """The name of the file that redis-server could not read by its last words."""
    complaints = _COMPLAINT.findall(log)
    return complaints[-1] if complaints else None


def without_padding(file: Path) -> Path | None:
    """Cuts the zeros off the end, and gives the copy that was made before; None where there are none.

    No command is lost: each ends with a line end. Raises OSError.
    """
    end = _end_of_content(file)
    if end == file.stat().st_size:
        return None
    copy = _free_name(file.parent.parent / f"{file.name}.padded")
    shutil.copy2(file, copy)
    with file.open("r+b") as opened:
        opened.truncate(end)
        os.fsync(opened.fileno())
    return copy


def advice(file: Path) -> str:
    """What is to be done about a file that is broken in any other way; empty where it is not. Raises OSError."""
    size = file.stat().st_size
    with file.open("rb") as opened:
        sound = sound_bytes(opened)
    if sound == size:
        return ""
    return (
        f"{file} is damaged: of its {size} bytes the first {sound} are whole commands. Copy {file.parent.parent} to "
        f"another place first. Then put a backup in its place, or keep what came before the damage and lose what came "
        f"after it: truncate -s {sound} {file}"
    )


def sound_bytes(file: BinaryIO) -> int:
    """How many bytes from the start are whole commands (or notes of the time) of Redis' protocol."""
    sound = 0
    while _passes_over_command(file):
        sound = file.tell()
    return sound


def _passes_over_command(file: BinaryIO) -> bool:
    line = file.readline(_LONGEST_LINE)
    if line.startswith(b"#") and line.endswith(b"\r\n"):
        return True
    parts = _number(line, b"*")
    return parts is not None and all(_passes_over_text(file) for _ in range(parts))


def _passes_over_text(file: BinaryIO) -> bool:
    length = _number(file.readline(_LONGEST_LINE), b"$")
    if length is None:
        return False
    file.seek(length, os.SEEK_CUR)
    return file.read(2) == b"\r\n"


def _number(line: bytes, sign: bytes) -> int | None:
    digits = line[1:-2]
    return int(digits) if line[:1] == sign and line.endswith(b"\r\n") and digits.isdigit() else None


def _end_of_content(file: Path) -> int:
    """The offset behind the last byte that is not zero."""
    with file.open("rb") as opened:
        end = opened.seek(0, os.SEEK_END)
        while end:
            start = max(0, end - _CHUNK)
            opened.seek(start)
            content = opened.read(end - start).rstrip(b"\0")
            if content:
                return start + len(content)
            end = start
    return 0


def _free_name(path: Path) -> Path:
    others = (path.with_name(f"{path.name}.{n}") for n in itertools.count(2))
    return next(name for name in itertools.chain((path,), others) if not name.exists())
