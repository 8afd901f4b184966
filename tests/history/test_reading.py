"""What readers get of what was written: versions as they were, pages without a gap, stays and jobs."""

import pytest
from msgspec import json

from sploot_clusterd.history import reading, schema
from sploot_clusterd.history.database import Database
from sploot_clusterd.past import PastCluster, PastClusters, PastVersions, encode
from tests.history.rows import (
    add_hero,
    add_job,
    add_latest,
    add_snapshot,
    add_stay,
    add_versions,
    at,
    token,
)

ZERO, ONE, TEN = "pet-cluster-0", "pet-cluster-1", "pet-cluster-10"
VIEW = b'{"pet_id":"pet","clusters":[],"metrics":{"coverage":{"a":1e-2}}}'


@pytest.fixture
def told(database: Database) -> Database:
    """Three versions: an image moves in the second, a cluster comes in the third, and one image is not listed."""
    with database.write() as connection:
        add_versions(connection, range(1, 4))
        add_versions(connection, range(3, 5), nonce="lost", later=-5, live=False)
        add_latest(connection, 3)
        add_stay(connection, "a", ZERO, 1, None)
        add_stay(connection, "b", ZERO, 1, 2)
        add_stay(connection, "b", ONE, 2, None)
        add_stay(connection, "c", TEN, 3, None)
        add_stay(connection, "d", ZERO, 2, None, shown=False)
        add_stay(connection, "e", schema.UNCLUSTERED, 1, 3)
        add_stay(connection, "f", ZERO, 3, None, live=False)
        add_stay(connection, "a", ZERO, 1, None, pet_id="another")
        add_hero(connection, ZERO, "a", 1, None)
        add_hero(connection, ONE, "b", 2, None)
        add_hero(connection, TEN, "c", 3, None)
        add_snapshot(connection, schema.newest_snapshots, 3, VIEW)
        add_snapshot(connection, schema.cluster_snapshots, 1, VIEW)
    return database


def read(database, function, *args):
    with database.read() as connection:
        return function(connection, *args)


def test_a_version_is_as_it_was(told):
    first, second, third = (read(told, reading.version, "pet", number) for number in (1, 2, 3))
    assert first.clusters == [PastCluster(ZERO, "With a", "a", ["a", "b"], [])]
    assert (first.unclustered, first.token, first.at) == (["e"], token(1), "2025-11-27T02:21:00.000Z")
    assert second.clusters == [
        PastCluster(ZERO, "With a", "a", ["a"], ["d"]),
        PastCluster(ONE, "With b", "b", ["b"], []),
    ]
    assert [cluster.id for cluster in third.clusters] == [ZERO, ONE, TEN]
    assert (third.unclustered, third.complete) == ([], True)
    assert read(told, reading.version, "pet", 4) is None  # it is known, and superseded
    assert read(told, reading.latest, "pet") == third
    assert read(told, reading.latest, "nobody") is None


def test_a_view_that_was_kept_is_there_byte_for_byte(told):
    for number, kept in ((1, VIEW), (2, None), (3, VIEW)):
        found = read(told, reading.version, "pet", number)
        assert (found.view and bytes(found.view)) == kept
        body = encode(found)
        assert body.endswith(b'"view":%s}' % (kept or b"null"))
        if kept is None:
            assert json.decode(body, type=PastClusters) == found


def test_pages_of_versions_follow_each_other_without_a_gap(told):
    with told.write() as connection:
        add_versions(connection, range(5, 40))
    seen, place = [], None
    while place or not seen:
        page = read(told, reading.versions, "pet", place, None, 7)
        seen += page.versions
        place = page.next
    assert [each.version for each in seen if each.live] == [*range(39, 4, -1), 3, 2, 1]
    assert [(each.version, each.after) for each in seen if not each.live] == [(4, "lost.4"), (3, "lost.3")]
    assert seen[0].id == f"39-{at(39)}"
    assert (seen[0].before, seen[0].after, seen[0].jobs) == (token(38), token(39), ["job_39"])
    decoded = json.decode(encode(PastVersions("pet", seen, None)), type=PastVersions)
    assert decoded.versions[0].change.clusters[0].images_in == ["img_039"]


def test_versions_until_a_time_begin_with_the_one_that_was_current_then(told):
    assert [each.version for each in read(told, reading.versions, "pet", None, at(2) + 5, 10).versions] == [2, 1]
    assert read(told, reading.versions, "pet", None, at(0), 10).versions == []
    assert read(told, reading.versions, "nobody", None, None, 10) is None


def test_where_an_image_was(told):
    [newest] = (page := read(told, reading.whereabouts, "b", None, 1)).stays
    assert (newest.cluster_id, newest.from_version, newest.until_version, newest.listed) == (ONE, 2, None, True)
    [older] = (last := read(told, reading.whereabouts, "b", int(page.next), 1)).stays
    assert (older.cluster_id, older.from_version, older.until_version) == (ZERO, 1, 2)
    assert (older.since, older.until) == ("2025-11-27T02:21:00.000Z", "2025-11-27T02:22:00.000Z")
    assert last.next is None
    [loose] = read(told, reading.whereabouts, "e", None, 9).stays
    assert (loose.cluster_id, loose.until_version) == (None, 3)
    assert {stay.pet_id for stay in read(told, reading.whereabouts, "a", None, 9).stays} == {"pet", "another"}
    assert read(told, reading.whereabouts, "nothing", None, 9) is None


def test_pages_of_jobs(database):
    with database.write() as connection:
        for number in range(5):
            add_job(connection, f"job_{number}", number // 2)
        add_job(connection, "bad", 9, status="dead", reason="invalid", last_error="no vector", attempts=1, version=None)
        add_job(connection, "gone", 8, status="lost")
    first = read(database, reading.jobs_of, "pet", None, 2, frozenset())
    assert [job.job_id for job in first.jobs] == ["bad", "job_4"]
    assert (first.jobs[0].reason, first.jobs[0].last_error, first.jobs[0].attempts) == ("invalid", "no vector", 1)
    ms, _, job = first.next.partition("-")
    second = read(database, reading.jobs_of, "pet", (int(ms), job), 9, frozenset())
    assert [job.job_id for job in second.jobs] == ["job_3", "job_2", "job_1", "job_0"]
    assert (second.jobs[0].finished_at, second.next) == ("2025-11-27T02:21:00.000Z", None)


def test_of_jobs_that_the_reader_knows_the_next_ones_are_told(database):
    with database.write() as connection:
        for number in range(6):
            add_job(connection, f"job_{number}", number)
    known = frozenset({"job_5", "job_3", "another"})
    first = read(database, reading.jobs_of, "pet", None, 2, known)
    assert [job.job_id for job in first.jobs] == ["job_4", "job_2"]
    ms, _, job = first.next.partition("-")
    last = read(database, reading.jobs_of, "pet", (int(ms), job), 2, known)
    assert ([job.job_id for job in last.jobs], last.next) == (["job_1", "job_0"], None)
