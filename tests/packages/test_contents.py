"""The wheel and the sdist: what is in them, and what they say of themselves."""

import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email.parser import HeaderParser
from pathlib import Path

import pytest

from sploot_clusterd import __version__
from tests.packages.building import ROOT, run

pytestmark = [pytest.mark.system, pytest.mark.timeout(1200)]

PACKAGE = "sploot_clusterd"
INFO = f"{PACKAGE}-{__version__}.dist-info"
IN_THE_WHEEL = {f"{INFO}/{name}" for name in ("METADATA", "RECORD", "WHEEL", "entry_points.txt")}


@pytest.fixture(scope="module")
def of_the_package():
    """Every file of the package in the checkout."""
    files = {file for file in (ROOT / PACKAGE).rglob("*") if file.is_file() and file.suffix != ".pyc"}
    return {str(file.relative_to(ROOT)) for file in files}


@pytest.fixture(scope="module")
def in_the_sdist(packages):
    with tarfile.open(packages.sdist) as archive:
        names = (Path(member.name) for member in archive.getmembers() if member.isfile())
        return {str(name.relative_to(f"{PACKAGE}-{__version__}")) for name in names}


def test_the_wheel_is_the_package_and_its_manual_page(packages, of_the_package):
    assert of_the_package >= {
        *(f"{PACKAGE}/{name}" for name in ("py.typed", "alerts/rules.json", "ui/static/index.html")),
        *(f"{PACKAGE}/{name}" for name in ("store/lua/commit.lua", "history/migrations/versions/r0001_tables.py")),
    }
    page = f"{PACKAGE}-{__version__}.data/data/share/man/man1/clusterd.1"
    assert set(zipfile.ZipFile(packages.wheel).namelist()) == of_the_package | IN_THE_WHEEL | {page}


def test_the_sdist_has_what_an_installation_needs_and_no_tests(in_the_sdist, of_the_package):
    units = {f"systemd/{file.name}" for file in (ROOT / "systemd").iterdir()}
    assert in_the_sdist >= of_the_package | units | {"config.example.toml", "docs/man/clusterd.1", "pyproject.toml"}
    assert [name for name in in_the_sdist if "test" in name or "__pycache__" in name] == []


def test_indexes_would_take_both(packages):
    assert run([sys.executable, "-m", "twine", "--no-color", "check", "--strict", *packages]).count("PASSED") == 2


def test_the_wheel_has_nothing_that_wheels_should_not(packages):
    assert run([Path(sys.executable).with_name("check-wheel-contents"), packages.wheel]).endswith(".whl: OK\n")


def test_check_wheel_contents_sees_a_wheel_with_tests(packages, tmp_path):
    spoilt = tmp_path / packages.wheel.name
    with zipfile.ZipFile(packages.wheel) as wheel, zipfile.ZipFile(spoilt, "w") as other:
        for name in wheel.namelist():
            more = b"tests/test_x.py,,\n" if name.endswith("/RECORD") else b""
            other.writestr(name, wheel.read(name) + more)
        other.writestr("tests/test_x.py", "")
    command = [Path(sys.executable).with_name("check-wheel-contents"), spoilt]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 1, done.stdout


def test_the_metadata_is_what_pyproject_says(packages):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    told = HeaderParser().parsestr(zipfile.ZipFile(packages.wheel).read(f"{INFO}/METADATA").decode())
    assert (told["Name"], told["Version"]) == (project["name"], __version__)
    assert (told["Summary"], told["Requires-Python"]) == (project["description"], project["requires-python"])
    assert told["Keywords"].split(",") == project["keywords"]
    assert told.get_all("Classifier") == project["classifiers"]
    assert set(told.get_all("Provides-Extra")) == set(project["optional-dependencies"])
    assert told["Description-Content-Type"] == "text/markdown"
    needed = [line for line in told.get_all("Requires-Dist") if "extra ==" not in line]
    assert {re.match(r"[\w-]+", line)[0] for line in needed} == {
        re.match(r"[\w-]+", line)[0] for line in project["dependencies"]
    }
