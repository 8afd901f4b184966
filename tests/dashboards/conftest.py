import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def directory() -> Iterator[Path]:
    """Short, for the embedded server's socket lies in it."""
    with tempfile.TemporaryDirectory(prefix="boards-") as path:
        yield Path(path)
