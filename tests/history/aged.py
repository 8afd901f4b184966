"""What was written long ago."""

from sploot_clusterd.history import schema
from sploot_clusterd.history.database import Database
from tests.history.rows import BEGIN, add_hero, add_job, add_latest, add_snapshot, add_stay, add_versions, at

DAY = 86_400_000
LATER = BEGIN + 100 * DAY


def told(database: Database) -> None:
    """A quiet pet: its last version was 100 days ago; beside it one of yesterday."""
    with database.write() as connection:
        add_versions(connection, range(1, 4))
        add_versions(connection, range(4, 5), later=LATER - DAY - at(4))
        add_latest(connection, 3)
        add_stay(connection, "a", "pet-cluster-0", 1, 2)
        add_stay(connection, "a", "pet-cluster-1", 2, None)
        add_hero(connection, "pet-cluster-1", "a", 2, None)
        add_job(connection, "job_1", 1)
        add_snapshot(connection, schema.cluster_snapshots, 2, b"{}")
        add_snapshot(connection, schema.newest_snapshots, 3, b"{}", b"album")
