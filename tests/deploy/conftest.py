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


@pytest.fixture(scope="session")
def stages(root):
    """The Dockerfile's stages, each a list of (instruction, arguments)."""
    text = (root / "Dockerfile").read_text().replace("\\\n", " ")
    lines = [line.split(maxsplit=1) for line in text.splitlines() if line and not line.startswith("#")]
    starts = [number for number, (instruction, _) in enumerate(lines) if instruction == "FROM"]
    ends = [*starts[1:], len(lines)]
    return [[tuple(line) for line in lines[start:end]] for start, end in zip(starts, ends, strict=True)]


@pytest.fixture(scope="session")
def image(stages):
    """The last stage: what is run."""
    return stages[-1]
