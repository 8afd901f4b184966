"""The lowest versions that pyproject.toml allows, as pip's constraints: `python .ci/lowest.py > lowest.txt`.

pip takes the newest versions; only with these is it known that the oldest ones will do too.
"""

# ruff: noqa: INP001, T201 - a command, in no package

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_LOWEST = re.compile(r"([\w.-]+)(?:\[[\w,]+\])?>=([\w.]+)")


def lowest(project: dict[str, Any]) -> Iterator[str]:
    """A constraint for each package that has a lower bound, extras included."""
    for given in (project["dependencies"], *project["optional-dependencies"].values()):
        for requirement in given:
            if found := _LOWEST.match(requirement):
                yield f"{found[1]}=={found[2]}"


if __name__ == "__main__":
    text = (Path(__file__).parent.parent / "pyproject.toml").read_text()
    print(*lowest(tomllib.loads(text)["project"]), sep="\n")
