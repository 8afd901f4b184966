"""The run on the oldest versions that are allowed: every dependency takes part in it."""

import importlib.util
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_each_dependency_is_tried_at_its_lowest():
    spec = importlib.util.spec_from_file_location("lowest", ROOT / ".ci/lowest.py")
    lowest = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(lowest)
    constraints = list(lowest.lowest(PROJECT))
    assert "aiohttp==3.14.4" in constraints
    names = {re.split(r"[<>=\[]", each)[0] for each in PROJECT["dependencies"]}
    assert {constraint.partition("==")[0] for constraint in constraints} >= names
    assert ".ci/lowest.py" in (ROOT / ".ci/run").read_text()


def test_what_the_product_needs_has_an_upper_bound():
    extras = PROJECT["optional-dependencies"]
    needed = [*PROJECT["dependencies"], *extras["embedded"], *extras["report"]]
    assert [each for each in needed if "<" not in each] == []
