"""`clusterd --embedded`: its token, its Redis, and the lines it prints."""

import json
import os
import shlex
import signal
import subprocess
import sys

import psutil
import pytest

from sploot_clusterd import quickstart
from sploot_clusterd.embedded import EmbeddedRedis
from sploot_clusterd.errors import ConfigError, StartError
from sploot_clusterd.store.address import address_of


@pytest.fixture
def directory(tmp_path_factory):
    return tmp_path_factory.mktemp("q") / "data"


@pytest.fixture
def ran(monkeypatch):
    """The settings that the daemon was run with; it is ready at once and ends."""
    settings_of_runs = []

    def run(settings, *, on_ready, watch):
        assert watch
        settings_of_runs.append(settings)
        on_ready()
        return 0

    monkeypatch.setattr(quickstart.daemon, "run", run)
    return settings_of_runs


def test_it_makes_a_token_for_its_owner_only_and_keeps_it(directory, ran):
    assert quickstart.run(directory, None) == 0
    assert quickstart.run(directory, None) == 0
    tokens = [settings.http.tokens[0].reveal() for settings in ran]
    assert tokens[0] == tokens[1] == (directory / "token").read_text().strip()
    assert len(tokens[0]) >= 32
    assert (directory / "token").stat().st_mode & 0o777 == 0o600
    assert ran[0].warnings == ()


def test_an_empty_token_file_is_filled(tmp_path):
    (tmp_path / "token").write_text("\n")
    assert quickstart.kept_token(tmp_path / "token") == (tmp_path / "token").read_text().strip() != ""


@pytest.mark.parametrize("spoil", [lambda file: file.mkdir(), lambda file: file.write_bytes(b"\xff\xfe")])
def test_a_token_file_that_holds_no_token_is_told(directory, ran, spoil):
    directory.mkdir()
    spoil(directory / "token")
    with pytest.raises(StartError, match=r"cannot hold the token .* move it away and a new token is made"):
        quickstart.run(directory, None)
    assert ran == []
    assert not (directory / "redis.sock").exists()


def test_a_generated_token_is_good_enough_for_production(directory, ran, monkeypatch):
    monkeypatch.setenv("ENVIRONMENT", "production")
    monkeypatch.setenv("HTTP_HOST", "0.0.0.0")
    assert quickstart.run(directory, None) == 0
    assert len(ran) == 1


def test_a_configured_token_is_used_and_not_shown(directory, ran, monkeypatch, capsys):
    monkeypatch.setenv("INTERNAL_TOKEN", "hunter2-hunter2-hunter2")
    assert quickstart.run(directory, None) == 0
    assert ran[0].http.tokens[0].reveal() == "hunter2-hunter2-hunter2"
    assert not (directory / "token").exists()
    out = capsys.readouterr().out
    assert "hunter2" not in out
    assert "$INTERNAL_TOKEN" in out


def test_what_is_configured_of_another_redis_does_not_count(directory, ran, monkeypatch):
    for name, value in {
        "REDIS_URL": "rediss+sentinel://elsewhere/service",
        "REDIS_USERNAME": "u",
        "REDIS_PASSWORD": "p",
        "REDIS_SENTINEL_USERNAME": "v",
        "REDIS_SENTINEL_PASSWORD": "q",
        "REDIS_SSL": "true",
        "REDIS_SSL_CA_CERTS": "/ca.pem",
    }.items():
        monkeypatch.setenv(name, value)
    assert quickstart.run(directory, None) == 0
    redis = ran[0].redis
    assert redis.url.reveal() == f"unix://{directory / 'redis.sock'}"
    assert (redis.username, redis.password, redis.ssl, redis.ssl_ca_certs) == (None, None, False, None)
    assert ran[0].sources["redis.url"] == "--embedded"


def test_a_directory_may_have_any_name(directory, ran, capsys):
    odd = directory / "my #1 50%25?db=x"
    assert quickstart.run(odd, None) == 0
    url = ran[0].redis.url.reveal()
    assert address_of(ran[0].redis).path == str(odd / "redis.sock")
    printed = capsys.readouterr()
    assert f"Redis    {url}\n" in printed.out
    assert "no history is kept" in printed.err


