"""The container image, built from the Dockerfile and run: as its user, on a read-only root, probed by its own check.

Its base comes from a registry; here one of the same name is made of Debian's packages. Buildah needs no daemon and,
with chroot isolation, no kernel features that a machine for tests may lack. So neither limits of memory nor a network
of the container's own are shown by this.
"""

import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.request import Request, urlopen

import pytest

from sploot_clusterd import __version__
from sploot_clusterd.embedded import EmbeddedRedis
from tests.packages.building import run
from tests.support.nodes import free_port
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.system, pytest.mark.timeout(1200)]

BASE = "docker.io/library/python:3.11-slim-bookworm"
TOKEN = "a-token-of-more-than-16-bytes"
_MIRRORS = (Path("/etc/apt/sources.list.d/debian.sources"), Path("/etc/apt/sources.list"))
"""Where apt is told of them: the first that is there."""
_BASE_FILE = """FROM scratch
ADD base.tar /
RUN ln -s python3 /usr/bin/python
"""
_ONLY_THE_WHEELS = "[global]\nno-index = true\nfind-links = /wheels\n"
_IN_THE_CONTAINER = """
root=$1; shift
mount --bind "$root" "$root"
mount --options remount,bind,ro "$root"
mount --rbind /proc "$root/proc"
mount --rbind /dev "$root/dev"
exec "$@"
"""
"""In a mount namespace of its own: the image's files read-only, without even a /tmp to write to."""


class Image(NamedTuple):
    """A built image: its files, and what it says of how it is to be run."""

    root: Path
    config: Mapping[str, Any]

    def command(self, words: Sequence[str], user: str, more: Mapping[str, str]) -> list[str]:
        """Runs `words` as a container would; the process is that of the command itself."""
        variables = [*self.config["Env"], *(f"{name}={value}" for name, value in more.items())]
        inside = ["chroot", f"--userspec={user}", str(self.root), "/usr/bin/env", "-i", *variables, *words]
        return ["unshare", "--mount", "sh", "-euc", _IN_THE_CONTAINER, "sh", str(self.root), *inside]


@pytest.fixture(scope="module")
def buildah() -> Iterator[list[str]]:
    """The command, with a storage of its own."""
    with tempfile.TemporaryDirectory(prefix="buildah-") as store:
        command = ["buildah", "--root", f"{store}/root", "--runroot", f"{store}/run", "--storage-driver", "vfs"]
        yield command
        run([*command, "umount", "--all"])


@pytest.fixture(scope="module")
def base(buildah: list[str], tmp_path_factory: pytest.TempPathFactory) -> str:
    """Debian with Python under the name that the Dockerfile asks for, from the mirrors that apt is set to here."""
    directory = tmp_path_factory.mktemp("base")
    packages = "--include=libstdc++6,passwd,python3,python3-venv"  # with apt, the base has the first two as well
    make = ["mmdebstrap", "--quiet", "--mode=root", "--variant=essential", packages, "bookworm"]
    run([*make, directory / "base.tar", *[file for file in _MIRRORS if file.exists()][:1]])
    (directory / "Dockerfile").write_text(_BASE_FILE)
    run([*buildah, "build", "--isolation", "chroot", "--tag", BASE, directory])
    (directory / "base.tar").unlink()
    return BASE


@pytest.fixture(scope="module")
def image(
    buildah: list[str], base: str, source: Path, wheelhouse: Path, tmp_path_factory: pytest.TempPathFactory
) -> Image:
    settings = tmp_path_factory.mktemp("pip") / "pip.conf"
    settings.write_text(_ONLY_THE_WHEELS)
    mounts = ["--volume", f"{wheelhouse}:/wheels:ro", "--volume", f"{settings}:/etc/pip.conf:ro"]
    given = ["--isolation", "chroot", "--pull-never", "--format", "docker", *mounts, "--tag", "sploot-clusterd"]
    run([*buildah, "build", *given, source])
    told = json.loads(run([*buildah, "inspect", "--type", "image", "sploot-clusterd"]))
    container = run([*buildah, "from", "--pull-never", "sploot-clusterd"]).split()[-1]
    assert told["FromImage"].endswith("sploot-clusterd:latest")
    assert base == BASE
    return Image(Path(run([*buildah, "mount", container]).strip()), told["Docker"]["config"])


