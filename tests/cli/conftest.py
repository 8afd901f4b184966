"""What all tests of commands need."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

PREFIXES = ("CLUSTER", "HTTP_", "WORKER_", "INTERNAL_", "REDIS_", "STORAGE_", "DATABASE_", "ENVIRONMENT", "LOG_")


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch, tmp_path):
    """Neither variables nor a .env file of whoever runs the tests."""
    for name in list(os.environ):
        if name.startswith(PREFIXES):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory to be made for a private Redis: short enough for a socket, whatever the test's name."""
    return tmp_path_factory.mktemp("r") / "data"


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working directory with a short path, and no word of a Redis in the environment."""
    with tempfile.TemporaryDirectory(prefix="here-") as directory:
        monkeypatch.chdir(directory)
        monkeypatch.delenv("REDIS_URL", raising=False)
        yield Path(directory)
