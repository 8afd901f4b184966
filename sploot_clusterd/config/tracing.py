"""Settings of tracing; and what the collector's address may be."""

# ruff: noqa: RUF009 - the calls return dataclass fields

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from sploot_clusterd.config.kinds import SecretUrl, number, secret_url, switch, text

ENDPOINT_ALLOWED: Final = (
    "http://host:4318 or https://host (user:password@ before it and a path behind it may be), without query and "
    "fragment"
)
_GRPC_PORT: Final = 4317


def endpoint_is_allowed(url: str) -> bool:
    try:
        parts = urlsplit(url)
        is_whole = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return is_whole and not ("?" in url or "#" in url or any(not "!" <= character <= "~" for character in url))


def is_of_grpc(url: str) -> bool:
    """Whether the port is the one where collectors speak gRPC, which we do not."""
    return urlsplit(url).port == _GRPC_PORT


@dataclass(frozen=True, slots=True)
class TracingSettings:
    """Traces of jobs and requests, sent to an OpenTelemetry collector. Off until it has an endpoint."""

    endpoint: SecretUrl | None = secret_url(
        None,
        "Where the collector takes OTLP over HTTP, with or without /v1/traces at its end. Unset: nothing is traced.",
        endpoint_is_allowed,
        ENDPOINT_ALLOWED,
        env="OTEL_EXPORTER_OTLP_ENDPOINT",
    )
    service_name: str | None = text(
        None, "The name it goes by in traces. Unset: service.name.", env="OTEL_SERVICE_NAME"
    )
    sample_rate: float = number(
        1.0,
        "Share of the traces that begin here that are recorded; of others whoever began them has decided.",
        0.0,
        1.0,
        env="TRACE_SAMPLE_RATE",
    )
    pet_ids: bool = switch(False, "Whether spans tell pets' ids as they are, in place of hashes of them.")
