"""Settings as they are loaded from a file, a .env and an environment of the test's own."""

from pathlib import Path

import pytest

from sploot_clusterd import config
from sploot_clusterd.config import load
from sploot_clusterd.errors import ConfigError


def loaded(tmp_path: Path, toml: str = "", dotenv: str | None = None, **environ: str) -> config.Settings:
    file = tmp_path / "config.toml"
    file.write_text(toml)
    if dotenv is not None:
        (tmp_path / ".env").write_text(dotenv)
    return load(file, environ=environ, directory=tmp_path)


def refusal(tmp_path: Path, toml: str = "", dotenv: str | None = None, **environ: str) -> str:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, toml, dotenv, **environ)
    return str(caught.value)
