"""The package with a fault put into it: what the experiments are to show of code that is wrong."""

import shutil
from collections.abc import Iterable
from pathlib import Path

from tests.faults.fleet import ROOT


def broken(directory: Path, breaks: Iterable[tuple[str, str, str]]) -> Path:
    """A copy of the package in which texts of some files are others."""
    copy = directory / "broken" / "sploot_clusterd"
    shutil.copytree(ROOT / "sploot_clusterd", copy, ignore=shutil.ignore_patterns("__pycache__"))
    for file, sound, changed in breaks:
        text = (copy / file).read_text()
        assert sound in text
        (copy / file).write_text(text.replace(sound, changed))
    return copy.parent