@pytest.fixture(scope="module")
def redis_port() -> Iterator[int]:
    port = free_port()
    with (
        tempfile.TemporaryDirectory(prefix="redis-") as directory,
        EmbeddedRedis(Path(directory), "--port", str(port), "--bind", "127.0.0.1"),
    ):
        yield port


@pytest.fixture
def variables(redis_port: int) -> Mapping[str, str]:
    """What whoever starts the container gives it; the ports are only not the image's as others may have those here."""
    ports = {"HTTP_PORT": str(free_port()), "WORKER_METRICS_PORT": str(free_port())}
    return {"REDIS_URL": f"redis://127.0.0.1:{redis_port}/0", "INTERNAL_TOKEN": TOKEN, **ports}


def probed(image: Image, variables: Mapping[str, str]) -> int:
    """The exit code of the image's HEALTHCHECK."""
    kind, *words = image.config["Healthcheck"]["Test"]
    assert kind == "CMD"
    command = image.command(words, image.config["User"], variables)
    return subprocess.run(command, check=False, capture_output=True).returncode


@pytest.fixture
def daemon(image: Image, variables: Mapping[str, str], tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    with (tmp_path / "log").open("wb") as log:
        command = image.command(image.config["Entrypoint"], image.config["User"], variables)
        process = subprocess.Popen(command, stdout=log, stderr=log)
    yield process
    process.kill()
    process.wait()


def test_labels_say_what_it_is(image):
    labels = {name.removeprefix("org.opencontainers.image."): value for name, value in image.config["Labels"].items()}
    assert (labels["title"], labels["version"], labels["base.name"]) == ("sploot-clusterd", __version__, BASE)


def test_nothing_that_installs_and_nothing_of_the_checkout_is_in_it(image):
    programs = {file.name for file in (image.root / "opt/sploot-clusterd/bin").iterdir()}
    assert {"clusterd", "python"} <= programs
    assert [name for name in programs if name.startswith("pip")] == []
    assert not (image.root / "src").exists()


def test_the_daemon_becomes_ready_works_and_stops(image, variables, daemon, tmp_path):
    wait_until(lambda: probed(image, variables) == 0, what="readiness by the image's own check", timeout=60)
    status = Path(f"/proc/{daemon.pid}/status").read_text()
    assert image.config["User"] == "10001:10001"
    assert [line.split()[1:] for line in status.splitlines() if line.startswith("Uid:")] == [["10001"] * 4]
    assert "CapEff:\t0000000000000000\n" in status

    url = f"http://127.0.0.1:{variables['HTTP_PORT']}/internal/cluster-jobs"
    job = json.dumps({"pet_id": "pet_1", "payload": {"image_ids": ["i1"], "labels": ["Portraits"]}}).encode()
    with urlopen(Request(url, job, {"X-Internal-Token": TOKEN, "Content-Type": "application/json"})) as answer:
        assert answer.status == 202

    daemon.send_signal(signal.SIGTERM)
    assert daemon.wait(40) == 0, (tmp_path / "log").read_text()
    assert probed(image, variables) == 1


def test_not_even_root_could_write_to_its_root(image):
    for place in ("/opt/sploot-clusterd", "/tmp"):
        command = image.command(["/bin/sh", "-c", f"touch {place}/x"], "0:0", {})
        done = subprocess.run(command, check=False, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"})
        assert "Read-only file system" in done.stderr


def test_without_a_token_it_says_what_is_missing(image, variables):
    command = image.command(image.config["Entrypoint"], image.config["User"], variables | {"INTERNAL_TOKEN": ""})
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 2
    assert "token" in done.stderr
