"""One fleet of two real daemons for the tests that do it no harm."""

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.faults.fleet import Fleet
from tests.support.api import Api


@pytest.fixture
def directory() -> Iterator[Path]:
    """Short, for the embedded server's socket lies in it."""
    with tempfile.TemporaryDirectory(prefix="daemon-") as path:
        yield Path(path)


@pytest.fixture
async def fleet(directory: Path) -> AsyncIterator[Fleet]:
    async with Fleet(directory, daemons=2) as fleet:
        await fleet.ready()
        yield fleet


@pytest.fixture
def api(fleet: Fleet) -> Api:
    return Api(fleet, fleet.daemons[0])


@pytest.fixture
def other_api(fleet: Fleet) -> Api:
    return Api(fleet, fleet.daemons[1])
