"""docs/alertmanager.yml: who hears of which alert, and what silences what; where marked, by the Alertmanager itself."""

import asyncio
import re
import subprocess

import pytest
import yaml

from sploot_clusterd.alerts.rules import rules
from sploot_clusterd.cli import main
from tests.docs.pages import ROOT
from tests.support.alertmanager import Alertmanager, Receivers
from tests.support.waiting import eventually

FILE = ROOT / "docs/alertmanager.yml"
REDIS = "ClusterdRedisAway"
FOLLOWS = {
    "ClusterdNotReady",
    "ClusterdBacklogGrowing",
    "ClusterdRefusingJobs",
    "ClusterdBehind",
    "ClusterdStuckJob",
    "ClusterdInsightsLate",
    "ClusterdJobsLateFast",
    "ClusterdJobsLateSlow",
    "ClusterdReadsBadFast",
    "ClusterdReadsBadSlow",
}
"""From a Redis that is away."""


def test_what_is_silenced_are_alerts_that_there_are():
    names = {rule.name for rule in rules()}
    patterns = re.findall(r"Clusterd[\w.*]+", FILE.read_text())
    assert len(patterns) > len(FOLLOWS)
    assert [pattern for pattern in patterns if not any(re.fullmatch(pattern, name) for name in names)] == []


@pytest.mark.system
def test_amtool_agrees():
    done = subprocess.run(["amtool", "check-config", FILE], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.system
@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.name)
@pytest.mark.parametrize("more", [[], ["drill=true", "instance=drill"]], ids=["real", "drill"])
def test_an_alert_goes_where_it_is_urgent(rule, more):
    labels = [f"alertname={rule.name}", f"severity={rule.severity}", *more]
    command = ["amtool", "config", "routes", "test", f"--config.file={FILE}", f"--verify.receivers={rule.severity}"]
    done = subprocess.run([*command, *labels], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, rule.severity), done.stderr


@pytest.mark.system
def test_an_alert_of_somebody_else_is_a_ticket():
    command = ["amtool", "config", "routes", "test", f"--config.file={FILE}", "alertname=Other"]
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip() == "ticket"


def settings(receivers: Receivers) -> str:
    """Those of docs/ with the test's receivers, and without waiting for more alerts."""
    config = yaml.safe_load(FILE.read_text())
    for route in (config["route"], *config["route"]["routes"]):
        route["group_wait"] = "0s"
    for receiver in config["receivers"]:
        receiver["webhook_configs"][0]["url"] = f"{receivers.url}/{receiver['name']}"
    return yaml.safe_dump(config)


@pytest.mark.system
async def test_a_drill_of_every_alert_reaches_who_is_to_hear_of_it(tmp_path, monkeypatch):
    async with Receivers() as receivers, Alertmanager(tmp_path, settings(receivers)) as alertmanager:
        monkeypatch.setenv("ALERTMANAGER_URL", alertmanager.url)
        assert await asyncio.to_thread(main, ["alerts", "fire"]) == 0
        wanted = {kind: {rule.name for rule in rules() if rule.severity == kind} for kind in ("page", "ticket")}
        await eventually(lambda: receivers.heard == wanted, what="every drill to be heard", timeout=30)
        assert await alertmanager.inhibited() == set()


@pytest.mark.system
async def test_a_dead_redis_silences_what_follows_from_it_and_nothing_else(tmp_path, monkeypatch):
    async with Receivers() as receivers, Alertmanager(tmp_path, settings(receivers)) as alertmanager:
        labels = [{"alertname": rule.name, "severity": rule.severity} for rule in rules()]
        here = [{**each, "environment": "here"} for each in labels if "Fast" not in each["alertname"]]
        there = [{**each, "environment": "there"} for each in labels if each["alertname"] == "ClusterdNotReady"]
        await alertmanager.post({"alertname": REDIS, "severity": "page", "environment": "here"})
        await eventually(lambda: receivers.heard["page"] == {REDIS}, what="the page", timeout=30)
        others = {each["alertname"] for each in here} - FOLLOWS

        def heard() -> set[str]:
            return set().union(*receivers.heard.values())

        await alertmanager.post(*here)
        await eventually(lambda: heard() >= others, what="the others to be heard", timeout=30)
        await alertmanager.post(*there)  # when the same one of here has been silenced: it does not wait for that one
        await eventually(lambda: "ClusterdNotReady" in heard(), what="another environment's to be heard", timeout=30)
        assert await alertmanager.inhibited() == {each["alertname"] for each in here} & FOLLOWS
        assert heard() == others | {"ClusterdNotReady"}
        monkeypatch.setenv("ALERTMANAGER_URL", alertmanager.url)
        assert await asyncio.to_thread(main, ["alerts", "fire", "ClusterdBehind"]) == 0
        await eventually(lambda: "ClusterdBehind" in receivers.heard["page"], what="a drill meanwhile", timeout=30)
