"""`clusterd alerts fire` against a stub of the Alertmanager's API v2."""

import asyncio
import os
from datetime import datetime, timedelta

import pytest
from aiohttp import web

from sploot_clusterd.alerts.rules import rules
from sploot_clusterd.cli import main


@pytest.fixture
async def alertmanager(aiohttp_server, monkeypatch):
    """The alerts that it was sent."""
    taken = []

    async def take(request: web.Request) -> web.Response:
        assert request.headers["Content-Type"] == "application/json"
        for alert in await request.json():
            assert alert.keys() <= {"labels", "annotations", "startsAt", "endsAt", "generatorURL"}
            assert all(isinstance(value, str) for part in ("labels", "annotations") for value in alert[part].values())
            taken.append(alert)
        return web.Response()

    app = web.Application()
    app.router.add_post("/api/v2/alerts", take)
    monkeypatch.setenv("ALERTMANAGER_URL", f"http://127.0.0.1:{(await aiohttp_server(app)).port}")
    return taken


async def fire(*arguments: str) -> int:
    return await asyncio.to_thread(main, ["alerts", "fire", *arguments])


async def test_every_alert_is_sent_as_a_drill(alertmanager, capsys):
    assert await fire() == 0
    assert [(each["labels"]["alertname"], each["labels"]["severity"]) for each in alertmanager] == [
        (rule.name, rule.severity) for rule in rules()
    ]
    for alert in alertmanager:
        assert alert["labels"]["drill"] == "true"
        assert alert["annotations"]["summary"].startswith("A drill, nothing is wrong. ")
        assert "{{" not in alert["annotations"]["summary"]
        began, ends = (datetime.fromisoformat(alert[at]) for at in ("startsAt", "endsAt"))
        assert ends - began == timedelta(minutes=5)
    assert capsys.readouterr().out.startswith(f"{len(rules())} alerts sent to http://127.0.0.1:")


async def test_those_named_are_sent(alertmanager):
    assert await fire("ClusterdDeadLetters", "ClusterdDown") == 0
    assert {each["labels"]["alertname"] for each in alertmanager} == {"ClusterdDeadLetters", "ClusterdDown"}


async def test_a_dry_run_sends_nothing_and_needs_no_alertmanager(monkeypatch, capsys):
    monkeypatch.delenv("ALERTMANAGER_URL", raising=False)
    assert await fire("--dry-run") == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(rules())
    assert lines[0] == "page    ClusterdDown: ... does not answer on its metrics port."


async def test_what_is_no_alert_is_refused_with_those_there_are(alertmanager, capsys):
    assert await fire("ClusterdDwon") == 2
    assert capsys.readouterr().err.startswith("clusterd: there is no alert 'ClusterdDwon'; there are: ClusterdDown, ")
    assert alertmanager == []


@pytest.mark.parametrize(
    ("url", "code", "told"),
    [
        ("", 2, "ALERTMANAGER_URL is not set: it has to be the URL of the Alertmanager"),
        ("127.0.0.1:9093", 2, "ALERTMANAGER_URL: expected the URL of the Alertmanager"),
        ("http://127.0.0.1:1", 1, "is it running, is ALERTMANAGER_URL right?"),
    ],
)
async def test_an_alertmanager_that_cannot_be_reached(monkeypatch, capsys, url, code, told):
    monkeypatch.setenv("ALERTMANAGER_URL", url)
    assert await fire() == code
    assert told in capsys.readouterr().err


async def test_a_path_that_is_another_services(alertmanager, monkeypatch, capsys):
    monkeypatch.setenv("ALERTMANAGER_URL", os.environ["ALERTMANAGER_URL"] + "/prometheus")
    assert await fire() == 1
    assert "answers 404" in capsys.readouterr().err
