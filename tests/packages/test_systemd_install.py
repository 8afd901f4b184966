"""The installation that docs/install.md describes for systemd, in a directory that stands for a machine's root.

systemd itself runs as the first process of a machine, which a test has none of. So its tools read the units there, and
the daemon is started as the unit says: by that command, with its environment, credential and notifications. What only
systemd could show: that it gives the user out (that the daemon needs no rights, the image's test shows) and puts the
sandbox around it (tests/deploy holds that the libraries bear it, and how systemd rates it), restarts, and ends what
misses its watchdog.
"""

import contextlib
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from sploot_clusterd.embedded import EmbeddedRedis
from tests.deploy.units import UNITS, directives, environment, only
from tests.packages.building import ROOT, run
from tests.support.nodes import free_port
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.system, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def machine(bare: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root of a machine after the installation: the virtual environment, the token, the units."""
    root = tmp_path_factory.mktemp("machine")
    (root / "opt").mkdir()
    run(["cp", "--archive", "--link", bare, root / "opt/sploot-clusterd"])
    (root / "bin").mkdir()
    shutil.copy("/bin/kill", root / "bin/kill")  # by which the unit reloads
    units = root / "etc/systemd/system"
    units.mkdir(parents=True)
    for name in UNITS:
        (units / name).write_text((ROOT / "systemd" / name).read_text())
    (root / "etc/sploot-clusterd").mkdir(mode=0o755)
    token = root / "etc/sploot-clusterd/token"
    token.touch(mode=0o600)
    token.write_text("a-token-of-more-than-16-bytes\n")
    return root


def test_units_are_enabled_from_where_they_lie(machine):
    run(["systemctl", f"--root={machine}", "enable", "clusterd.service", "clusterd@1.service", "clusterd@2.service"])
    wanted = {link.name: link.readlink().name for link in machine.glob("etc/systemd/system/multi-user.target.wants/*")}
    assert wanted == {
        "clusterd.service": "clusterd.service",
        "clusterd@1.service": "clusterd@.service",
        "clusterd@2.service": "clusterd@.service",
    }


@pytest.mark.parametrize("name", ["clusterd.service", "clusterd@1.service"])
def test_systemd_finds_the_command_where_the_unit_says(machine, name):
    command = ["systemd-analyze", "verify", f"--root={machine}", "--man=no", "--recursive-errors=no", name]
    told = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout
    assert [line for line in told.splitlines() if "clusterd" in line] == []

    program = machine / "opt/sploot-clusterd/bin/clusterd"
    away = program.rename(program.with_name("away"))
    told = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout
    away.rename(program)
    assert "/opt/sploot-clusterd/bin/clusterd is not executable" in told


@pytest.fixture
def told_to_systemd() -> Iterator[tuple[str, socket.socket]]:
    """The address of a NOTIFY_SOCKET, and where `heard` reads what is sent to it."""
    with tempfile.TemporaryDirectory(prefix="notify-") as directory:
        address = f"{directory}/socket"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
            receiver.bind(address)
            receiver.setblocking(False)
            yield address, receiver


def heard(receiver: socket.socket, word: str, before: list[str]) -> bool:
    """Whether `word` was told by now; `before` has all that was, and is added to."""
    with contextlib.suppress(BlockingIOError):
        before += receiver.recv(4096).decode().splitlines()
    return word in before


@pytest.fixture
def credentials(machine) -> Iterator[Path]:
    """What LoadCredential makes of the token: a copy that the user alone may read."""
    with tempfile.TemporaryDirectory(prefix="credentials-") as directory:
        token = Path(directory, "token")
        token.write_bytes((machine / "etc/sploot-clusterd/token").read_bytes())
        token.chmod(0o400)
        yield token.parent


def test_the_daemon_tells_systemd_that_it_is_ready_lives_and_stops(machine, credentials, told_to_systemd, tmp_path):
    unit = directives((machine / "etc/systemd/system/clusterd.service").read_text())
    address, receiver = told_to_systemd
    port = free_port()
    given: Mapping[str, str] = environment(unit, credentials) | {
        "NOTIFY_SOCKET": address,
        "WATCHDOG_USEC": "1000000",
        "PATH": "/usr/bin:/bin",
        # What an operator would write to clusterd.env.
        "REDIS_URL": f"redis://127.0.0.1:{port}/0",
        "HTTP_PORT": "0",
        "WORKER_METRICS_PORT": "0",
    }
    program = f"{machine}{only(unit, 'ExecStart')}"
    words: list[str] = []
    with (
        tempfile.TemporaryDirectory(prefix="redis-") as directory,
        EmbeddedRedis(Path(directory), "--port", str(port), "--bind", "127.0.0.1"),
        (tmp_path / "log").open("wb") as log,
    ):
        umask = int(only(unit, "UMask"), 8)
        daemon = subprocess.Popen([program], env=given, stdout=log, stderr=log, umask=umask, cwd="/")
        try:
            wait_until(lambda: heard(receiver, "READY=1", words), what="READY=1", timeout=60)
            wait_until(lambda: heard(receiver, "WATCHDOG=1", words), what="WATCHDOG=1")
            daemon.send_signal(signal.SIGTERM)
            wait_until(lambda: heard(receiver, "STOPPING=1", words), what="STOPPING=1")
            assert daemon.wait(40) == 0
        finally:
            daemon.kill()
            daemon.wait()
