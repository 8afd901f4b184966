"""What all tests of commands need."""

import os

import pytest

PREFIXES = ("CLUSTER", "HTTP_", "WORKER_", "INTERNAL_", "REDIS_", "STORAGE_", "ENVIRONMENT", "LOG_")


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch, tmp_path):
    """Neither variables nor a .env file of whoever runs the tests."""
    for name in list(os.environ):
        if name.startswith(PREFIXES):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
