"""schemathesis against a running daemon, driven by its own /openapi.json: `python -m tests.daemon.fuzz`.

CI runs it; it is no test of the suite, for its libraries are many. What it does is in schemathesis.toml.
"""

import asyncio
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.faults.fleet import TOKEN, Daemon, Fleet

_CONFIG = Path(__file__).with_name("schemathesis.toml")
_HOOKS = Path(__file__).with_name("ndjson.py")
_PATIENCE = 120


async def main() -> int:
    """1 if an answer is not as documented, or the daemon ended or logged an error; else 0."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as directory:
        async with Fleet(Path(directory), daemons=1) as fleet:
            await fleet.ready()
            [daemon] = fleet.daemons
            wrong = 0
            for url, which in ((daemon.url, "exclude"), (daemon.ops_url, "include")):
                command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(_CONFIG), "run"]
                command += [f"{daemon.url}/openapi.json", "--url", url, f"--{which}-path", "/metrics"]
                command += ["--header", f"X-Internal-Token: {TOKEN}"]
                wrong |= await asyncio.to_thread(_run, command, directory)
            return int(bool(wrong) or not _unharmed(daemon))


def _run(command: list[str], directory: str) -> int:
    env = {**os.environ, "SCHEMATHESIS_HOOKS": str(_HOOKS)}
    return subprocess.run(command, check=False, cwd=directory, env=env, timeout=_PATIENCE).returncode


def _unharmed(daemon: Daemon) -> bool:
    errors = [line for line in daemon.log() if line["level"] in {"ERROR", "CRITICAL"}]
    print(*errors, "the daemon is alive" if daemon.alive() else "the daemon ended", sep="\n")  # noqa: T201 - a command
    return daemon.alive() and not errors


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
