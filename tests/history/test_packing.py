"""Bytes come back as they were, and texts hold nothing that a database refuses."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.exc import DataError

from sploot_clusterd.errors import BadStateError
from sploot_clusterd.history.packing import pack, unpack
from sploot_clusterd.history.schema import cluster_jobs, cluster_snapshots
from sploot_clusterd.history.texts import clean
from tests.history.rows import add_job, add_snapshot


@given(st.binary(max_size=2000) | st.binary(max_size=20).map(lambda each: each * 100))
def test_what_is_packed_comes_back(content):
    packed = pack(content)
    assert unpack(packed) == content
    assert len(packed) <= len(content) + 1


def test_what_is_large_is_compressed_only_where_that_saves_something():
    text, vectors = b'{"image_id": "img_1", "label": "Portraits"}' * 1000, random.Random(1).randbytes(40_000)
    assert len(pack(text)) < len(text) / 10
    assert pack(vectors) == b"\x00" + vectors
    assert [unpack(pack(each)) for each in (text, vectors)] == [text, vectors]


@pytest.mark.parametrize("broken", [b"", b"\x07abc", b"\x01abc"])
def test_what_was_never_packed_is_told(broken):
    with pytest.raises(BadStateError, match="history holds"):
        unpack(broken)


def test_bytes_of_any_kind_are_kept(database):
    content = bytes(range(256)) * 3
    with database.write() as connection:
        add_snapshot(connection, cluster_snapshots, 1, b'{"a": 1e2}', content)
    with database.read() as connection:
        row = connection.execute(select(cluster_snapshots)).one()
    assert (unpack(row.view), unpack(row.album)) == (b'{"a": 1e2}', content)


@given(st.text())
def test_a_clean_text_is_nearly_the_same(text):
    cleaned = clean(text)
    cleaned.encode()
    assert len(cleaned) == len(text)
    assert all(other in {one, "\ufffd"} for one, other in zip(text, cleaned, strict=True))
    assert "\x00" not in cleaned


def test_any_error_of_a_job_can_be_kept(database):
    text = "NUL \x00, half a pair \ud800, and all of it \U0001f408"
    with database.write() as connection:
        add_job(connection, "job", 1, last_error=clean(text))
    with database.read() as connection:
        assert (
            connection.scalar(select(cluster_jobs.c.last_error))
            == "NUL \ufffd, half a pair \ufffd, and all of it \U0001f408"
        )


def test_a_text_that_is_not_clean_never_passes(pg_database):
    with pytest.raises(DataError), pg_database.write() as connection:
        add_job(connection, "job\x00", 1)