def test_history_is_kept_beside_redis(directory, ran):
    assert quickstart.run(directory, None) == 0
    (settings,) = ran
    file = directory / "history.sqlite3"
    assert settings.history.url.reveal() == f"sqlite:///{file}"
    assert (settings.feed.enabled, file.exists()) == (True, True)
    assert file.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("variable", "value"), [("DATABASE_URL", "postgresql://elsewhere/history"), ("FEED_ENABLED", "false")]
)
def test_history_is_as_it_is_configured(directory, ran, monkeypatch, variable, value):
    monkeypatch.setenv(variable, value)
    assert quickstart.run(directory, None) == 0
    url = ran[0].history.url
    assert (url.reveal() if url else "false") == value
    assert not (directory / "history.sqlite3").exists()


def test_without_what_history_needs_there_is_none(directory, ran, monkeypatch):
    monkeypatch.setattr("sploot_clusterd.history.find_spec", lambda _: None)
    assert quickstart.run(directory, None) == 0
    assert (ran[0].history.url, ran[0].feed.enabled) == (None, False)


def test_it_says_where_it_listens_and_how_to_try_it(directory, ran, capsys):
    assert quickstart.run(directory, None) == 0
    out = capsys.readouterr().out
    token = ran[0].http.tokens[0].reveal()
    assert token not in out
    assert f"token    in {directory / 'token'}\n" in out
    assert "HTTP     http://127.0.0.1:9007\n" in out
    assert "metrics  http://127.0.0.1:9105\n" in out
    post, get = (shlex.split(line) for line in out.splitlines() if line.strip().startswith("curl"))
    assert post[-1] == "http://127.0.0.1:9007/internal/cluster-jobs"
    assert get[-1] == "http://127.0.0.1:9007/internal/pets/pet_123/clusters"
    assert f"X-Internal-Token: $(cat {directory / 'token'})" in post
    assert f"X-Internal-Token: $(cat {directory / 'token'})" in get
    assert "Content-Type: application/json" in post
    assert json.loads(post[post.index("-d") + 1])["pet_id"] == "pet_123"


def test_without_http_it_prints_no_token(directory, ran, monkeypatch, capsys):
    monkeypatch.setenv("HTTP_ENABLED", "false")
    assert quickstart.run(directory, None) == 0
    assert ran
    assert "curl" not in capsys.readouterr().out


def test_a_port_that_only_the_daemon_knows_is_not_made_up(directory, ran, monkeypatch, capsys):
    monkeypatch.setenv("HTTP_PORT", "0")
    monkeypatch.setenv("WORKER_METRICS_PORT", "0")
    assert quickstart.run(directory, None) == 0
    out = capsys.readouterr().out
    assert ran[0].http.tokens[0].reveal() not in out
    assert out.count("a free port, which the log names") == 2
    assert "curl" not in out


def test_redis_is_stopped_whatever_becomes_of_the_daemon(directory, monkeypatch):
    def run(_settings, *, on_ready, watch):
        assert on_ready
        assert watch
        assert (directory / "redis.sock").exists()
        raise StartError("no")

    monkeypatch.setattr(quickstart.daemon, "run", run)
    with pytest.raises(StartError, match="no"):
        quickstart.run(directory, None)
    assert not (directory / "redis.sock").exists()


def test_a_wrong_configuration_starts_no_redis(directory, ran, monkeypatch):
    monkeypatch.setenv("HTTP_PORT", "many")
    monkeypatch.setattr(EmbeddedRedis, "start", lambda _: pytest.fail("started"))
    with pytest.raises(ConfigError):
        quickstart.run(directory, None)
    assert ran == []


@pytest.mark.parametrize(
    ("number", "how"), [(signal.SIGKILL, "was ended by signal 9"), (signal.SIGTERM, "exit code 0")]
)
def test_the_daemon_ends_when_its_redis_does(directory, number, how):
    environ = {"HTTP_PORT": "0", "WORKER_METRICS_PORT": "0", "WORKER_METRICS_HOST": "127.0.0.1", "LOG_FORMAT": "json"}
    with subprocess.Popen(
        [sys.executable, "-m", "sploot_clusterd", "--embedded", str(directory)],
        env={**os.environ, **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as clusterd:
        try:
            assert clusterd.stdout.readline().endswith("is ready\n")
            (server,) = [each for each in psutil.Process(clusterd.pid).children() if each.name() == "redis-server"]
            server.send_signal(number)
            _, err = clusterd.communicate(timeout=40)
        finally:
            clusterd.kill()
    assert clusterd.returncode == 1
    assert err.splitlines()[-1].startswith("clusterd: the embedded redis-server ")
    assert how in err.splitlines()[-1]
    assert str(directory / "redis.log") in err.splitlines()[-1]
