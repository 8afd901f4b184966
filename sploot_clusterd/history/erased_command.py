"""`clusterd history erased`: the list of pets that were erased, out of a database and into another one."""

# ruff: noqa: T201 - a command prints

from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct
from sqlalchemy import select

from sploot_clusterd.errors import ClusterdError, ConfigError
from sploot_clusterd.history.database import Database
from sploot_clusterd.history.forgetting import forget
from sploot_clusterd.history.schema import erased_pets

_PETS_A_TRANSACTION: Final = 500


class _Erased(Struct):
    """A line of the list."""

    pet_id: Annotated[str, Meta(min_length=1)]
    erased_ms: Annotated[int, Meta(ge=0)]


_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(_Erased).decode


def list_erased(database: Database) -> int:
    """Prints the list, a JSON object a line. 0. Raises HistoryUnavailableError."""
    with database.read() as connection:
        rows = connection.execute(select(erased_pets.c.pet_id, erased_pets.c.erased_ms).order_by(erased_pets.c.pet_id))
        found = [_Erased(*row) for row in rows]
    for each in found:
        print(_encode(each).decode())
    return 0


def apply_erased(database: Database, file: Path) -> int:
    """Erases the pets of a list, but for those that were erased as late here. 0. Raises ConfigError for what is no
    list, HistoryUnavailableError; ClusterdError where bytes of them are left in a file.
    """
    listed = [*_read(file).items()]
    gone = 0
    for first in range(0, len(listed), _PETS_A_TRANSACTION):
        gone += forget(database, dict(listed[first : first + _PETS_A_TRANSACTION]))
    if not database.checkpoint():
        raise ClusterdError("somebody reads the database: their bytes are in its log until the command is run again")
    print(f"{gone} of {len(listed)} pets erased; the others were before")
    return 0


def _read(file: Path) -> dict[str, int]:
    try:
        lines = file.read_bytes().splitlines()
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}") from None
    listed = dict[str, int]()
    for number, line in enumerate(lines, 1):
        try:
            each = _decode(line)
        except msgspec.DecodeError as error:
            raise ConfigError(f"{file}, line {number}: expected a line of clusterd history erased: {error}") from None
        listed[each.pet_id] = max(each.erased_ms, listed.get(each.pet_id, 0))
    return listed
