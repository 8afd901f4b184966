"""Matplotlib keeps a cache: for these tests not at home. And albums enough to learn a profile from."""

import importlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from sploot_clusterd.evaluate.albums import LabelledAlbum, read_albums
from tests.evaluate.collection import collection, saved


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MPLCONFIGDIR", str(tmp_path_factory.mktemp("matplotlib")))
        yield


@pytest.fixture
def drawn(cache: None) -> ModuleType:
    """The report's module, imported when the cache has its place."""
    return importlib.import_module("sploot_clusterd.evaluate.report")


@pytest.fixture(scope="session")
def fleet_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(tmp_path_factory.mktemp("fleet") / "albums.npz", collection())


@pytest.fixture(scope="session")
def albums(fleet_file: Path) -> list[LabelledAlbum]:
    return read_albums(fleet_file)
