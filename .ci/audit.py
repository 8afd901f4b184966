"""Looks the installed packages up among known vulnerabilities, with pip-audit: `python .ci/audit.py`.

It fails for a finding. Without its data it cannot find anything, and pip-audit itself then reports that all is well; so
what it says of each package is looked at, and a run that looked at none says so and does not fail.
"""

# ruff: noqa: INP001, T201 - a command, in no package

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

SOURCES = ("pypi", "osv")
PATIENCE = 120


def main() -> int:
    """1 if a package has a known vulnerability, else 0."""
    with tempfile.TemporaryDirectory() as directory:
        requirements, report = Path(directory) / "requirements.txt", Path(directory) / "report.json"
        freeze = [
            sys.executable,
            "-m",
            "pip",
            "freeze",
            "--exclude-editable",
        ]  # without pip itself, which nobody is served by
        requirements.write_bytes(subprocess.run(freeze, check=True, capture_output=True).stdout)  # noqa: S603 - ours
        for source in SOURCES:
            packages, problem = ask(source, requirements, report)
            looked_at, findings = verdict(packages)
            if looked_at:
                print(*findings, f"{source}: {looked_at} of {len(packages)} packages looked at", sep="\n")
                return int(bool(findings))
            print(f"{source}: no data ({problem})")
    print("pip-audit DID NOT RUN: its data cannot be reached from here, and nothing is known about vulnerabilities")
    return 0


def ask(source: str, requirements: Path, report: Path) -> tuple[Sequence[Mapping[str, Any]], str]:
    """What pip-audit says of each package, none if it failed; and its last words."""
    report.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pip_audit", "--vulnerability-service", source, "--requirement", str(requirements)]
    command += ["--no-deps", "--disable-pip", "--progress-spinner", "off", "--format", "json", "--output", str(report)]
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=PATIENCE)  # noqa: S603 - ours
    except subprocess.TimeoutExpired:
        return (), f"no answer within {PATIENCE} s"
    words = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
    if not report.exists():
        return (), words
    packages = json.loads(report.read_text())["dependencies"]
    return packages, next((package["skip_reason"] for package in packages if "skip_reason" in package), words)


def verdict(packages: Sequence[Mapping[str, Any]]) -> tuple[int, list[str]]:
    """How many packages were looked at, and a line for each vulnerability."""
    looked_at = [package for package in packages if "skip_reason" not in package]
    findings = [
        f"{package['name']} {package['version']}: {found['id']}, mended in {', '.join(found['fix_versions']) or 'none'}"
        for package in looked_at
        for found in package["vulns"]
    ]
    return len(looked_at), findings


if __name__ == "__main__":
    sys.exit(main())
