"""The command line: what it takes, what it runs, and its exit codes."""

import re
import runpy
import subprocess
import sys
import types

import pytest

import sploot_clusterd
from sploot_clusterd import config, daemon
from sploot_clusterd.cli import main
from sploot_clusterd.errors import ConsumerNameTakenError


@pytest.fixture
def fake_daemon(monkeypatch):
    """Stands in for a daemon that is ready at once and ends with `code`; `ran` holds the settings of its runs."""
    runs = types.SimpleNamespace(code=0, ran=[])

    def run(settings, *, on_ready=None, watch=None):
        runs.ran.append(settings)
        if on_ready:
            on_ready()
        return runs.code

    monkeypatch.setattr(daemon, "run", run)
    return runs


def exits(*arguments: str) -> int:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    return caught.value.code


DLQ = [("dlq", action) for action in ("list", "show", "replay", "drop")]


@pytest.mark.parametrize("command", [(), ("config",), ("replay",), ("dlq",), *DLQ])
def test_each_help_has_an_example_that_parses(command, capsys):
    assert exits(*command, "--help") == 0
    text = capsys.readouterr().out
    examples = re.findall(r"^  (?:\w+=\S+ )?clusterd(.*?)(?:  .*|\|\|.*)?$", text.partition("example")[2], re.MULTILINE)
    assert examples
    for example in examples:
        assert exits(*example.split(), "--help") == 0


def test_every_option_is_explained(capsys):
    exits("--help")
    text = capsys.readouterr().out
    assert all(word in text for word in ("--config", "--embedded", "--check", "--url", "--version", "config", "replay"))


def test_version(capsys):
    assert exits("--version") == 0
    assert capsys.readouterr().out == f"clusterd {sploot_clusterd.__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["--nonsense"],
        ["--url", "http://h"],
        ["config", "--url", "http://h"],
        ["--check", "config"],
        ["--check", "--embedded"],
        ["--embedded", "d", "config"],
        ["--embedded", ""],
        ["replay"],
        ["replay", "jobs.json", "--rate", "-1"],
        ["replay", "jobs.json", "--rate", "inf"],
        ["replay", "jobs.json", "--rate", "x"],
        ["unknown"],
        ["dlq"],
        ["dlq", "list", "--reason", "unknown"],
        ["dlq", "list", "--since", "yesterday"],
        ["dlq", "list", "--until", "2w"],
        ["dlq", "list", "--limit", "0"],
        ["dlq", "list", "--url", "http://h"],
        ["dlq", "show"],
        ["dlq", "list", "--since", "2h", "--until", "3h"],
        ["dlq", "show", "17"],
        ["dlq", "show", "1-18446744073709551616"],
        ["dlq", "replay"],
        ["dlq", "replay", "1-1", "--all"],
        ["dlq", "replay", "--all", "--rate", "-1"],
        ["dlq", "drop"],
        ["dlq", "drop", "--all", "--pet", "pet_1"],
        ["dlq", "drop", "--dry-run"],
    ],
)
def test_wrong_usage_is_exit_2(arguments, capsys):
    assert exits(*arguments) == 2
    assert "usage: clusterd" in capsys.readouterr().err


def test_run_gives_the_daemon_its_settings_and_its_exit_code_back(fake_daemon, tmp_path):
    file = tmp_path / "c.toml"
    file.write_text("[http]\nport = 1\n")
    fake_daemon.code = 1
    assert main(["--config", str(file)]) == 1
    assert (fake_daemon.ran[0].http.port, fake_daemon.ran[0].file) == (1, file)


def test_a_configuration_that_cannot_be_used_is_exit_2(fake_daemon, monkeypatch, capsys):
    monkeypatch.setenv("ENVIRONMENT", "production")
    assert main([]) == 2
    assert fake_daemon.ran == []
    assert capsys.readouterr().err.startswith("clusterd: http.tokens (default)")


def test_a_start_that_fails_is_exit_1(monkeypatch, capsys):
    def run(_settings):
        raise ConsumerNameTakenError("another process consumes as worker-0")

    monkeypatch.setattr(daemon, "run", run)
    assert main([]) == 1
    assert capsys.readouterr().err == "clusterd: another process consumes as worker-0\n"


def test_ctrl_c_before_the_daemon_listens_for_it_is_exit_1(monkeypatch):
    def run(_settings):
        raise KeyboardInterrupt

    monkeypatch.setattr(daemon, "run", run)
    assert main([]) == 1


