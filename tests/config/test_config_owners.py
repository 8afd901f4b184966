"""Files of settings and tokens that somebody else can change, or read."""

import os
from pathlib import Path

import pytest

from sploot_clusterd.config import Settings, load
from sploot_clusterd.errors import ConfigError

TOKEN = "a-token-of-some-length"


def with_dotenv(directory: Path) -> Settings:
    return load(environ={"INTERNAL_TOKEN": TOKEN}, directory=directory)


@pytest.fixture
def dotenv(tmp_path: Path) -> Path:
    file = tmp_path / ".env"
    file.write_text("HTTP_PORT=1234\n")
    return file


def test_an_own_dotenv_is_obeyed_though_others_may_read_it(dotenv):
    settings = with_dotenv(dotenv.parent)
    assert (settings.http.port, settings.warnings) == (1234, ())


def test_a_neighbours_dotenv_is_not_obeyed(dotenv, give_away):
    give_away(dotenv)
    settings = with_dotenv(dotenv.parent)
    assert settings.http.port == 9007
    (warning,) = settings.warnings
    assert warning.startswith(f"{dotenv} belongs to user ")
    assert warning.endswith("so it was not read: make it yours alone, or remove it")


def test_a_neighbours_broken_dotenv_stops_nothing(dotenv, give_away):
    dotenv.write_bytes(b"HTTP_PORT=many\nINTERNAL_TOKEN\n\xff\xfe\0")
    give_away(dotenv)
    assert len(with_dotenv(dotenv.parent).warnings) == 1


def test_a_neighbours_pipe_is_not_waited_for(tmp_path, give_away):
    os.mkfifo(tmp_path / ".env")
    give_away(tmp_path / ".env")
    assert len(with_dotenv(tmp_path).warnings) == 1


def test_a_dotenv_that_everybody_may_change_is_not_obeyed(dotenv):
    dotenv.chmod(0o666)
    settings = with_dotenv(dotenv.parent)
    assert settings.http.port == 9007
    assert "can be changed by everybody" in settings.warnings[0]


def test_an_own_link_is_followed(dotenv, tmp_path):
    dotenv.rename(tmp_path / "elsewhere")
    dotenv.symlink_to("elsewhere")
    assert with_dotenv(tmp_path).http.port == 1234
    (tmp_path / "elsewhere").chmod(0o666)
    assert with_dotenv(tmp_path).http.port == 9007


def test_a_neighbours_link_is_not_followed(dotenv, tmp_path, give_away):
    dotenv.rename(tmp_path / "elsewhere")
    dotenv.symlink_to("elsewhere")
    give_away(dotenv)
    assert with_dotenv(tmp_path).http.port == 9007


def test_no_link_is_followed_where_others_may_put_another_one(dotenv, tmp_path):
    dotenv.rename(tmp_path / "elsewhere")
    dotenv.symlink_to("elsewhere")
    tmp_path.chmod(0o777)
    assert with_dotenv(tmp_path).http.port == 9007


@pytest.mark.parametrize("section", ["http", "metrics"])
def test_a_token_file_that_others_can_read_or_change_is_obeyed_with_a_warning(tmp_path, give_away, section):
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    name = {"http": "INTERNAL_TOKEN_FILE", "metrics": "WORKER_METRICS_TOKEN_FILE"}[section]

    def warnings() -> tuple[str, ...]:
        settings = load(environ={"INTERNAL_TOKEN": TOKEN, name: str(file)}, directory=tmp_path)
        return settings.warnings

    if section == "http":
        with pytest.raises(ConfigError, match="only one of the two"):
            warnings()

    def load_it() -> Settings:
        token = {} if section == "http" else {"INTERNAL_TOKEN": TOKEN}
        return load(environ={name: str(file), **token}, directory=tmp_path)

    file.chmod(0o640)
    assert load_it().warnings == ()
    file.chmod(0o644)
    assert [warning.split(": ", 1) for warning in load_it().warnings] == [
        [f"{section}.token_files", f"{file} holds secrets and can be read by everybody on this machine: chmod o-r it"]
    ]
    file.chmod(0o602)
    assert "can be changed by everybody" in load_it().warnings[0]
    file.chmod(0o600)
    give_away(file)
    settings = load_it()
    assert "belongs to user" in settings.warnings[0]
    assert TOKEN not in "".join(settings.warnings)
    tokens = settings.http.tokens if section == "http" else settings.metrics.tokens
    assert [token.reveal() for token in tokens or ()] == [TOKEN]


@pytest.mark.parametrize(
    ("text", "is_secret"),
    [
        ("[http]\nport = 1\n", False),
        (f'[http]\ntokens = ["{TOKEN}"]\n', True),
        ('[redis]\npassword = "hunter2"\n', True),
        ('[redis]\nurl = "redis://h"\n', False),
        ('[redis]\nurl = "redis://:hunter2@h"\n', True),
    ],
)
def test_settings_that_everybody_can_read_are_warned_of_if_there_is_a_secret_in_them(tmp_path, text, is_secret):
    file = tmp_path / "c.toml"
    file.write_text(text)
    file.chmod(0o644)
    token = {} if "tokens" in text else {"INTERNAL_TOKEN": TOKEN}
    warnings = load(file, environ=token, directory=tmp_path).warnings
    assert [f"{file} holds secrets" in warning for warning in warnings] == [True] * is_secret
    file.chmod(0o602)
    assert "can be changed by everybody" in load(file, environ=token, directory=tmp_path).warnings[0]


@pytest.mark.parametrize("environment", ["staging", "production", "local"])
@pytest.mark.parametrize(
    ("option", "is_unsafe"),
    [
        ("ssl_cert_reqs=none", True),
        ("ssl_check_hostname=False", True),
        ("ssl_check_hostname=0", True),
        ("ssl_cert_reqs=optional", False),
        ("ssl_cert_reqs=required&ssl_check_hostname=yes", False),
    ],
)
def test_tls_that_checks_nothing_is_warned_of_where_it_matters(tmp_path, environment, option, is_unsafe):
    url = f"rediss://:hunter2@h?{option}"
    settings = load(environ={"ENVIRONMENT": environment, "REDIS_URL": url, "INTERNAL_TOKEN": TOKEN}, directory=tmp_path)
    expected = is_unsafe and environment != "local"
    assert [f"redis.url ($REDIS_URL): with {option}" in warning for warning in settings.warnings] == [True] * expected
    assert "hunter2" not in "".join(settings.warnings)
