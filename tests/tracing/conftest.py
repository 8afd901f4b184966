"""A collector, and time for who sends to it."""

from collections.abc import AsyncIterator

import pytest

from sploot_clusterd.tracing import sending_process
from tests.support.collector import Collector, collecting


@pytest.fixture
async def collector() -> AsyncIterator[Collector]:
    async with collecting() as collector:
        yield collector


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine what takes what others leave may have to wait."""
    monkeypatch.setattr(sending_process, "_LAST_SECONDS", 60.0)
