"""Wrong set-ups are named with their mend."""

import importlib.util
from asyncio import Event

import pytest

from sploot_clusterd import config, tracing
from sploot_clusterd.cli import main
from sploot_clusterd.errors import ConfigError
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.optional import recorder_of


def load(**variables: str) -> config.Settings:
    return config.load(environ=variables)


def test_it_is_off_until_it_has_an_endpoint():
    assert load().tracing.endpoint is None
    settings = load(
        OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:4318", OTEL_SERVICE_NAME="x", TRACE_SAMPLE_RATE="0.25"
    )
    assert settings.tracing.endpoint.reveal() == "http://127.0.0.1:4318"
    assert (settings.tracing.service_name, settings.tracing.sample_rate) == ("x", 0.25)
    assert not settings.tracing.pet_ids
    assert settings.warnings == load().warnings


@pytest.mark.parametrize(
    "url",
    ["collector:4318", "grpc://collector:4317", "http://", "http://x:0", "http://x:99999", "http://x/?a=1", "x y"],
)
def test_a_bad_endpoint_is_named_with_what_is_allowed(url):
    with pytest.raises(ConfigError, match=r"OTEL_EXPORTER_OTLP_ENDPOINT.*http://host:4318"):
        load(OTEL_EXPORTER_OTLP_ENDPOINT=url)


@pytest.mark.parametrize("rate", ["-0.1", "1.1", "all", "nan"])
def test_a_bad_rate_is_named_with_what_is_allowed(rate):
    with pytest.raises(ConfigError, match=r"TRACE_SAMPLE_RATE.*a number from 0 to 1"):
        load(TRACE_SAMPLE_RATE=rate)


def test_the_port_of_grpc_is_warned_of():
    (warning,) = [each for each in load(OTEL_EXPORTER_OTLP_ENDPOINT="http://c:4317").warnings if "4317" in each]
    assert "tracing.endpoint ($OTEL_EXPORTER_OTLP_ENDPOINT)" in warning
    assert "4318" in warning


def test_a_password_in_the_endpoint_is_not_shown(monkeypatch, capsys):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "https://me:secret-of-ours@collector")
    assert main(["config"]) == 0
    shown = capsys.readouterr()
    assert "secret-of-ours" not in shown.out + shown.err
    assert "collector" in shown.out


def test_a_missing_extra_is_named_with_its_mend(monkeypatch, capsys):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
    found = importlib.util.find_spec
    monkeypatch.setattr(
        tracing, "find_spec", lambda name: None if name.startswith("opentelemetry.proto") else found(name)
    )
    told = "tracing needs opentelemetry-proto: pip install opentelemetry-proto"
    assert main(["config"]) == 2
    assert told in capsys.readouterr().err
    with pytest.raises(ConfigError, match=told):  # as the daemon does at its start
        recorder_of(config.load(), Metrics(), Event())
