"""Matplotlib keeps a cache: for these tests not at home."""

import importlib
from collections.abc import Iterator
from types import ModuleType

import pytest


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MPLCONFIGDIR", str(tmp_path_factory.mktemp("matplotlib")))
        yield


@pytest.fixture
def drawn(cache: None) -> ModuleType:
    """The report's module, imported when the cache has its place."""
    return importlib.import_module("sploot_clusterd.evaluate.report")
