"""Append-only files that a crash left: what is cut off, and what is said of damage."""

import io
import re
import subprocess
from pathlib import Path

import pytest

from sploot_clusterd import appendonly
from sploot_clusterd.embedded import EmbeddedRedis
from sploot_clusterd.errors import StartError
from tests.cli.inline_command import ask


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
