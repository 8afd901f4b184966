"""An outage is told when it begins and when it is over, however often Redis is tried meanwhile."""

import logging

import pytest

from sploot_clusterd.errors import StoreUnavailableError
from sploot_clusterd.ingest.outage import Outage


def lines(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str, str | None]]:
    return [(record.levelname, record.getMessage(), record.data.get("error")) for record in caplog.records]


def test_an_outage_is_told_once_for_each_reason_and_once_when_it_is_over(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    outage = Outage("consumer waits for redis", consumer="me-0")

    outage.over()
    for _ in range(100):
        outage.goes_on(StoreUnavailableError("it is gone"))
    for _ in range(100):
        outage.goes_on(StoreUnavailableError("it is loading"))
    outage.over()
    outage.over()
    outage.goes_on(StoreUnavailableError("it is gone"))

    assert lines(caplog) == [
        ("WARNING", "consumer waits for redis", "it is gone"),
        ("WARNING", "consumer waits for redis", "it is loading"),
        ("INFO", "redis is back", None),
        ("WARNING", "consumer waits for redis", "it is gone"),
    ]
    assert {record.data["consumer"] for record in caplog.records} == {"me-0"}
