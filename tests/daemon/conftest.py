"""Fleets of two real daemons, for the tests that do them no harm."""

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.faults.fleet import Fleet
from tests.support.api import Api

ERASED = (200, {"status": "erased"})


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


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running_fleet() -> AsyncIterator[Fleet]:
    """One for all tests of a module, which run on one loop."""
    with tempfile.TemporaryDirectory(prefix="daemon-") as path:
        async with Fleet(Path(path), daemons=2) as fleet:
            await fleet.ready()
            yield fleet


@pytest_asyncio.fixture(loop_scope="module")
async def lent_fleet(running_fleet: Fleet) -> AsyncIterator[Fleet]:
    """That one without pets and dead letters, which it is again when the test has ended."""
    yield running_fleet
    await running_fleet.settled()
    albums = running_fleet.layout.plain.pet("*").album
    pets = [key.decode().rpartition(":")[2] async for key in running_fleet.redis.scan_iter(albums)]
    for pet in pets:
        assert await Api(running_fleet, running_fleet.daemons[0]).ask("DELETE", f"/internal/pets/{pet}") == ERASED
    await running_fleet.redis.delete(running_fleet.layout.plain.dead_letters)


@pytest.fixture
def api(fleet: Fleet) -> Api:
    return Api(fleet, fleet.daemons[0])


@pytest.fixture
def other_api(fleet: Fleet) -> Api:
    return Api(fleet, fleet.daemons[1])
