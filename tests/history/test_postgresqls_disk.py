"""What an erasure leaves on PostgreSQL's disk, as docs/history.md tells it."""

import secrets
from pathlib import Path

import psycopg
import pytest

from sploot_clusterd.config import HistorySettings
from sploot_clusterd.history.database import Database
from sploot_clusterd.history.forgetting import forget
from sploot_clusterd.history.schema import newest_snapshots
from tests.history.rows import add_job, add_latest, add_snapshot, add_stay, add_versions
from tests.history.written import NOW_MS


@pytest.mark.database
def test_what_was_erased_is_in_no_table_of_postgresqls_disk_after_vacuum_full(
    pg_database: Database, pg_history: HistorySettings
):
    secret = secrets.token_hex(16)
    with pg_database.write() as connection:
        add_versions(connection, range(1, 3))
        add_latest(connection, 2)
        add_stay(connection, secret, "pet-cluster-0", 1, None)
        add_job(connection, secret, 1)
        add_snapshot(connection, newest_snapshots, 2, b"{}", secrets.token_bytes(5000) + secret.encode())
    assert pg_history.url is not None
    with psycopg.connect(pg_history.url.reveal(), autocommit=True) as server:
        ((data,),) = server.execute("SHOW data_directory").fetchall()

        def holding() -> list[Path]:
            server.execute("CHECKPOINT")
            files = [file for file in Path(data, "base").rglob("*") if file.is_file()]
            return [file for file in files if secret.encode() in file.read_bytes()]

        assert holding()
        assert forget(pg_database, {"pet": NOW_MS}) == 1
        server.execute("VACUUM FULL")
        assert holding() == []
