"""An album is read back as it was written, or refused: never half understood."""

import msgspec
import pytest

from sploot_clusterd.engine import apply, decode_album, render
from sploot_clusterd.errors import BadStateError

from .pet import Pet, job, photos

HEAD = b"head"
CELL = b"c0"


@pytest.mark.parametrize(
    "change",
    [
        {HEAD: None},
        {HEAD: b""},
        {HEAD: b"\xc1"},
        {HEAD: msgspec.msgpack.encode([99, 1, 2, 3])},
        {CELL: None},
        {CELL: b"garbage"},
        {b"c7": b"garbage"},
        {b"j0": b"garbage"},
        {b"p0": b"garbage"},
        {b"heirs": b"garbage"},
    ],
)
def test_an_unreadable_album_is_bad_state(change):
    pet = Pet()
    pet.apply(job(1, *photos([3]), image_ids=["bare"]))
    tables = {**pet.tables(), **change}

    with pytest.raises(BadStateError):
        decode_album("pet_123", {name: raw for name, raw in tables.items() if raw is not None})


def head_with(place, value):
    """The head of a small album with one of its values replaced."""

    def change(tables):
        head = msgspec.msgpack.decode(tables[HEAD])
        head[place] = value
        return {**tables, HEAD: msgspec.msgpack.encode(head)}

    return change


def cell_with(place, value, form=None):
    """The first cell with one of its values replaced, and its form where that matters."""

    def change(tables):
        cell = msgspec.msgpack.decode(tables[CELL])
        cell[place] = value
        cell[3] = form or cell[3]
        return {**tables, CELL: msgspec.msgpack.encode(cell)}

    return change


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (head_with(0, 2), "format 2, not 1"),
        (head_with(7, []), "space that the head does not know"),
        (head_with(8, []), "do not hold the cells"),
        (cell_with(1, float("nan")), "not finite"),
        (cell_with(1, 0.0), "above 0"),
        (cell_with(2, b"\0\0\xc0\x7f" * 32, "f4"), "not finite"),
        (cell_with(2, b"\0\x7e" * 32, "f2"), "not finite"),
        (cell_with(2, b"\0" * 7, "f4"), "7 bytes in a space of 32 dimensions"),
        (cell_with(2, b"\0" * 7, "f2"), "7 bytes"),
        (cell_with(2, b"\0" * 400, "f4"), "400 bytes"),
        (cell_with(2, b"\0" * 33, "i1"), "33 bytes"),
        (cell_with(3, "f8"), "cannot be read"),
    ],
)
def test_an_album_that_contradicts_itself_is_bad_state(change, text):
    pet = Pet()
    pet.apply(job(1, *photos([3])))
    decode_album("pet_123", pet.tables())

    with pytest.raises(BadStateError, match=text):
        decode_album("pet_123", change(pet.tables()))


def test_a_row_in_a_cell_that_is_not_there_is_bad_state():
    pet, other = Pet(), Pet()
    pet.apply(job(1, *photos([3, 3, 3])))
    other.apply(job(1, *photos([1])))
    stranger = pet.rows()["g2-2"]

    with pytest.raises(BadStateError, match="cell"):
        apply(other.album, [job(2, removed=["g2-2"])], {"g2-2": stranger}, other.params, 0)


def test_fields_of_other_names_are_left_alone():
    pet = Pet()
    pet.apply(job(1, *photos([3])))

    album = decode_album("pet_123", {**pet.tables(), b"token": b"1.1"})

    assert render(album, pet.params) == render(pet.album, pet.params)
