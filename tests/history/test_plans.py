"""Plans of PostgreSQL that were made of empty tables, and are kept while these fill."""

import pytest
from sqlalchemy import Connection, text

from sploot_clusterd.history import bulk
from sploot_clusterd.history.database import Database
from sploot_clusterd.history.schema import cluster_heroes, cluster_members
from sploot_clusterd.history.statements import FACE_KEY, MEMBER_KEY

_OPEN = 2000
_AGAIN = 15
"""Times that a statement is asked: after five it is prepared, and after ten its plan may be kept."""


@pytest.mark.database
@pytest.mark.parametrize(
    ("table", "key", "more"),
    [(cluster_members, MEMBER_KEY, {"shown": True}), (cluster_heroes, FACE_KEY, {"label": "", "hero_image_id": None})],
)
def test_who_closes_a_stay_reads_no_others_whatever_the_planner_knew(pg_database: Database, table, key, more):
    def rows(first: int, last: int) -> list[bulk.Row]:
        return [dict.fromkeys(key, f"{number}") for number in range(first, last)]

    with pg_database.write() as connection:
        for _ in range(_AGAIN):
            _close(connection, table, key, rows(0, 5))
        since = {"from_version": 1, "from_ms": 5, "until_version": None, "until_ms": None, "live": True}
        bulk.insert(connection, table, [{**row, **since, **more} for row in rows(0, _OPEN)], key)
    with pg_database.write() as connection:
        _close(connection, table, key, rows(0, 5))
        read = text("SELECT idx_tup_fetch + seq_tup_read FROM pg_stat_xact_user_tables WHERE relname = :name")
        assert connection.scalar(read, {"name": table.name}) < _OPEN / 10
        closed = text(f"SELECT count(*) FROM {table.name} WHERE until_version = 2 AND until_ms = 7")
        assert connection.scalar(closed) == 5
        _close(connection, table, key, [{**row, "until_version": 3} for row in rows(0, 5)])
        assert connection.scalar(closed) == 5, "what is closed stays so"


def _close(connection: Connection, table, key, rows: list[bulk.Row]) -> None:
    bulk.close(connection, table, key, [{"until_version": 2, "until_ms": 7, **row} for row in rows])
