"""The manual page as programs see it that show it. That it is what the parser says, tests/docs/test_pages.py holds."""

import os
import re
import subprocess

import pytest

from tests.docs.manual import manual
from tests.docs.pages import ROOT

PAGE = ROOT / "docs/man/clusterd.1"


def test_every_command_has_a_section_with_an_example():
    sections = re.split(r'^\.SS "(clusterd [a-z ]*[a-z])', manual(), flags=re.MULTILINE)[1:]
    found = dict(zip(sections[::2], sections[1::2], strict=True))
    assert {"clusterd demo", "clusterd dlq", "clusterd dlq list", "clusterd history restore"} <= found.keys()
    assert [name for name, text in found.items() if not re.search(r"^example", text, re.MULTILINE)] == []


def test_options_of_every_command_stand_there_once():
    assert len(re.findall(r"^\\fB\\-\\-config\\fR", manual(), re.MULTILINE)) == 1


@pytest.mark.system
def test_groff_man_and_mandoc_find_no_fault():
    commands = (
        ["groff", "-ww", "-man", "-Tutf8", "-z", PAGE],
        ["man", "--warnings", "--local-file", PAGE],
        ["mandoc", "-Tlint", PAGE],
    )
    environment = {**os.environ, "MANWIDTH": "80", "LC_ALL": "C.UTF-8", "PAGER": "cat"}
    done = [subprocess.run(c, check=False, capture_output=True, text=True, env=environment) for c in commands]
    # A date would be that of the last change to some help text, or untrue.
    told = [line for one in done for line in one.stderr.splitlines()] + done[2].stdout.splitlines()
    assert [line for line in told if not line.endswith('missing date, using "": TH')] == []
    assert "\nEXIT STATUS\n" in done[1].stdout


@pytest.mark.system
def test_whatis_finds_the_name():
    done = subprocess.run(["lexgrog", PAGE], check=True, capture_output=True, text=True)
    assert re.search(r'"clusterd - [A-Z].+"$', done.stdout.strip())
