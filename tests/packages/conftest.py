"""The packages, built once for the run from a copy of the checkout, as a release would build them."""

import shutil
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.packages.building import ROOT, install, run

_NOT_KEPT = (".git", ".venv", ".lowest", ".ci", "*.egg-info", "build", "dist", "__pycache__", ".*_cache", ".hypothesis")


class Packages(NamedTuple):
    """What a release consists of."""

    wheel: Path
    sdist: Path


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout, for building leaves things behind."""
    return shutil.copytree(ROOT, tmp_path_factory.mktemp("source") / "s", ignore=shutil.ignore_patterns(*_NOT_KEPT))


@pytest.fixture(scope="session")
def packages(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Packages:
    """The sdist, and the wheel that is built from it."""
    made = tmp_path_factory.mktemp("dist")
    run([sys.executable, "-m", "build", "--outdir", made, source])
    [wheel], [sdist] = made.glob("*.whl"), made.glob("*.tar.gz")
    return Packages(wheel, sdist)


@pytest.fixture(scope="session")
def wheelhouse(packages: Packages, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Wheels of all that the packages need, for the Python of the image, which need not be this one; fetched once."""
    house = tmp_path_factory.mktemp("wheels")
    fetch = [sys.executable, "-m", "pip", "download", "--quiet", "--only-binary=:all:", "--python-version=3.11"]
    run([*fetch, "--dest", house, "hatchling>=1.27,<2", f"{packages.wheel}[embedded,history,otel]"])
    return house


@pytest.fixture(scope="session")
def bare(packages: Packages, wheelhouse: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh virtual environment with the wheel, without extras."""
    tree = tmp_path_factory.mktemp("bare") / "venv"
    run([sys.executable, "-m", "venv", tree])
    install(tree, wheelhouse, str(packages.wheel))
    return tree
