"""Settings of a daemon that asks a storage service."""

from dataclasses import replace
from typing import Any

from sploot_clusterd.config import InsightsSettings, Secret, SecretUrl, Settings
from tests.insights.storage_service import TOKEN


def settings_for(url: str, **insights: Any) -> Settings:
    given = {"url": SecretUrl(url), "token": Secret(TOKEN), "rate": 0.0, "timeout_seconds": 20.0, **insights}
    return replace(Settings(), insights=replace(InsightsSettings(), **given))
