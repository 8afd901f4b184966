"""Files as editors save them: with a byte order mark, or in UTF-16."""

import codecs
from pathlib import Path

import pytest

from sploot_clusterd import quickstart
from sploot_clusterd.config import Settings, load
from sploot_clusterd.errors import ConfigError, StartError
from sploot_clusterd.replay.jobs import bodies

TOKEN = "a-token-of-some-length"
TEXTS = {
    "toml": "[http]\nport = 1234\n",
    "env": "HTTP_PORT=1234\n",
    "token": f"{TOKEN}\n",
    "metrics": f"{TOKEN}\n",
    "ca": "-----BEGIN CERTIFICATE-----\n",
}


def loaded(directory: Path, encoded: dict[str, bytes]) -> Settings:
    for name, content in encoded.items():
        file = directory / ("." * (name == "env") + name)
        file.write_bytes(content)
        file.chmod(0o600)
    environ = {
        "INTERNAL_TOKEN_FILE": str(directory / "token"),
        "WORKER_METRICS_TOKEN_FILE": str(directory / "metrics"),
        "REDIS_URL": f"rediss://h?ssl_ca_certs={directory / 'ca'}",
        "REDIS_SSL_CA_CERTS": str(directory / "ca"),
    }
    return load(directory / "toml", environ=environ, directory=directory)


def test_a_mark_before_the_text_is_no_part_of_it(tmp_path):
    settings = loaded(tmp_path, {name: codecs.BOM_UTF8 + text.encode() for name, text in TEXTS.items()})
    assert settings.http.port == 1234
    assert settings.warnings == ()
    assert settings.metrics.tokens is not None
    assert [token.reveal() for token in (*settings.http.tokens, *settings.metrics.tokens)] == [TOKEN, TOKEN]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("name", TEXTS)
def test_utf_16_is_told_with_its_mend(tmp_path, name, encoding):
    encoded = {other: text.encode() for other, text in TEXTS.items()}
    with pytest.raises(ConfigError, match=rf"{name}: is UTF-16; save it as UTF-8") as caught:
        loaded(tmp_path, {**encoded, name: TEXTS[name].encode(encoding)})
    assert TOKEN not in str(caught.value)


def test_jobs_and_the_token_of_embedded(tmp_path):
    file = tmp_path / "f"
    file.write_bytes(codecs.BOM_UTF8 + b'{"pet_id": "a"}\n{"pet_id": "b"}\n')
    assert bodies(file) == [b'{"pet_id": "a"}', b'{"pet_id": "b"}']
    file.write_bytes('[{"pet_id": "a"}]'.encode("utf-16"))
    with pytest.raises(ConfigError, match="is UTF-16"):
        bodies(file)
    file.write_bytes(codecs.BOM_UTF8 + TOKEN.encode())
    assert quickstart.kept_token(file) == TOKEN
    file.write_bytes(TOKEN.encode("utf-16"))
    with pytest.raises(StartError, match=r"cannot hold the token .*is UTF-16"):
        quickstart.kept_token(file)
