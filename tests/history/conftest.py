"""Databases with the tables in them: SQLite, the wheel's PostgreSQL, and Debian's under the mark `database`."""

from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import pytest
from redis.asyncio import Redis

from sploot_clusterd.config import HistorySettings
from sploot_clusterd.engine import Params
from sploot_clusterd.history.database import Database
from sploot_clusterd.history.migrating import migrate
from tests.history.following import Writing
from tests.support.databases import EACH, SERVER_FIXTURES, SERVERS, settings_of
from tests.support.postgres import Postgres, chosen, debian
from tests.support.side import Side, opened_side

_TEMPLATE: Final = "migrated"


def _serving(programs: Path) -> Iterator[Postgres]:
    with Postgres(programs) as server:
        server.execute(f"CREATE DATABASE {_TEMPLATE}")
        migrate(settings_of(server.url(_TEMPLATE)))
        yield server


@pytest.fixture(scope="session")
def wheels_postgres() -> Iterator[Postgres]:
    yield from _serving(chosen())


@pytest.fixture(scope="session")
def debians_postgres() -> Iterator[Postgres]:
    yield from _serving(debian())


@pytest.fixture(params=SERVERS)
def postgres(request: pytest.FixtureRequest) -> Postgres:
    """A running server, which other tests use too."""
    server: Postgres = request.getfixturevalue(SERVER_FIXTURES[request.param])
    return server


@pytest.fixture
def pg_history(postgres: Postgres) -> Iterator[HistorySettings]:
    """Settings of a PostgreSQL that has its tables, and nothing in them."""
    with postgres.database(_TEMPLATE) as url:
        yield settings_of(url)


@pytest.fixture
def pg_database(pg_history: HistorySettings) -> Iterator[Database]:
    opened = Database.open(pg_history)
    yield opened
    opened.close()


@pytest.fixture
def sqlite_history(tmp_path: Path) -> HistorySettings:
    """Settings of a file that has its tables, and nothing in them."""
    settings = settings_of(f"sqlite:///{tmp_path}/history.sqlite3")
    migrate(settings)
    return settings


@pytest.fixture(params=EACH)
def history(request: pytest.FixtureRequest) -> Iterator[HistorySettings]:
    """Settings of a database of each kind that has its tables, and nothing in them."""
    if request.param == "sqlite":
        yield request.getfixturevalue("sqlite_history")
        return
    with request.getfixturevalue(SERVER_FIXTURES[request.param]).database(_TEMPLATE) as url:
        yield settings_of(url)


@pytest.fixture
def database(history: HistorySettings) -> Iterator[Database]:
    opened = Database.open(history)
    yield opened
    opened.close()


@pytest.fixture
async def side(redis: Redis, redis_url: str) -> AsyncIterator[Side]:
    async with opened_side(redis_url, Params(), feeds=True) as side:
        yield side


@pytest.fixture
def writing(side: Side, database: Database) -> Iterator[Writing]:
    with ThreadPoolExecutor(1) as pool:
        yield Writing(side, database, pool)
