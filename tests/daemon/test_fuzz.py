"""How the fuzz command reads what schemathesis reports: a run that tested nothing is no good run."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.daemon.fuzz import indented, judged


def written(file: Path, **changes: Any) -> Path:
    report = {
        "complete": True,
        "operations": {"total": 10, "selected": 9, "tested": 9},
        "test_cases": {"generated": 1552, "with_failures": 0, "errored": 0},
    }
    file.write_bytes(msgspec.json.encode(report | changes))
    return file


def test_a_good_run_is_told_in_a_line(tmp_path: Path):
    assert judged(0, written(tmp_path / "r.json")) == ("all as documented (operations: 9, cases: 1,552)", True)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"complete": False}, "it was not completed"),
        ({"operations": {"selected": 0, "tested": 0}}, "0 of 0 operations were tested"),
        ({"operations": {"selected": 9, "tested": 8}}, "8 of 9 operations were tested"),
        ({"test_cases": {"generated": 0, "with_failures": 0, "errored": 0}}, "no case was generated"),
        ({"test_cases": {"generated": 1552, "with_failures": 2, "errored": 1}}, "3 of 1,552 cases went wrong"),
    ],
)
def test_a_run_that_proves_nothing_or_fails_is_not_well_whatever_its_exit_code(tmp_path: Path, changes, said: str):
    assert judged(0, written(tmp_path / "r.json", **changes)) == (said, False)


def test_an_exit_code_is_believed_over_a_good_report(tmp_path: Path):
    assert judged(1, written(tmp_path / "r.json")) == ("schemathesis ended with 1", False)


@pytest.mark.parametrize("text", [None, "", "{}", '{"complete": true}'])
def test_a_run_without_its_report_is_not_well(tmp_path: Path, text: str | None):
    file = tmp_path / "r.json"
    if text is not None:
        file.write_text(text)
    said, well = judged(0, file)
    assert said.startswith("schemathesis left no report that can be read: ")
    assert not well


def test_no_line_of_what_is_printed_reads_as_a_summary():
    assert indented("a\n\n=== 1 failed in 0.1s ===\n") == "| a\n| \n| === 1 failed in 0.1s ==="
