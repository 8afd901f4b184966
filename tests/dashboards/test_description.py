"""The dashboard's description, held against the metrics that there are and the manual."""

import re

import pytest

from sploot_clusterd.alerts.rules import rules
from sploot_clusterd.dashboards.model import dashboard, metrics_of
from sploot_clusterd.dashboards.panels import ROWS
from sploot_clusterd.dashboards.queries import CHOSEN
from tests.docs.pages import ROOT, anchors
from tests.docs.tables import declared_metrics

PANELS = [panel for row in ROWS for panel in row.panels]
FOREIGN = {"up"}
LABELS_OF_A_SCRAPE = {"instance", "job"}
HOW = "a metric comes to the dashboard by a line in sploot_clusterd/dashboards/panels.py"


def test_every_metric_is_in_the_dashboard():
    shown = set().union(*map(metrics_of, PANELS))
    assert set(declared_metrics()) - shown == set(), HOW


def test_the_dashboard_shows_no_metric_that_there_is_not():
    shown = set().union(*map(metrics_of, PANELS))
    assert shown - set(declared_metrics()) == FOREIGN


def test_the_dashboard_has_the_rows_of_the_service_before_it():
    assert {row.title for row in ROWS} >= {
        "Outcomes",
        "Throughput and latency",
        "Backlog",
        "Retries and dead letters",
        "Quality",
        "Saturation",
        "Fleet",
    }


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel.title)
def test_a_panel_asks_by_labels_that_its_metrics_have(panel):
    metrics = declared_metrics()
    there = (
        {label for name in metrics_of(panel) - FOREIGN for label in metrics[name].labels} | LABELS_OF_A_SCRAPE | {"le"}
    )
    for query in panel.queries:
        asked = re.findall(r"by \(([^)]*)\)", query.expression)
        assert {label.strip() for group in asked for label in group.split(",")} <= there
        assert set(re.findall(r"{{(\w+)}}", query.legend)) <= there
        assert query.expression.count(CHOSEN) == len(re.findall(r"\b(?:media_cluster_\w+|up)\b", query.expression))


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel.title)
def test_counters_are_asked_for_their_rate_and_gauges_are_not(panel):
    metrics = declared_metrics()
    for query in panel.queries:
        for name, window in re.findall(r"\b(media_cluster_\w+)\{[^}]*\}(\[?)", query.expression):
            is_gauge = name in metrics and metrics[name].kind == "gauge"
            assert is_gauge != bool(window), name


def test_titles_tell_panels_apart():
    assert len({panel.title for panel in PANELS}) == len(PANELS)


def test_the_variables_choose_datasource_processes_and_runbooks():
    assert [each["name"] for each in dashboard()["templating"]["list"]] == ["datasource", "job", "instance", "runbooks"]


def test_every_alert_is_linked_from_a_panel_to_its_runbook():
    urls = {link["url"] for panel in dashboard()["panels"] for link in panel.get("links", ())}
    assert urls == {f"${{runbooks}}#{rule.name.lower()}" for rule in rules()}
    assert {url.partition("#")[2] for url in urls} <= anchors(ROOT / "docs/operations.md")


def test_panels_do_not_overlap():
    taken = set()
    for panel in dashboard()["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells


def test_a_description_tells_what_its_metrics_mean():
    panels = {panel["title"]: panel for panel in dashboard()["panels"]}
    assert panels["Time of a job"]["description"] == (
        "`media_cluster_job_processing_seconds`: Time from a batch's read to its jobs' commit, a job"
    )
    assert all(
        panel["description"] for panel in panels.values() if panel["type"] != "row" and panel["title"] != "Scraped"
    )
