"""`clusterd dlq`, `clusterd profile` and `clusterd history` beside a `clusterd --embedded`."""

from pathlib import Path

import pytest

from sploot_clusterd.cli import main
from sploot_clusterd.config import HistorySettings, SecretUrl
from sploot_clusterd.embedded import EmbeddedRedis
from sploot_clusterd.history.migrating import migrate

COMMANDS = [["dlq", "list"], ["profile", "list"]]


@pytest.mark.parametrize("words", COMMANDS)
def test_the_one_that_runs_here_is_found(here: Path, words: list[str], capsys):
    with EmbeddedRedis(here / "clusterd-data"):
        assert main(words) == 0
    assert capsys.readouterr().err in {"no dead letter matches\n", "no model version was sampled yet\n"}


@pytest.mark.parametrize("words", COMMANDS)
def test_another_one_is_named(here: Path, words: list[str]):
    with EmbeddedRedis(here / "other"):
        assert main([*words, "--embedded", "other"]) == 0
        assert main(["--embedded", "other", *words]) == 0


@pytest.mark.parametrize("words", COMMANDS)
def test_a_redis_that_is_configured_comes_first_unless_the_other_is_named(
    here: Path, words: list[str], monkeypatch: pytest.MonkeyPatch, capsys
):
    monkeypatch.setenv("REDIS_URL", f"unix://{here}/none.sock")
    with EmbeddedRedis(here / "clusterd-data"):
        assert main(words) == 1
        assert "none.sock" in capsys.readouterr().err
        assert main([*words, "--embedded"]) == 0


@pytest.mark.parametrize("words", COMMANDS)
@pytest.mark.usefixtures("here")
def test_where_none_runs_it_is_said(words: list[str], capsys):
    assert main([*words, "--embedded", "nowhere"]) == 2
    said = capsys.readouterr().err
    assert said == "clusterd: nowhere: no daemon runs with its data there; `clusterd --embedded nowhere` starts one\n"


def test_its_history_is_found_too(here: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    with EmbeddedRedis(here / "clusterd-data"):
        assert main(["history", "check"]) == 2
        assert "history.url is not set" in capsys.readouterr().err
        migrate(HistorySettings(url=SecretUrl(f"sqlite:///{here}/clusterd-data/history.sqlite3")))
        assert main(["history", "backfill"]) == 0
        assert capsys.readouterr().out == "history has all 0 pets of Redis: 0 of them were not up to date\n"
        monkeypatch.setenv("DATABASE_URL", f"sqlite:///{here}/another.sqlite3")
        assert main(["history", "check"]) == 1
        assert "clusterd history migrate" in capsys.readouterr().err
