"""The private redis-server: its life, its directory, and that it never outlives its parent."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

from sploot_clusterd import embedded
from sploot_clusterd.embedded import EmbeddedRedis
from sploot_clusterd.errors import ConfigError, StartError
from tests.cli.inline_command import ask
from tests.support.waiting import wait_until

PARENT = """
import sys
from pathlib import Path
from sploot_clusterd.embedded import EmbeddedRedis

server = EmbeddedRedis(Path(sys.argv[1]))
server.start()
print(server.pid, flush=True)
sys.stdin.read()
"""


def is_gone(pid: int) -> bool:
    """Whether the process ended; a zombie that a container's first process has not collected yet has."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_it_serves_until_it_is_stopped(directory):
    server = EmbeddedRedis(directory)
    path = server.start()
    pid = server.pid
    assert path == directory / "redis.sock"
    assert ask(path, "SET a 1") == "+OK\r\n"
    server.stop()
    assert is_gone(pid)
    assert not path.exists()
    assert server.pid is None
    server.stop()


def test_it_is_private_and_durable(directory):
    with EmbeddedRedis(directory) as server:
        wanted = {
            "port": "0",
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "maxmemory-policy": "noeviction",
        }
        for name, value in wanted.items():
            assert ask(server.socket, f"CONFIG GET {name}").split("\r\n")[4] == value, name
        assert "graph" not in ask(server.socket, "MODULE LIST").lower()
        assert server.socket.stat().st_mode & 0o077 == 0
        assert directory.stat().st_mode & 0o077 == 0


def test_nobody_else_reads_its_data_even_where_others_see_the_directory(directory):
    directory.mkdir(mode=0o755)
    with EmbeddedRedis(directory):
        files = [file for file in (directory / "appendonlydir").rglob("*") if file.is_file()]
        assert files
        assert [file.name for file in files if file.stat().st_mode & 0o077] == []


def test_extra_arguments_win(directory):
    with EmbeddedRedis(directory, "--maxmemory", "64mb", "--appendfsync", "always") as server:
        assert "67108864" in ask(server.socket, "CONFIG GET maxmemory")
        assert "always" in ask(server.socket, "CONFIG GET appendfsync")


def test_data_survives_a_restart(directory):
    with EmbeddedRedis(directory) as server:
        ask(server.socket, "SET kept yes")
    with EmbeddedRedis(directory) as server:
        assert "yes" in ask(server.socket, "GET kept")


def test_a_directory_in_use_is_refused(directory, monkeypatch):
    monkeypatch.setattr(embedded, "_LOCK_PATIENCE", 0.05)
    with EmbeddedRedis(directory) as server:
        second = EmbeddedRedis(directory)
        with pytest.raises(StartError, match="another clusterd --embedded is using this directory"):
            second.start()
        assert ask(server.socket, "PING") == "+PONG\r\n"
    assert second.start()
    second.stop()


def test_a_path_too_long_for_a_socket_is_refused(tmp_path):
    directory = tmp_path / ("d" * 100)
    with pytest.raises(ConfigError, match="at most 107 bytes"):
        EmbeddedRedis(directory).start()
    assert not directory.exists()


def test_the_length_is_counted_in_bytes(monkeypatch):
    longest = "/" + "ü" * 47 + "/redis.sock"
    assert len(longest.encode()) == 106
    monkeypatch.setattr(embedded, "find_binary", lambda: pytest.fail("the path is one byte too long"))
    with pytest.raises(ConfigError):
        EmbeddedRedis(Path("/" + "ü" * 48)).start()


def test_kill_9_of_the_parent_takes_the_server_along_and_loses_nothing(directory):
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(directory)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        pid = int(parent.stdout.readline())
        ask(directory / "redis.sock", "SET kept yes")
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        wait_until(lambda: is_gone(pid), what="the redis-server's end")
    with EmbeddedRedis(directory) as server:
        assert "yes" in ask(server.socket, "GET kept")


def test_the_directory_stays_locked_while_the_orphan_still_writes(directory, monkeypatch):
    """After kill -9 of the parent the server needs a moment; a successor waits for it, then reads what it wrote."""
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(directory)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        orphan = psutil.Process(int(parent.stdout.readline()))
        orphan.suspend()
        parent.kill()
        parent.wait()
        monkeypatch.setattr(embedded, "_LOCK_PATIENCE", 0.05)
        with pytest.raises(StartError, match="another"):
            EmbeddedRedis(directory).start()
        orphan.resume()
    monkeypatch.undo()
    with EmbeddedRedis(directory) as server:
        assert ask(server.socket, "PING") == "+PONG\r\n"


def test_ctrl_c_at_the_terminal_does_not_reach_it(directory):
    with EmbeddedRedis(directory) as server:
        assert os.getsid(server.pid) != os.getsid(0)


def test_a_server_that_does_not_end_is_killed(directory, monkeypatch):
    monkeypatch.setattr(embedded, "_STOP_PATIENCE", 0.05)
    server = EmbeddedRedis(directory)
    server.start()
    pid = server.pid
    psutil.Process(pid).suspend()
    server.stop()
    assert is_gone(pid)


def test_a_server_that_ends_at_its_start_is_told_with_its_last_words(directory):
    with pytest.raises(StartError, match="ended at its start") as caught:
        EmbeddedRedis(directory, "--no-such-option", "1").start()
    assert "no-such-option" in str(caught.value)
    with EmbeddedRedis(directory) as server:
        assert ask(server.socket, "PING") == "+PONG\r\n"


def test_a_directory_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StartError, match="cannot hold an embedded Redis"):
        EmbeddedRedis(tmp_path / "file" / "d").start()


def test_a_thread_may_not_start_it(directory):
    seen = []

    def start() -> None:
        try:
            EmbeddedRedis(directory).start()
        except RuntimeError as error:
            seen.append(str(error))

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    assert seen == ["an embedded Redis has to be started in the main thread"]
