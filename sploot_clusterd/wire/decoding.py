"""JSON of strangers: decoded into a checked struct, or a `BadJobError` that names the field and what is allowed."""

import atexit
import gc
import re
from typing import Any, Final, TypeVar, get_args

import msgspec

from sploot_clusterd.correcting import OPS
from sploot_clusterd.errors import BadJobError
from sploot_clusterd.model import CLUSTER_PATTERN, ID_PATTERN, NAMED_ID_PATTERN, TEXT_PATTERN, Dtype
from sploot_clusterd.wire.size import TOO_DEEP
from sploot_clusterd.wire.unreadable import Flaw, flaw_in

T = TypeVar("T")

# The collector's last run, as the interpreter ends, now and then crashes in msgspec 0.22 (SIGSEGV) where several
# decoders share what users may correct: it is spared what is there by then.
atexit.register(gc.freeze)

_LONGEST_ERROR: Final = 512
_WHERE: Final = re.compile(r"^(?P<what>.*) - at `(?:key` in `)?\$\.?(?P<path>.*)`\Z", re.DOTALL)
_MISSING: Final = re.compile(r"^Object missing required field `(?P<field>\w+)`")
_RULES: Final = {
    CLUSTER_PATTERN: "a cluster's id as the view has it, pet_123-cluster-0",
    ID_PATTERN: "1 or more of the characters A-Z a-z 0-9 . _ : -, and neither . nor ..",
    NAMED_ID_PATTERN: "1 or more of the characters A-Z a-z 0-9 . _ : -",
    TEXT_PATTERN: "1 to 128 printable characters, of which one or more can be seen",
}
_CHOICES: Final = {
    "op": f"expected {', '.join(OPS[:-1])} or {OPS[-1]}",
    "dtype": f"expected {' or '.join(get_args(Dtype))}",
    "captured_at": "expected an RFC 3339 time, as in 2025-10-30T12:00:00Z",
    "until": "expected an RFC 3339 time, as in 2025-10-30T12:00:00Z",
}
_OUT_OF_RANGE: Final = "Number out of range"


def decoded(decoder: msgspec.json.Decoder[T], raw: bytes) -> T:
    """Raises BadJobError: `malformed` if it is no JSON, else `invalid`."""
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError as error:
        must_be_json(raw, decoder.type)  # the decoder stops at the first wrong type: what follows may be no JSON at all
        flaw = flaw_in(raw) if str(error).startswith(_OUT_OF_RANGE) else None
        raise BadJobError("invalid", _told(flaw, decoder.type) if flaw else explained(error)) from None
    except (ValueError, RecursionError):
        must_be_json(raw, decoder.type)
        raise


def must_be_json(raw: bytes, shape: Any = Any, within: str = "") -> None:
    """Raises BadJobError if no decoder can read it: what is wrong, and in which field where that can be told.

    `shape` is what it was to be, `within` the field of a flat entry whose value it is.
    """
    try:
        msgspec.json.decode(raw)
    except RecursionError:
        raise BadJobError("malformed", f"{within}: {TOO_DEEP}" if within else TOO_DEEP) from None
    except ValueError as error:  # DecodeError and UnicodeDecodeError among them
        what = "expected JSON in this field of a flat entry" if within else str(error)
        flaw = flaw_in(raw) or Flaw("malformed", "", what)
        raise BadJobError(flaw.reason, _told(flaw, shape, within)) from None


def _told(flaw: Flaw, shape: Any, within: str = "") -> str:
    where = (within + flaw.path).removeprefix(".")
    if flaw.tree is not None:
        try:
            msgspec.convert(flaw.tree, shape)
        except msgspec.ValidationError as error:
            return explained(error)  # the field's own rule tells more
    what = f"{where}: {flaw.what}" if where else flaw.what
    return f"not JSON: {what}"[:_LONGEST_ERROR] if flaw.reason == "malformed" else what[:_LONGEST_ERROR]


def explained(error: msgspec.ValidationError) -> str:
    """The decoder's message, field first: `payload.images[0].quality: expected ...`."""
    text = str(error)
    match = _WHERE.match(text)
    path, what = (match["path"], match["what"]) if match else ("", text)
    if missing := _MISSING.match(what):
        path, what = ".".join(filter(None, (path, missing["field"]))), "this field is required"
    what = _CHOICES.get(path.rpartition(".")[2], what)
    for pattern, rule in _RULES.items():
        what = what.replace(f"`str` matching regex {pattern!r}", rule)
    return f"{path or 'the body'}: {what[:1].lower()}{what[1:]}"[:_LONGEST_ERROR]
