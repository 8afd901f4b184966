"""The jobs of a file, and rounds of them for a run that lasts longer than the file."""

import gzip
import json
import re
import sys
import zlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any, Final, NamedTuple

from sploot_clusterd.config.files import without_mark
from sploot_clusterd.errors import ConfigError
from sploot_clusterd.model import ID_PATTERN

_GZIP: Final = b"\x1f\x8b"
_LONGEST_KEPT: Final = 64
"""Of a job's own id in that of a round: with the round's name it stays within what ids may have by default."""


class Posted(NamedTuple):
    """A request's body, or a line of one. `pet_id` is empty where its view cannot tell when the job has taken effect:
    where the job names no images, or is none.
    """

    body: bytes
    pet_id: str = ""


def bodies(file: Path | None) -> list[bytes]:
    """The request bodies in a file: a JSON object, a JSON array of jobs, or JSON Lines, each plain or as gzip.

    `file` None is standard input. What is no JSON is posted all the same, line by line or whole, so that the daemon
    says what is wrong with it. Raises ConfigError.
    """
    name = str(file or "standard input")
    try:
        content = file.read_bytes() if file else sys.stdin.buffer.read()
        if content.startswith(_GZIP):
            content = gzip.decompress(content)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ConfigError(f"{name}: gzip that cannot be read: {error}") from None
    except OSError as error:
        raise ConfigError(f"{name}: cannot be read: {error.strerror}") from None
    suffixes = file.suffixes[-2:] if file else []
    is_lines = any(suffix in (".jsonl", ".ndjson") for suffix in suffixes)
    jobs = _split(without_mark(content, name), is_lines=is_lines)
    if not jobs:
        raise ConfigError(f"{name}: expected at least one job, found none")
    return jobs


def once(jobs: Sequence[bytes]) -> Iterator[Posted]:
    """Each as it is."""
    return map(Posted, jobs)


def rounds(jobs: Sequence[bytes], run: str) -> Iterator[Posted]:
    """For ever, each round with ids of its own: under its old id a job would be a repetition, and change nothing."""
    parsed = [(job, _parsed(job)) for job in jobs]
    for number in count(1):
        for job, value in parsed:
            if not isinstance(value, dict):
                yield Posted(job)
                continue
            given = value.get("job_id")
            if isinstance(given, str) and given:
                renewed = {**value, "job_id": f"{given[:_LONGEST_KEPT]}.{run}.{number}"}
                yield Posted(json.dumps(renewed, separators=(",", ":")).encode(), _watchable(value))
            else:
                yield Posted(job, _watchable(value))


def _watchable(job: Mapping[str, Any]) -> str:
    payload, pet_id = job.get("payload"), job.get("pet_id")
    says_something = isinstance(payload, dict) and (payload.get("image_ids") or payload.get("images"))
    return pet_id if says_something and isinstance(pet_id, str) and re.match(ID_PATTERN, pet_id) else ""


def _split(content: bytes, *, is_lines: bool) -> list[bytes]:
    lines = [line for line in content.splitlines() if line.strip()]
    whole = None if is_lines else _parsed(content)
    if isinstance(whole, list):
        return [json.dumps(job).encode() for job in whole]
    if is_lines or not lines or (whole is None and _parsed(lines[0]) is not None):
        return lines
    return [content]


def _parsed(content: bytes) -> Any:
    """The JSON value, or None for what is none."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None
