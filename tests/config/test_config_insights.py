"""The storage service: its URL, its token, and what does not go together."""

import dataclasses

import pytest

from sploot_clusterd.config import Secret, load
from sploot_clusterd.config.show import lines
from sploot_clusterd.errors import ConfigError

URL = "http://storage.internal:8000"
TOKEN = "a-token-of-some-length"
WITHOUT = "without user, query and fragment; a token goes to insights.token"


def loaded(tmp_path, **environ: str):
    return load(environ={"INTERNAL_TOKEN": "x" * 16, **environ}, directory=tmp_path)


def refusal(tmp_path, **environ: str) -> str:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, **environ)
    return str(caught.value)


@pytest.mark.parametrize("url", [URL, f"{URL}/internal/", "https://s.example", "http://[::1]:9", "HTTP://a/b/internal"])
def test_urls_of_a_storage_service(tmp_path, url):
    settings = loaded(tmp_path, STORAGE_SERVICE_URL=url, STORAGE_SERVICE_TOKEN=TOKEN)
    assert settings.insights.url.reveal() == url
    assert settings.warnings == ()


@pytest.mark.parametrize(
    "url",
    [
        "storage:8000",
        "ftp://storage",
        "http://",
        "http://user:pw@storage",
        "http://storage?token=x",
        "http://storage#x",
        "http://storage:0",
        "http://storage:99999",
        "http://sto rage",
        "http://storage/\u00e4",
    ],
)
def test_other_urls_are_refused_and_not_shown(tmp_path, url):
    text = refusal(tmp_path, STORAGE_SERVICE_URL=url)
    assert text.startswith("insights.url = ******** ($STORAGE_SERVICE_URL): expected http://host or https://host")
    assert text.endswith(WITHOUT)


def test_it_is_off_by_default(tmp_path):
    assert loaded(tmp_path).insights.url is None


def test_a_url_without_a_token_is_a_warning(tmp_path):
    [warning] = loaded(tmp_path, STORAGE_SERVICE_URL=URL).warnings
    assert "insights.token or insights.token_file" in warning


@pytest.mark.parametrize("token", ["two words", "line\nbreak", "gr\u00fcn", "\x00"])
def test_a_token_that_no_header_can_hold(tmp_path, token):
    text = refusal(tmp_path, STORAGE_SERVICE_TOKEN=token)
    allowed = "expected a text of visible ASCII characters, without blanks"
    assert text == f"insights.token = ******** ($STORAGE_SERVICE_TOKEN): {allowed}"


def test_a_token_in_a_file_is_read_and_read_again(tmp_path):
    file = tmp_path / "token"
    environ = {"STORAGE_SERVICE_URL": URL, "STORAGE_SERVICE_TOKEN_FILE": str(file)}
    for token in (TOKEN, "another-token-0123"):
        file.write_text(f"{token}\n")
        file.chmod(0o600)
        settings = loaded(tmp_path, **environ)
        assert settings.insights.token == Secret(token)
        assert settings.warnings == ()
    assert token not in "\n".join(lines(settings)) + repr(settings)
    assert settings.without_tokens().insights == dataclasses.replace(settings.insights, token=None)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "is empty"),
        ("one\ntwo\n", "has 2 lines; expected one token"),
        ("two words", "expected a text of visible ASCII characters, without blanks"),
    ],
)
def test_what_a_token_file_must_not_hold(tmp_path, content, said):
    file = tmp_path / "token"
    file.write_text(content)
    text = refusal(tmp_path, STORAGE_SERVICE_TOKEN_FILE=str(file))
    assert text.startswith("insights.token_file: ")
    assert said in text
    assert "words" not in text


def test_a_token_file_that_is_not_there(tmp_path):
    missing = str(tmp_path / "missing")
    text = refusal(tmp_path, STORAGE_SERVICE_TOKEN_FILE=missing)
    assert text == f"insights.token_file: {missing} cannot be read: No such file or directory"


def test_a_file_that_everybody_can_read_is_a_warning(tmp_path):
    file = tmp_path / "token"
    file.write_text(TOKEN)
    file.chmod(0o644)
    [warning] = loaded(tmp_path, STORAGE_SERVICE_URL=URL, STORAGE_SERVICE_TOKEN_FILE=str(file)).warnings
    assert f"insights.token_file: {file} holds secrets" in warning


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"STORAGE_SERVICE_TOKEN": TOKEN, "STORAGE_SERVICE_TOKEN_FILE": "/dev/null"}, "expected only one of the two"),
        ({"STORAGE_SERVICE_URL": URL, "CLUSTERD_INSIGHTS_CA_FILE": __file__}, "expected an https:// URL with it"),
        ({"CLUSTERD_INSIGHTS_CA_FILE": "/missing/ca"}, "insights.ca_file: /missing/ca cannot be read"),
        ({"CLUSTERD_INSIGHTS_LABEL_FIELD": "a b"}, "expected a field's name, or none"),
        ({"CLUSTERD_INSIGHTS_CONCURRENCY": "0"}, "expected a whole number from 1 to 1000"),
        ({"CLUSTERD_INSIGHTS_RATE": "-1"}, "expected a number from 0 to 100000"),
        ({"CLUSTERD_INSIGHTS_TIMEOUT_SECONDS": "nan"}, "expected a number from 0.1 to 600"),
    ],
)
def test_wrong_values_are_named_with_what_is_allowed(tmp_path, environ, named):
    text = refusal(tmp_path, **environ)
    assert text.startswith("insights.")
    assert named in text
    assert TOKEN not in text
