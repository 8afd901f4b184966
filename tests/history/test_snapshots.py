"""Albums and views out of the database again: the right one of several, and none from before an erasure."""

from sqlalchemy import insert

from sploot_clusterd.history import snapshots
from sploot_clusterd.history.database import Database
from sploot_clusterd.history.schema import cluster_snapshots, erased_pets, newest_snapshots
from sploot_clusterd.past import PastAlbum
from tests.history.rows import add_snapshot, at, token


def test_the_album_of_a_version_or_the_last_one_before_it(database: Database):
    with database.write() as connection:
        add_snapshot(connection, newest_snapshots, 9, b"view 9", b"album 9")
        for version in (2, 5):
            add_snapshot(connection, cluster_snapshots, version, b"view", b"album %d" % version)
        add_snapshot(connection, cluster_snapshots, 5, b"view", b"lost 5", token=token(5, "lost"), at_ms=at(5) - 1)
    with database.read() as connection:
        found = {version: snapshots.album(connection, "pet", version) for version in (1, 2, 4, 5, 8, 9, 99)}
        assert snapshots.album(connection, "other", 9) is None
    assert found == {
        1: None,
        2: PastAlbum(2, b"album 2"),
        4: PastAlbum(2, b"album 2"),
        5: PastAlbum(5, b"album 5"),
        8: PastAlbum(5, b"album 5"),
        9: PastAlbum(9, b"album 9"),
        99: PastAlbum(9, b"album 9"),
    }


def test_the_newest_view(database: Database):
    with database.write() as connection:
        add_snapshot(connection, newest_snapshots, 9, b"view 9")
        add_snapshot(connection, newest_snapshots, 1, b"", pet_id="without")
        connection.execute(newest_snapshots.update().where(newest_snapshots.c.pet_id == "without").values(view=None))
    with database.read() as connection:
        found = [snapshots.newest_view(connection, pet) for pet in ("pet", "without", "other")]
    assert found == [b"view 9", None, None]


def test_nothing_of_before_an_erasure(database: Database):
    with database.write() as connection:
        add_snapshot(connection, newest_snapshots, 9, b"view", b"album 9")
        add_snapshot(connection, cluster_snapshots, 5, b"view", b"album 5")
        connection.execute(insert(erased_pets), {"pet_id": "pet", "erased_ms": at(6), "event_id": ""})
    with database.read() as connection:
        assert snapshots.album(connection, "pet", 5) is None
        assert snapshots.album(connection, "pet", 9) == PastAlbum(9, b"album 9")
        assert snapshots.newest_view(connection, "pet") == b"view"
    with database.write() as connection:
        connection.execute(erased_pets.update().values(erased_ms=at(9)))
    with database.read() as connection:
        assert snapshots.album(connection, "pet", 9) is None
        assert snapshots.newest_view(connection, "pet") is None
