"""What becomes of a daemon that was started on a terminal when that closes; and SIGHUP where there is none."""

import asyncio
import contextlib
import os
import pty
import shlex
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from sploot_clusterd.embedded import EmbeddedRedis
from tests.faults.fleet import TOKEN
from tests.support.processes import has_ended
from tests.support.waiting import eventually

SHELL = ("bash", "--norc", "--noprofile", "-i")
LOGIN_SHELL = ("bash", "--login", "-i", "-O", "huponexit")


class Terminal:
    """A terminal on which `command` runs; what else is started there is found by its arguments."""

    def __init__(self, directory: Path, *command: str, **env: str) -> None:
        self.data = directory / "d"
        self.log = directory / "log"
        self.daemon = [sys.executable, "-P", "-m", "sploot_clusterd", "--embedded", str(self.data)]
        """To be run, or typed, on it."""
        ports = {"HTTP_PORT": "0", "WORKER_METRICS_PORT": "0", "WORKER_METRICS_HOST": "127.0.0.1"}
        self._env = {**os.environ, **ports, "INTERNAL_TOKEN": TOKEN, "LOG_FORMAT": "json", "PS1": "$ ", **env}
        self.pid, self._controller = pty.fork()
        if not self.pid:
            os.execvpe((command or self.daemon)[0], command or self.daemon, self._env)

    def type(self, line: str) -> None:
        os.write(self._controller, f"{line}\n".encode())

    async def started(self) -> psutil.Process:
        """The daemon, once it serves."""
        await eventually(lambda: self.reads() and (self.data / "redis.sock").exists(), what="Redis", timeout=30)
        found = [each for each in psutil.process_iter() if arguments(each)[1:] == self.daemon[1:]]
        (daemon,) = [each for each in found if each.children()]
        await eventually(lambda: self.reads() and listens(daemon), what="the daemon to listen", timeout=30)
        return daemon

    def close(self) -> None:
        """As its window is closed, or its connection breaks."""
        if self._controller is not None:
            os.close(self._controller)
        self._controller = None

    def reads(self) -> bool:
        """Takes what is shown, for who writes there would wait."""
        os.set_blocking(self._controller, False)
        with contextlib.suppress(BlockingIOError):
            os.read(self._controller, 2**16)
        return True

    def exit_code(self) -> int:
        """Of what ran on it."""
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def end(self) -> None:
        self.close()
        for process in psutil.process_iter():
            if str(self.data) in arguments(process):
                process.kill()
        if psutil.pid_exists(self.pid):
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)


def arguments(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def listens(process: psutil.Process) -> bool:
    """Both its ports, and its signals' handlers are there before."""
    return len([each for each in process.net_connections("tcp") if each.status == psutil.CONN_LISTEN]) == 2


@pytest.fixture
def terminals(directory: Path) -> Iterator[list[Terminal]]:
    """Those that a test made, to be ended after it."""
    made: list[Terminal] = []
    yield made
    for terminal in made:
        terminal.end()


async def gone(*processes: psutil.Process) -> None:
    await eventually(lambda: all(map(has_ended, processes)), what="the processes to end", timeout=20)


async def test_it_ends_with_its_terminal_in_good_order(directory: Path, terminals: list[Terminal]):
    terminals.append(terminal := Terminal(directory))
    daemon = await terminal.started()
    redis = daemon.children()[0]
    terminal.close()
    await gone(daemon, redis)
    assert terminal.exit_code() == 0
    assert not (terminal.data / "redis.sock").exists()


@pytest.mark.parametrize(("shell", "ends"), [(SHELL, ""), (SHELL, " &"), (("sh", "-i"), "")])
async def test_it_ends_as_a_job_of_a_shell(directory: Path, terminals: list[Terminal], shell: tuple[str], ends: str):
    terminals.append(terminal := Terminal(directory, *shell))
    terminal.type(shlex.join(terminal.daemon) + f" 2>{terminal.log}" + ends)
    daemon = await terminal.started()
    redis = daemon.children()[0]
    terminal.close()
    await gone(daemon, redis)
    assert '"stopped"' in terminal.log.read_text()


async def test_it_ends_with_a_shell_that_tells_its_jobs_before_it_goes(directory: Path, terminals: list[Terminal]):
    terminals.append(terminal := Terminal(directory, *LOGIN_SHELL))
    terminal.type(shlex.join(terminal.daemon) + f" 2>{terminal.log} &")
    daemon = await terminal.started()
    terminal.type("exit")
    await gone(daemon)
    assert '"stopped"' in terminal.log.read_text()


@pytest.mark.parametrize(
    "line", ["nohup {} &", "nohup {} >{log} 2>&1 &", "setsid {} 2>{log} &", "{} &\ndisown", "(setsid {} &)"]
)
async def test_what_was_asked_to_stay_stays(directory: Path, terminals: list[Terminal], line: str):
    terminals.append(terminal := Terminal(directory, *SHELL))
    terminal.type(f"cd {directory}")
    terminal.type(line.format(shlex.join(terminal.daemon), log=terminal.log))
    daemon = await terminal.started()
    terminal.close()
    await asyncio.to_thread(terminal.exit_code)
    if "disown" not in line:
        daemon.send_signal(signal.SIGHUP)
    await asyncio.sleep(0.5)  # that nothing happens cannot be waited for
    assert daemon.is_running()
    redis = daemon.children()[0]
    daemon.terminate()
    await gone(daemon, redis)


@pytest.mark.parametrize("is_on_terminal", [True, False])
async def test_sighup_reloads_where_no_terminal_closes(
    directory: Path, terminals: list[Terminal], is_on_terminal: bool
):
    terminals.append(terminal := Terminal(directory, *SHELL))
    terminal.type(("" if is_on_terminal else "setsid ") + shlex.join(terminal.daemon) + f" 2>{terminal.log} &")
    daemon = await terminal.started()
    daemon.send_signal(signal.SIGHUP)
    await eventually(lambda: '"reloaded"' in terminal.log.read_text(), what="the reload")
    terminal.close()
    if is_on_terminal:
        await gone(daemon)
    else:
        daemon.terminate()
        await gone(daemon)


async def test_without_embedded_it_is_the_same(directory: Path, terminals: list[Terminal]):
    with EmbeddedRedis(directory / "r") as server:
        plain = (sys.executable, "-P", "-m", "sploot_clusterd")
        terminals.append(terminal := Terminal(directory, *plain, REDIS_URL=f"unix://{server.socket}"))
        daemon = psutil.Process(terminal.pid)
        await eventually(lambda: terminal.reads() and listens(daemon), what="the daemon to listen", timeout=30)
        terminal.close()
        await gone(daemon)
        assert terminal.exit_code() == 0
