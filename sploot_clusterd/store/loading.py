"""What a pet's jobs need of what is stored: how it is asked for, and what the replies say.

A script tells all of it. Where the album is in memory, plain commands tell whether it is still the stored one, and the
little that is needed then: they cost Redis a third of the script.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct

from sploot_clusterd.entry_ids import EntryId
from sploot_clusterd.errors import BadStateError
from sploot_clusterd.keys import Keys
from sploot_clusterd.store.connection import Argument
from sploot_clusterd.store.gateway import pairs

_TOKEN: Final = b"token"
_TEXT: Final = b"string"
_NOTHING: Final = b"none"
_LOOKED_AT: Final = ("album", "images", "view")
LOOKS: Final = 4
"""Commands that `looks` gives."""


class Wanted(Struct, frozen=True, gc=False):
    """What to load of a pet. `token` is that of the state in memory, b"" if there is none."""

    pet_id: str
    token: bytes
    images: Collection[str]


class Loaded(Struct, frozen=True, gc=False):
    """What is stored of a pet.

    `fields` is the album without its rows, or None where the caller's state is current (`token` unchanged); empty for
    a pet that has none. `rows` holds the rows of the wanted images that have one. Whatever was accepted up to `erased`
    must not be applied.
    """

    token: bytes
    fields: Mapping[bytes, bytes] | None
    rows: Mapping[str, bytes]
    erased: EntryId | None
    has_view: bool


def looks(keys: Keys, wanted: Wanted) -> Sequence[tuple[Argument, ...]]:
    """Commands for one with a state in memory. The token is read last: it was stored before they are sent, and no token
    comes twice, so where it still is, what was read before it fits the state.
    """
    album, images, view = keys.named(_LOOKED_AT, wanted.pet_id)
    rows = "HMGET", images, *(wanted.images or ("",))
    return rows, ("TYPE", view), ("HGET", keys.erased, wanted.pet_id), ("HGET", album, _TOKEN)


def unchanged(wanted: Wanted, replies: Sequence[Any]) -> Loaded | BadStateError | None:
    """What `looks` found; None where only the script can tell: the album is another one, or some reply is an error."""
    rows, kind, mark, token = replies
    if token != wanted.token or kind not in (_TEXT, _NOTHING):
        return None
    if isinstance(rows, Exception) or isinstance(mark, Exception):
        return None
    return _loaded(wanted, token, None, rows, mark, has_view=kind == _TEXT)


def of_script(wanted: Wanted, reply: Any) -> Loaded | BadStateError:
    """What load.lua replied. Raises the reply, if it is an error of another kind."""
    if isinstance(reply, BadStateError):
        return reply
    if isinstance(reply, Exception):
        raise reply
    token, album, view, mark, rows = reply
    fields = None
    if album != b"":
        fields = pairs(album)
        fields.pop(_TOKEN, None)
    elif token != wanted.token:
        fields = {}
    return _loaded(wanted, token, fields, rows, mark, has_view=bool(view))


def _loaded(
    wanted: Wanted,
    token: bytes,
    fields: Mapping[bytes, bytes] | None,
    rows: Sequence[bytes | None],
    mark: bytes | None,
    *,
    has_view: bool,
) -> Loaded | BadStateError:
    try:
        erased = EntryId.parse(mark.decode()) if mark else None
    except ValueError:
        pet = wanted.pet_id
        return BadStateError(
            f"erase mark of {pet}: {(mark or b'')[:64]!r} is no stream entry id; DELETE the pet, or HDEL its mark"
        )
    found = {image: row for image, row in zip(wanted.images, rows, strict=False) if row is not None}
    return Loaded(token, fields, found, erased, has_view)
