"""Tracing: spans are kept for a moment, encoded as OTLP and sent to a collector. No other room knows OpenTelemetry.

It is imported only where `tracing.endpoint` is set, and needs the extra `otel`: ask `require_extra` before all else.
What others tell of their work goes through `spans`, which imports nothing of it.
"""

from importlib.util import find_spec
from typing import Final

from sploot_clusterd.errors import ConfigError

_PACKAGES: Final = {"opentelemetry.sdk": "opentelemetry-sdk", "opentelemetry.proto": "opentelemetry-proto"}
"""Modules, and what brings them."""


def missing() -> list[str]:
    """What tracing needs and is not installed."""
    return [package for module, package in _PACKAGES.items() if not _is_there(module)]


def require_extra() -> None:
    """Raises ConfigError if what tracing needs is not installed."""
    if names := missing():
        raise ConfigError(
            f"tracing needs {' and '.join(names)}: pip install {' '.join(names)}, or unset tracing.endpoint "
            "(OTEL_EXPORTER_OTLP_ENDPOINT)"
        )


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # the package around it
        return False
