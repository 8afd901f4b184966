"""How a source is found by the name of its adapter: the built-in one, or an installed package's."""

from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Final, NamedTuple

from sploot_clusterd.config import InsightsSettings
from sploot_clusterd.errors import ConfigError
from sploot_clusterd.insights.http import Http
from sploot_clusterd.insights.source import Source
from sploot_clusterd.insights.storage_service import StorageService

GROUP: Final = "sploot_clusterd.insights"
_BUILT_IN: Final = "storage_service"

Adapter = Callable[[Http, InsightsSettings], Source]
"""Makes a source that asks by the client it is given, which it closes at its end. May raise ConfigError."""


class Opened(NamedTuple):
    """A source, and the client by which it asks."""

    source: Source
    http: Http


def open_source(settings: InsightsSettings) -> Opened:
    """As configured. Nothing is asked yet. Raises ConfigError."""
    http = Http(settings)
    return Opened(load_adapter(settings.adapter)(http, settings), http)


def load_adapter(name: str) -> Adapter:
    """Raises ConfigError naming what is available."""
    if name == _BUILT_IN:
        return StorageService
    installed = {entry.name: entry for entry in entry_points(group=GROUP)}
    if name not in installed:
        available = ", ".join(sorted({_BUILT_IN, *installed}))
        raise ConfigError(f"insights.adapter: {name!r} is not installed; available: {available}")
    try:
        adapter: Adapter = installed[name].load()
    except Exception as error:  # whatever a stranger's package raises while it loads
        raise ConfigError(f"insights.adapter: {name!r} cannot be loaded: {error!r}") from error
    return adapter
