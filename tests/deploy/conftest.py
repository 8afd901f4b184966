import inspect
from pathlib import Path

import pytest

from sploot_clusterd.supervisor import CANCEL_SECONDS, DRAIN_SECONDS
from sploot_clusterd.web import HttpServer


@pytest.fixture(scope="session")
def root():
    """The repository's root."""
    return Path(__file__).parents[2]


@pytest.fixture(scope="session")
def longest_stop():
    """Seconds that a stop may take at most: HTTP, the drain, and what had to be cancelled."""
    http = inspect.signature(HttpServer).parameters["shutdown_timeout"].default
    return http + DRAIN_SECONDS + CANCEL_SECONDS
