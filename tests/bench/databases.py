"""Databases for history, each for one measurement."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from sploot_clusterd.config import HistorySettings, SecretUrl
from sploot_clusterd.history.database import Database
from sploot_clusterd.history.migrating import migrate
from tests.support.postgres import Postgres, chosen


@contextmanager
def sqlite() -> Iterator[str]:
    """Its URL; so of the other one."""
    with tempfile.TemporaryDirectory(prefix="bench-") as path:
        yield _migrated(f"sqlite:///{path}/history.sqlite3")


@contextmanager
def postgres() -> Iterator[str]:
    with Postgres(chosen()) as server:
        yield _migrated(server.url())


def _migrated(url: str) -> str:
    migrate(HistorySettings(url=SecretUrl(url)))
    return url


@contextmanager
def opened(url: str) -> Iterator[Database]:
    """To be looked into."""
    database = Database.open(HistorySettings(url=SecretUrl(url)))
    try:
        yield database
    finally:
        database.close()
