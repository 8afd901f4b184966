"""The daemon's settings: read once at start, checked whole, and immutable from then on.

settings = load(Path("config.toml"))
settings.stream.read_count
"""

from sploot_clusterd.config.access import ALL_SCOPES, SCOPES, Grant, Scope
from sploot_clusterd.config.engine import EngineSettings, HeroSettings, WeightsSettings
from sploot_clusterd.config.feed import FeedSettings
from sploot_clusterd.config.history import HistorySettings
from sploot_clusterd.config.http import HttpSettings
from sploot_clusterd.config.insights import InsightsSettings
from sploot_clusterd.config.jobs import JobsSettings
from sploot_clusterd.config.kinds import Secret, SecretUrl
from sploot_clusterd.config.load import Settings, load, read, reload
from sploot_clusterd.config.sections import (
    AlbumsSettings,
    ClustersSettings,
    LimitsSettings,
    MetricsSettings,
    ProfilesSettings,
    RedisSettings,
    ServiceSettings,
    StreamSettings,
)
from sploot_clusterd.config.sources import Given
from sploot_clusterd.config.tracing import TracingSettings
from sploot_clusterd.config.ui import UiSettings

__all__ = [
    "ALL_SCOPES",
    "SCOPES",
    "AlbumsSettings",
    "ClustersSettings",
    "EngineSettings",
    "FeedSettings",
    "Given",
    "Grant",
    "HeroSettings",
    "HistorySettings",
    "HttpSettings",
    "InsightsSettings",
    "JobsSettings",
    "LimitsSettings",
    "MetricsSettings",
    "ProfilesSettings",
    "RedisSettings",
    "Scope",
    "Secret",
    "SecretUrl",
    "ServiceSettings",
    "Settings",
    "StreamSettings",
    "TracingSettings",
    "UiSettings",
    "WeightsSettings",
    "load",
    "read",
    "reload",
]
