"""schemathesis against a running daemon, driven by its own /openapi.json: `python -m tests.daemon.fuzz`.

CI runs it; it is no test of the suite, for its libraries are many. What it does is in schemathesis.toml.
"""

import asyncio
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

import msgspec

from sploot_clusterd.config import HistorySettings, SecretUrl
from sploot_clusterd.history.migrating import migrate
from tests.faults.fleet import TOKEN, Daemon, Fleet

_CONFIG: Final = Path(__file__).with_name("schemathesis.toml")
_HOOKS: Final = Path(__file__).with_name("ndjson.py")
_PATIENCE: Final = 120


class _Operations(msgspec.Struct):
    selected: int
    tested: int


class _Cases(msgspec.Struct):
    generated: int
    with_failures: int
    errored: int


class Report(msgspec.Struct):
    """What schemathesis says of one run: those fields of its JSON report that tell whether it is to be believed."""

    complete: bool
    operations: _Operations
    test_cases: _Cases

    def flaw(self) -> str | None:
        """Why this run does not show that all is as documented; None if it does."""
        if not self.complete:
            return "it was not completed"
        if not self.operations.selected or self.operations.tested < self.operations.selected:
            return f"{self.operations.tested} of {self.operations.selected} operations were tested"
        if not self.test_cases.generated:
            return "no case was generated"
        if wrong := self.test_cases.with_failures + self.test_cases.errored:
            return f"{wrong} of {self.test_cases.generated:,} cases went wrong"
        return None


async def main() -> int:
    """1 if an answer is not as documented, or nothing was asked, or the daemon ended or logged an error; else 0."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as directory:
        settings = HistorySettings(url=SecretUrl(f"sqlite:///{directory}/history.sqlite3"))
        migrate(settings)
        async with Fleet(Path(directory), daemons=1, env={"DATABASE_URL": settings.url.reveal()}) as fleet:
            await fleet.ready()
            [daemon] = fleet.daemons
            as_documented = True
            for server, url, which in (("http", daemon.url, "exclude"), ("metrics", daemon.ops_url, "include")):
                command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(_CONFIG), "run"]
                command += [f"{daemon.url}/openapi.json", "--url", url, f"--{which}-path", "/metrics"]
                command += ["--header", f"X-Internal-Token: {TOKEN}", "--report-json-path", f"{server}.json"]
                as_documented &= await asyncio.to_thread(_run, server, command, Path(directory))
            return int(not (_unharmed(daemon) and as_documented))


def _run(server: str, command: list[str], directory: Path) -> bool:
    """Whether all is as documented: then in a line, else with all that schemathesis printed."""
    env = {**os.environ, "SCHEMATHESIS_HOOKS": str(_HOOKS)}
    done = subprocess.run(
        command,
        check=False,
        cwd=directory,
        env=env,
        timeout=_PATIENCE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    verdict, well = judged(done.returncode, directory / f"{server}.json")
    if not well:
        print(indented(done.stdout))  # noqa: T201 - a command
    print(f"{server}: {verdict}")  # noqa: T201
    return well


def judged(exit_code: int, file: Path) -> tuple[str, bool]:
    """What a run came to, by its exit code and its JSON report, and whether that is well."""
    try:
        report = msgspec.json.decode(file.read_bytes(), type=Report)
    except (OSError, msgspec.DecodeError) as error:
        return f"schemathesis left no report that can be read: {error}", False
    if flaw := report.flaw():
        return flaw, False
    if exit_code:
        return f"schemathesis ended with {exit_code}", False
    return f"all as documented (operations: {report.operations.tested}, cases: {report.test_cases.generated:,})", True


def indented(printed: str) -> str:
    """With a bar before each line: a rule of = at its beginning reads as the summary of a test run."""
    return "\n".join(f"| {line}" for line in printed.splitlines())


def _unharmed(daemon: Daemon) -> bool:
    errors = [line for line in daemon.log() if line["level"] in {"ERROR", "CRITICAL"}]
    print(*errors, "the daemon is alive" if daemon.alive() else "the daemon ended", sep="\n")  # noqa: T201 - a command
    return daemon.alive() and not errors


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
