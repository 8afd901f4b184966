"""A transaction that is held up half-way: PostgreSQL's table of newest versions is locked, which is written last."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy import text

from sploot_clusterd.history.database import Database

_WAITS: Final = text(
    "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'pet_latest'::regclass"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


@contextmanager
def held(database: Database) -> Iterator[None]:
    """Whoever writes waits; readers do not."""
    with database.write() as connection:
        connection.execute(text("LOCK TABLE pet_latest IN EXCLUSIVE MODE"))
        yield


def is_waited_for(database: Database) -> bool:
    """Whether a transaction is held up now."""
    with database.read() as connection:
        return bool(connection.scalar(_WAITS))
