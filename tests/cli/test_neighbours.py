"""A neighbour on the same machine who was in the directory of `--embedded` first, or holds something that is needed."""

import fcntl
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from sploot_clusterd import embedded, quickstart
from sploot_clusterd.cli import main
from sploot_clusterd.embedded import EmbeddedRedis
from sploot_clusterd.errors import ConfigError, StartError
from tests.support.neighbours import NEIGHBOUR

GiveAway = Callable[[Path], None]

FILES = ["lock", "token", "redis-version", "redis.log", "redis.sock", "appendonlydir"]


def started(directory: Path) -> None:
    with EmbeddedRedis(directory):
        pytest.fail("it started")


def test_a_neighbours_directory_is_refused(here: Path, give_away: GiveAway, capsys):
    (here / "data").mkdir()
    give_away(here / "data")

    assert main(["--embedded", "data"]) == 2

    said = capsys.readouterr().err
    assert "belongs to user" in said
    assert "run as that user, or choose a place that is yours alone" in said
    assert list((here / "data").iterdir()) == []


@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o772])
def test_a_directory_that_others_can_change_is_refused(here: Path, mode):
    (here / "data").mkdir()
    (here / "data").chmod(mode)
    with pytest.raises(ConfigError, match=f"chmod go-w {here}/data"):
        started(here / "data")


def test_a_parent_that_others_can_change_is_refused(here: Path):
    (here / "shared" / "data").mkdir(parents=True)
    (here / "shared").chmod(0o777)
    with pytest.raises(ConfigError, match=f"chmod go-w {here}/shared,"):
        started(here / "shared" / "data")


def test_a_neighbours_link_to_our_own_directory_is_not_followed(here: Path, give_away: GiveAway):
    (here / "private").mkdir()
    (here / "data").symlink_to(here / "private")
    give_away(here / "data")
    with pytest.raises(ConfigError, match="belongs to user"):
        started(here / "data")
    assert list((here / "private").iterdir()) == []


@pytest.mark.parametrize("name", FILES)
def test_a_link_that_was_planted_overwrites_nothing(here: Path, monkeypatch: pytest.MonkeyPatch, name: str):
    monkeypatch.setattr(quickstart.daemon, "run", lambda *_, **__: pytest.fail("it ran"))
    (here / "data").mkdir()
    (here / "precious").write_text("precious-0123456789")
    (here / "data" / name).symlink_to(here / "precious")

    with pytest.raises((ConfigError, StartError), match=f"data/{name} is a link"):
        quickstart.run(here / "data", None)

    assert (here / "precious").read_text() == "precious-0123456789"


def test_a_link_among_the_append_only_files_is_not_followed(here: Path):
    with EmbeddedRedis(here / "data"):
        pass
    (file,) = (here / "data" / "appendonlydir").glob("*.incr.aof")
    file.rename(here / "precious")
    file.symlink_to(here / "precious")
    with pytest.raises(ConfigError, match=f"{file} is a link"):
        started(here / "data")


@pytest.mark.parametrize("name", FILES)
def test_what_a_neighbour_left_in_a_directory_of_ours_is_refused(here: Path, give_away: GiveAway, name: str):
    (here / "data").mkdir()
    (here / "data" / name).write_text("known-to-the-neighbour-0123456789")
    give_away(here / "data" / name)
    with pytest.raises(ConfigError, match="belongs to user"):
        started(here / "data")


def test_a_token_that_was_planted_is_not_accepted(here: Path, give_away: GiveAway):
    (here / "token").write_text("known-to-the-neighbour-0123456789")
    give_away(here / "token")
    with pytest.raises(StartError, match=r"belongs to user .* move it away and a new token is made"):
        quickstart.kept_token(here / "token")


def test_a_token_that_others_could_read_is_told_and_closed(here: Path, capsys):
    (here / "token").write_text("a-token-that-was-0123456789\n")
    (here / "token").chmod(0o644)
    assert quickstart.kept_token(here / "token") == "a-token-that-was-0123456789"
    assert (here / "token").stat().st_mode & 0o777 == 0o600
    said = capsys.readouterr().err
    assert "others could read" in said
    assert "a-token-that-was" not in said
    quickstart.kept_token(here / "token")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("before", [0o644, 0o666 & ~0o022, None])
def test_nobody_else_can_hold_the_lock(here: Path, before: int | None):
    (here / "data").mkdir(mode=0o755)
    here.chmod(0o755)
    if before is not None:
        (here / "data" / "lock").touch()
        (here / "data" / "lock").chmod(before)
    with EmbeddedRedis(here / "data"):
        pass
    lock = here / "data" / "lock"
    assert lock.stat().st_mode & 0o077 == 0
    if os.geteuid() == 0:
        os.seteuid(NEIGHBOUR)
        try:
            with pytest.raises(PermissionError):
                lock.open()
        finally:
            os.seteuid(0)


def test_a_lock_of_our_own_is_still_respected(here: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(embedded, "_LOCK_PATIENCE", 0.05)
    (here / "data").mkdir()
    with (here / "data" / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(StartError, match="another clusterd --embedded"):
            started(here / "data")


def planted_redis(directory: Path) -> socket.socket:
    """A socket of somebody else's that is listened on; who connects would wait for an answer."""
    directory.mkdir()
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(directory / "redis.sock"))
    listening.listen()
    listening.setblocking(False)
    return listening


@pytest.mark.parametrize("words", [["dlq", "list"], ["profile", "list"]])
@pytest.mark.parametrize("how", ["a neighbour's", "open to all", "left behind"])
def test_commands_ask_no_redis_that_a_neighbour_put_there(here: Path, give_away: GiveAway, words, how, capsys):
    (here / "c.toml").write_text("[redis]\nsocket_connect_timeout = 0.2\n")
    with planted_redis(here / "clusterd-data") as listening:
        if how == "open to all":
            (here / "clusterd-data").chmod(0o777)
        else:
            give_away(here / "clusterd-data" / ("redis.sock" if how == "left behind" else ""))

        main([*words, "--config", "c.toml"])  # asks the one that is configured, which may be there or not
        said = capsys.readouterr().err
        assert said.startswith("warning: the Redis in clusterd-data is not asked: ")
        assert main([*words, "--embedded"]) == 2
        assert "is not trusted" in capsys.readouterr().err
        with pytest.raises(BlockingIOError):
            listening.accept()
