"""Why a text that is nearly JSON cannot be read, and in which field: the decoder tells neither of them.

Only what was refused already comes here, so it may take its time.
"""

import codecs
import json
import math
import re
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from sploot_clusterd.errors import Reason

NUMBER_RULE: Final = "number out of range: expected one between -1.8e308 and 1.8e308"
_MARKS: Final = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_CONSTANT: Final = re.compile(r"(?:^|[:\[,])\s*(?:NaN|-?Infinity)\b")
_PLAIN_KEY: Final = re.compile(r"[A-Za-z0-9_]{1,64}")


class Flaw(NamedTuple):
    """What is wrong, and where. `malformed` is no JSON by its grammar; `invalid` is, and nobody can hold it."""

    reason: Reason
    path: str
    """As in `payload.images[0].quality`; empty for the whole."""
    what: str
    tree: Any = None
    """Where a number is out of range, all of it, with infinity in that place."""


def flaw_in(raw: bytes) -> Flaw | None:
    """None where it is broken in any other way."""
    if raw.startswith(_MARKS):
        return Flaw("malformed", "", "it begins with a byte order mark; expected UTF-8 without one")
    try:
        text = raw.decode(errors="surrogateescape")
        tree = json.loads(text, parse_int=float)
        flaw = _path_to_flaw(tree)
    except (ValueError, RecursionError):
        flaw = None
    if flaw is None:
        return None
    path, kind = flaw
    if kind is float:
        if _CONSTANT.search(text):
            return Flaw("malformed", path, "NaN and Infinity are no numbers of JSON")
        return Flaw("invalid", path, NUMBER_RULE, tree)
    if _is_unicode(text):
        return Flaw(
            "invalid", path, "a text has whole characters, and no half of a surrogate pair (\\ud800 to \\udfff)"
        )
    return Flaw("malformed", path, "a text is UTF-8")


def _path_to_flaw(value: Any) -> tuple[str, type] | None:
    """The path to the first number that is not finite or text that is no Unicode, and which of the two it is."""
    if isinstance(value, float):
        return None if math.isfinite(value) else ("", float)
    if isinstance(value, str):
        return None if _is_unicode(value) else ("", str)
    if isinstance(value, dict):
        if not all(map(_is_unicode, value)):
            return "", str
        return _first((f".{key}" if _PLAIN_KEY.fullmatch(key) else "[...]", inner) for key, inner in value.items())
    if isinstance(value, list):
        return _first((f"[{n}]", inner) for n, inner in enumerate(value))
    return None


def _first(parts: Iterable[tuple[str, Any]]) -> tuple[str, type] | None:
    for step, inner in parts:
        if (flaw := _path_to_flaw(inner)) is not None:
            return step + flaw[0], flaw[1]
    return None


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
