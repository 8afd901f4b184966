"""CI's look for known vulnerabilities: it fails for what it found, and says so where it could not look."""

import importlib.util
import json
import subprocess

import pytest

FINE = {"name": "fine", "version": "1.0", "vulns": []}
BAD = {"name": "bad", "version": "2.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2.1", "3.0"]}]}
UNKNOWN = {"name": "odd", "skip_reason": "Dependency not found on PyPI and could not be audited: odd (1)"}


@pytest.fixture
def audit(root):
    spec = importlib.util.spec_from_file_location("audit", root / ".ci/audit.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def run(audit, monkeypatch, capsys):
    """Runs it with what pip-audit would report for each source (None: it fails); gives exit code and output."""

    def run(*reports):
        left = iter(reports)

        def pip(command, **_):
            if command[2] == "pip":
                return subprocess.CompletedProcess(command, 0, b"fine==1.0\n")
            packages = next(left)
            if packages is not None:
                with open(command[-1], "w") as report:  # noqa: PTH123 - as the tool does
                    json.dump({"dependencies": packages}, report)
            return subprocess.CompletedProcess(command, 0, "", "some lines\nERROR: no connection\n")

        monkeypatch.setattr(audit.subprocess, "run", pip)
        code = audit.main()
        assert next(left, "all asked") == "all asked"
        return code, capsys.readouterr().out

    return run


def test_a_finding_fails(run):
    code, out = run([FINE, BAD, UNKNOWN])
    assert code == 1
    assert "bad 2.0: PYSEC-1, mended in 2.1, 3.0" in out
    assert "pypi: 2 of 3 packages looked at" in out


def test_without_a_finding_it_says_how_much_was_looked_at(run):
    assert run([FINE, UNKNOWN]) == (0, "pypi: 1 of 2 packages looked at\n")


@pytest.mark.parametrize("nothing", [None, [], [UNKNOWN]], ids=["failed", "empty", "skipped"])
def test_without_data_it_asks_elsewhere_then_says_that_it_did_not_run(run, nothing):
    assert run(nothing, [FINE, BAD])[0] == 1
    code, out = run(nothing, nothing)
    assert code == 0
    assert "pip-audit DID NOT RUN" in out


def test_ci_runs_it(root):
    script = (root / ".ci/run").read_text()
    assert "audit.py" in script
    assert "tests.daemon.fuzz" in script
