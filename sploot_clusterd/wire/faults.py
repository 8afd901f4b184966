"""Where in a dead letter's payload the fault is that its error names, for people who are to put it right."""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Final

from sploot_clusterd.dead_letters import Fault

_PATH: Final = re.compile(r"[A-Za-z_]\w*(?:\[\d+\]|\.\w+)*(?=:|\[\.)", re.ASCII)
_BLANKS: Final = re.compile(r"[ \t\n\r]*")
_STEP: Final = re.compile(r"\w+", re.ASCII)
_LONGEST_MARK: Final = 400
"""Characters of a value that are marked: of a long list its beginning."""
_PARSE: Final = json.JSONDecoder().raw_decode


def fault_in(text: str, error: str) -> Fault | None:
    """None where the error names nothing that is in the text; where that is no JSON, the place from which on it is not.

    Takes as long as some readings of the text.
    """
    try:
        _, end = _PARSE(text, _next(text, 0))
    except json.JSONDecodeError as broken:
        return Fault("", broken.pos, min(broken.pos + 1, len(text)))
    except RecursionError:
        return None
    if (end := _next(text, end)) < len(text):
        return Fault("", end, min(end + _LONGEST_MARK, len(text)))
    named = _PATH.match(error)
    return _found(text, named[0]) if named else None


def _found(text: str, path: str) -> Fault | None:
    """The value of this path, or what there is of the way to it: of a field that is missing, what should hold it."""
    steps = _STEP.findall(path)
    # An error names a field as the request has it, which an envelope may be around; a flat entry's fields have no
    # `payload` between, and what they hold is text.
    bare = steps[1:] if steps[0] == "payload" else steps
    depth, start, end = max(_walked(text, way) for way in (steps, ["payload", *steps], ["fields", *bare]))
    return Fault(path, start, min(end, start + _LONGEST_MARK)) if depth else None


def _walked(text: str, steps: Sequence[str]) -> tuple[int, int, int]:
    """How many steps there are in the text, but for what is around the request; the value's place."""
    at = _next(text, 0)
    found, around = at, steps[0] in ("payload", "fields")
    depth = 0
    for step in steps:
        inner = next((begin for name, begin in _members(text, found) if name == step), None)
        if inner is None:
            break
        depth, found = depth + 1, inner
    return max(0, depth - around), found, _PARSE(text, found)[1]


def _members(text: str, at: int) -> Iterator[tuple[str, int]]:
    """Names, or numbers, and places of what the list or object that begins there holds; nothing of another value."""
    if text[at] not in "[{":
        return
    named, closing, number = text[at] == "{", "}]"[text[at] == "["], 0
    at = _next(text, at + 1)
    while text[at] != closing:
        name = str(number)
        if named:
            name, at = _PARSE(text, at)
            at = _next(text, _next(text, at) + 1)
        yield name, at
        at = _next(text, _PARSE(text, at)[1])
        if text[at] == ",":
            at = _next(text, at + 1)
        number += 1


def _next(text: str, at: int) -> int:
    """Behind blanks."""
    blanks = _BLANKS.match(text, at)
    return blanks.end() if blanks else at
