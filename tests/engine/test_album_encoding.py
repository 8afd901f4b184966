"""An album is read back as it was written, or refused: never half understood."""

import msgspec
import pytest
from msgspec import structs

from sploot_clusterd.engine import Params, apply, decode_album, render
from sploot_clusterd.engine.album import Cell, Cluster, Member
from sploot_clusterd.engine.render import RENDERING, cluster_view
from sploot_clusterd.errors import BadStateError
from tests.engine.pet import Pet, job, photos

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
        {b"heirs": msgspec.msgpack.encode({2**63: 1})},
        {b"c01": b"garbage"},
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


def cluster_with(place, value):
    """The head with one of its first cluster's values replaced."""

    def change(tables):
        head = msgspec.msgpack.decode(tables[HEAD])
        head[8][0][place] = value
        return {**tables, HEAD: msgspec.msgpack.encode(head)}

    return change


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (head_with(0, 2), "format 2, not 1"),
        (cluster_with(1, 1), "space that the head does not know"),
        (cluster_with(2, [0, 0, 1, 2]), "in several clusters"),
        (cluster_with(9, []), "not one closeness"),
        (cluster_with(11, 0), "not the anchor of its cells"),
        (head_with(7, []), "space that the head does not know"),
        (head_with(8, []), "do not hold the cells"),
        (cell_with(1, float("nan")), "not finite"),
        (cell_with(1, 0.0), "not above 0"),
        (cell_with(1, 1e30), "not finite"),
        (cell_with(1, 1e300), "not finite"),
        (cell_with(0, [1, 3]), "in another space than its cluster"),
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


def large(count=7):
    """A pet with a cluster of more images than the two that are served, and one of two."""
    pet = Pet(Params(max_cluster_size=2))
    pet.apply(job(1, *photos([count, 2], quality=0.6)))
    assert [cluster["size"] for cluster in pet.clusters] == [count, 2]
    return pet


def rendered(fields):
    return sorted(name for name in fields if name.startswith(b"f"))


def test_of_clusters_larger_than_what_is_served_it_is_stored_what_was_rendered():
    pet = large()
    view = render(pet.album, pet.params)
    assert rendered(pet.fields) == [b"f0"]

    album = decode_album("pet_123", pet.tables())

    assert album.fragments == {0: pet.album.fragments[0]}
    assert render(album, pet.params) == view
    pet.album = album
    assert rendered(pet.apply(job(2, *photos({1: 2}, quality=0.9))).writes) == []
    assert rendered(pet.apply(job(3, *photos({0: 1}, quality=0.9))).writes) == [b"f0"]


@pytest.mark.parametrize("gone", [["g0-0", "g0-1", "g0-2", "g0-3", "g0-4"], [f"g0-{number}" for number in range(7)]])
def test_once_a_cluster_is_small_or_gone_it_is_not_stored_any_more(gone):
    pet = large()

    pet.apply(job(2, removed=gone))

    assert rendered(pet.fields) == []
    view = render(pet.album, pet.params)
    assert render(pet.reload(), pet.params) == view


def test_all_is_rendered_anew_under_other_settings():
    pet = large()
    pet.params = Params(max_cluster_size=1)
    assert render(pet.reload(), pet.params) == render(structs.replace(pet.album, fragments={}), pet.params)

    pet.apply(job(2, image_ids=["bare"]))

    assert rendered(pet.fields) == [b"f0", b"f1"]
    assert render(pet.album, pet.params) == render(structs.replace(pet.reload(), fragments={}), pet.params)


@pytest.mark.parametrize("change", [head_with(11, 0), head_with(11, RENDERING + 1), head_with(10, None)])
def test_what_was_rendered_otherwise_is_not_used_and_replaced(change):
    pet = large()
    stored = pet.fields[b"f0"]
    pet.fields |= change({**pet.tables(), b"f0": b"of another time"})

    assert pet.reload().fragments == {}
    pet.apply(job(2, image_ids=["bare"]))

    assert pet.fields[b"f0"] == stored
    assert pet.reload().fragments.keys() == {0}


@pytest.mark.parametrize("raw", [b"", b"garbage", b"{}", b'{"id": "pet_123-cluster-1"}', b'{"id": "pet_123-clus'])
def test_a_rendered_cluster_that_is_none_is_bad_state(raw):
    pet = large()

    with pytest.raises(BadStateError, match="field f0"):
        decode_album("pet_123", {**pet.tables(), b"f0": raw})


def test_whoever_changes_how_clusters_are_rendered_raises_the_constant():
    """So that what older versions have stored is not served: a new constant, and then the new bytes here."""
    cluster = Cluster(key=0, space=0, cells=(0,), number=3, hero="a", vote="cat", size=9)
    cells = {0: Cell(0, quality_sum=0.5, quality_count=2)}
    served = [(0.123456, Member("a", (1, 0), 0, None, 1.0, 0)), (0.1, Member("b", (1, 0), 1, 0.5, 1.0, 0))]

    raw = msgspec.json.encode(cluster_view("pet_123", cluster, cells, Params(), served))

    assert RENDERING == 3
    assert raw == (
        b'{"id":"pet_123-cluster-3","label":"cat","hero_image_id":"a","members":['
        b'{"image_id":"a","score":0.1235,"position":0,"quality_score":null},'
        b'{"image_id":"b","score":0.1,"position":1,"quality_score":0.5}],'
        b'"quality_score":0.25,"size":9,"provisional":false,"seen":"8fbd675c"}'
    )


@pytest.mark.parametrize("count", [1, 7])
def test_an_album_of_the_time_before_rendered_clusters_and_arrays_of_heirs_is_read(count):
    pet = Pet(Params(max_cells=6, max_cluster_size=2))
    pet.apply(*(job(number, image) for number, image in enumerate(photos([count, count], spread=0.8))))
    heirs = dict(pet.album.heirs)
    assert bool(heirs) == (count > 1)
    head = msgspec.msgpack.decode(pet.fields[HEAD])
    tables = {name: raw for name, raw in pet.tables().items() if name[:1] != b"f"}
    tables |= {HEAD: msgspec.msgpack.encode(head[:11]), b"heirs": msgspec.msgpack.encode(heirs)}

    album = decode_album("pet_123", tables)

    assert album.heirs == heirs
    assert render(album, pet.params) == render(pet.album, pet.params)
