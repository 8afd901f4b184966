"""What tests of the packages share by name."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]


def run(command: Sequence[str | Path], **options: object) -> str:
    """What a command printed; fails with all that it said."""
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    assert done.returncode == 0, f"{' '.join(map(str, command))}: {done.stdout[-4000:]}"
    return done.stdout


def install(tree: Path, wheelhouse: Path, *what: str) -> None:
    """Into a virtual environment, with nothing but what was fetched."""
    run([tree / "bin/python", "-m", "pip", "install", "--quiet", "--no-index", "--find-links", wheelhouse, *what])
