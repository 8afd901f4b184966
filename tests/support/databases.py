"""The kinds of databases that tests of history run on, and settings that name one."""

from typing import Any, Final

import pytest

from sploot_clusterd.config import HistorySettings, SecretUrl

EACH: Final = ("sqlite", "postgresql", pytest.param("debian", marks=pytest.mark.database))
SERVERS: Final = EACH[1:]
SERVER_FIXTURES: Final = {"postgresql": "wheels_postgres", "debian": "debians_postgres"}


def settings_of(url: str, **more: Any) -> HistorySettings:
    return HistorySettings(url=SecretUrl(url), **more)