@pytest.mark.parametrize("arguments", [["--config", "c.toml", "config"], ["config", "--config", "c.toml"]])
def test_config_shows_values_and_sources(arguments, tmp_path, monkeypatch, capsys):
    (tmp_path / "c.toml").write_text("[stream]\nread_count = 7\n")
    monkeypatch.setenv("REDIS_URL", "redis://:hunter2@h")
    monkeypatch.setenv("INTERNAL_TOKEN", "hunter2-hunter2-hunter2")
    assert main(arguments) == 0
    out, err = capsys.readouterr()
    assert "\nread_count = 7  # c.toml\n" in out
    assert '\nurl = "redis://:********@h"  # $REDIS_URL\n' in out
    assert '\ntokens = ["********"]  # $INTERNAL_TOKEN\n' in out
    assert "\nmax_attempts = 5  # default\n" in out
    assert "\n# socket_timeout is not set\n" in out
    assert "[engine.weights]" in out
    assert ("hunter2" in out + err, err) == (False, "")


def test_what_config_shows_is_a_configuration(tmp_path, capsys):
    assert main(["config"]) == 0
    shown = capsys.readouterr().out.replace("********", "changeme")
    (tmp_path / "shown.toml").write_text(shown)
    again = config.load(tmp_path / "shown.toml", environ={})
    assert (again.http, again.stream, again.engine) == (
        config.HttpSettings(),
        config.StreamSettings(),
        config.EngineSettings(),
    )


def test_config_warns(capsys):
    assert main(["config"]) == 0
    assert capsys.readouterr().err.startswith("warning: http.tokens (default)")


def test_config_fails_as_a_start_would(tmp_path, capsys):
    (tmp_path / "c.toml").write_text("[stream]\nmaxlne = 7\n")
    assert main(["config", "--config", "c.toml"]) == 2
    assert capsys.readouterr() == (
        "",
        "clusterd: stream.maxlne (c.toml): there is no such setting; did you mean stream.maxlen?\n",
    )


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        (
            "CLUSTER_ENGINE_ALGORITHM",
            "nope",
            "clusterd: engine.algorithm: 'nope' is not installed; available: average_linkage",
        ),
        ("REDIS_URL", "unix:///s?db=x", "clusterd: redis.url = ******** ($REDIS_URL): expected redis://host"),
    ],
)
def test_config_and_a_start_refuse_the_same(variable, value, said, monkeypatch, capsys):
    monkeypatch.setenv(variable, value)
    assert main(["config"]) == 2
    out, err = capsys.readouterr()
    assert (out, err[: len(said)]) == ("", said)
    started = subprocess.run(
        [sys.executable, "-m", "sploot_clusterd"], capture_output=True, text=True, check=False, timeout=30
    )
    assert (started.returncode, started.stderr.splitlines()[-1]) == (2, err.rstrip())


def test_a_rate_that_is_none_says_what_is_one(capsys):
    for command in (["replay", "jobs.json"], ["dlq", "replay", "--all"]):
        for rate in ("abc", "nan", "-1"):
            assert exits(*command, "--rate", rate) == 2
            assert f"argument --rate: '{rate}': expected a number of 0 or more\n" in capsys.readouterr().err


def test_a_command_is_no_directory_for_embedded(capsys):
    exits("--help")
    commands = re.findall(r"^    (\w+) +\w", capsys.readouterr().out, re.MULTILINE)
    assert {"config", "replay", "dlq", "eval"} <= {*commands}
    for command in commands:
        assert exits("--embedded", command) == 2
        assert f"write ./{command}\n" in capsys.readouterr().err


def test_a_directory_named_as_a_command_is_written_with_a_dot(fake_daemon, monkeypatch, tmp_path_factory):
    monkeypatch.chdir(tmp_path_factory.mktemp("e"))
    assert main(["--embedded", "./config"]) == 0
    assert fake_daemon.ran[0].redis.url.reveal().endswith("/config/redis.sock")


def test_embedded_takes_a_directory_or_none(fake_daemon, monkeypatch, tmp_path_factory, capsys):
    monkeypatch.chdir(tmp_path_factory.mktemp("e"))
    assert main(["--embedded"]) == 0
    assert main(["--embedded", "other"]) == 0
    urls = [settings.redis.url.reveal() for settings in fake_daemon.ran]
    assert [url.rsplit("/", 2)[1:] for url in urls] == [["clusterd-data", "redis.sock"], ["other", "redis.sock"]]
    assert capsys.readouterr().out.count("is ready") == 2


def test_python_m_is_the_command(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["clusterd", "--version"])
    with pytest.raises(SystemExit) as caught:
        runpy.run_module("sploot_clusterd", run_name="__main__")
    assert caught.value.code == 0
    assert capsys.readouterr().out.startswith("clusterd ")


def test_the_installed_command_exits_with_the_code(tmp_path):
    told = subprocess.run(
        [sys.executable, "-m", "sploot_clusterd", "config", "--config", str(tmp_path / "none.toml")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 2
    assert told.stderr == f"clusterd: {tmp_path / 'none.toml'}: cannot be read: No such file or directory\n"
