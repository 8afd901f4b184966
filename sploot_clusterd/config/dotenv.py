"""A .env file: NAME=value lines, quotes and `export` allowed. Other programs keep theirs in it, too, in forms of their
own: what is ours is read, and the rest passed over with a warning. No text of a line is shown, for it may be a secret.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from sploot_clusterd.config.files import read_found
from sploot_clusterd.errors import ConfigError

_ASSIGNMENT: Final = re.compile(r"\s*(?:export\s+)?([A-Za-z_]\w*)\s*=\s*(.*?)\s*", re.ASCII | re.DOTALL)
_FIRST_WORD: Final = re.compile(r"\s*(?:export\s+)?(\w+)", re.ASCII)
_NOT_UTF_8: Final = re.compile("[\udc80-\udcff]")


class DotEnv(NamedTuple):
    """What is in the file."""

    variables: dict[str, str]
    warnings: list[str]


def read_dotenv(file: Path, ours: Collection[str]) -> DotEnv:
    """A file that somebody else could have put there gives nothing but a warning.

    Raises ConfigError if the file cannot be read, or a line that sets one of `ours` is broken.
    """
    try:
        text, others = read_found(file, "surrogateescape")
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}") from None
    if others:
        return DotEnv({}, [f"{file} {others}, so it was not read: make it yours alone, or remove it"])
    lines = text.split("\n")
    variables: dict[str, str] = {}
    passed_over: list[range] = []
    at = 0
    while at < len(lines):
        skipped = _taken(lines, at, ours, variables, file)
        if skipped and passed_over and passed_over[-1].stop == at:
            passed_over[-1] = range(passed_over[-1].start, at + skipped)
        elif skipped:
            passed_over.append(range(at, at + skipped))
        at += skipped or 1
    return DotEnv(variables, [*_warnings(file, lines, passed_over, ours)])


def _taken(lines: Sequence[str], at: int, ours: Collection[str], variables: dict[str, str], file: Path) -> int:
    """Puts the line into `variables`, or gives how many lines from this one on are to be passed over."""
    line = lines[at]
    if not line.strip() or line.lstrip().startswith("#"):
        return 0
    if (name := _named(line)) in ours:
        variables[name] = _own_value(line, f"{file}, line {at + 1}: ${name}")
        return 0
    assignment = _ASSIGNMENT.fullmatch(line)
    if assignment is None:
        return 1
    value = _unquoted(assignment[2])
    if value is None:
        return _last_of_value(lines, at, assignment[2][0]) - at + 1
    variables[assignment[1]] = value
    return 0


def _own_value(line: str, where: str) -> str:
    assignment = _ASSIGNMENT.fullmatch(line)
    if assignment is None:
        raise ConfigError(f"{where}: expected NAME=value")
    if _NOT_UTF_8.search(line):
        raise ConfigError(f"{where}: expected UTF-8")
    value = _unquoted(assignment[2])
    if value is None:
        raise ConfigError(f"{where}: expected a value on one line, between two quotes of one kind or without any")
    return value


def _named(line: str) -> str:
    """The variable that a line seems to set."""
    first = _FIRST_WORD.match(line)
    return first[1] if first else ""


def _unquoted(value: str) -> str | None:
    """None where quotes do not pair."""
    if value[:1] in ("'", '"'):
        inner, end, rest = value[1:].partition(value[0])
        return inner if end and (not rest or re.match(r"\s*#|\s*$", rest)) else None
    return re.split(r"\s#", value, maxsplit=1)[0].rstrip()


def _last_of_value(lines: Sequence[str], begin: int, quote: str) -> int:
    """Where a quoted value of several lines ends. It is none if the next such quote begins one: then it is odd."""
    if quote in _value_of(lines[begin])[1:]:
        return begin
    for at in range(begin + 1, len(lines)):
        if quote in lines[at]:
            return begin if _value_of(lines[at]).startswith(quote) else at
    return begin


def _value_of(line: str) -> str:
    assignment = _ASSIGNMENT.fullmatch(line)
    return assignment[2] if assignment else ""


def _warnings(file: Path, lines: Sequence[str], passed_over: Sequence[range], ours: Collection[str]) -> Iterator[str]:
    for each in passed_over:
        where = f"line {each.start + 1}" if len(each) == 1 else f"lines {each.start + 1} to {each.stop}"
        inside = sorted({f"${name}" for at in each if (name := _named(lines[at])) in ours})
        also = f"; {', '.join(inside)} there was not read" if inside else ""
        yield f"{file}, {where}: ignored, as this is not NAME=value on one line{also}"
