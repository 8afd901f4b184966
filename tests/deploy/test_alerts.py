"""The alert rules, held against the metrics that exist; where marked, run through Prometheus' own tool."""

import re
import subprocess

import pytest
import yaml

from sploot_clusterd.metrics import Metrics
from tests.docs.tables import declared_metrics, recorded_expressions

CASES = tuple(f"tests/deploy/{name}_test.yml" for name in ("alerts", "alerts_of_weeks", "objectives"))
FUNCTIONS = {"abs", "absent", "and", "by", "histogram_quantile", "increase", "max", "or", "rate", "sum", "vector"}
FOREIGN = {"up"}
SUFFIXES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}


@pytest.fixture(scope="module")
def rules(root):
    groups = yaml.safe_load((root / "docs/alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


@pytest.fixture(scope="module")
def cases(root):
    return [case for file in CASES for case in yaml.safe_load((root / file).read_text())["tests"]]


def exposed():
    """Every sample name that the daemon exposes, with its labels."""
    labels = {}
    for name, metric in declared_metrics().items():
        names = {"le", *metric.labels} if metric.kind == "histogram" else set(metric.labels)
        labels |= {name.removesuffix("_total") + suffix: names for suffix in SUFFIXES[metric.kind]}
    return labels


def names_in(expression):
    """The metric names of an expression: what is left without selectors, groupings, durations and functions."""
    bare = re.sub(r'"[^"]*"', "", expression)
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]|by \([^)]*\)|offset \w+", " ", bare)
    return set(re.findall(r"[a-z_][a-z0-9_:]*", bare)) - FUNCTIONS


def test_rules_use_only_metrics_that_exist(rules):
    used = set().union(*(names_in(rule["expr"]) for rule in rules))
    assert len(used) >= len(rules) - 1
    assert used - FOREIGN <= {*exposed(), *recorded_expressions()}


def test_objectives_use_only_metrics_and_bounds_that_exist():
    present = {
        (sample.name, sample.labels.get("le")) for family in Metrics().registry.collect() for sample in family.samples
    }
    for expression in recorded_expressions().values():
        assert names_in(expression) <= set(exposed())
    assert ("media_cluster_job_visible_seconds_bucket", "5.0") in present
    metrics = Metrics()
    metrics.http_seconds.labels("/").observe(0.05)
    [family] = [each for each in metrics.registry.collect() if each.name == "media_cluster_http_request_seconds"]
    assert [each.value for each in family.samples if each.labels.get("le") == "0.05"] == [1]


def test_every_window_of_an_objective_has_its_alert(rules):
    assert set().union(*(names_in(rule["expr"]) for rule in rules)) >= set(recorded_expressions())


def test_rules_group_only_by_labels_that_exist(rules):
    known = exposed()
    for rule in rules:
        wanted = {label.strip() for found in re.findall(r"by \(([^)]*)\)", rule["expr"]) for label in found.split(",")}
        there = set().union(*(known.get(name, set()) for name in names_in(rule["expr"])))
        assert wanted <= there | {"instance"}, rule["alert"]


def test_every_rule_says_what_it_is_and_how_urgent(rules):
    assert len({rule["alert"] for rule in rules}) == len(rules)
    for rule in rules:
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert len(rule["annotations"]["summary"]) > 20


def test_backlog_dead_letters_readiness_and_lag_are_watched(rules):
    watched = set().union(*(names_in(rule["expr"]) for rule in rules))
    assert watched >= {
        "media_cluster_backlog_jobs",
        "media_cluster_backlog_refused_total",
        "media_cluster_dead_letters_total",
        "media_cluster_ready",
        "media_cluster_stream_lag_seconds",
        "media_cluster_loop_lag_seconds_bucket",
    }


def test_what_an_increase_is_asked_of_starts_at_zero(rules):
    """A series whose first sample is 1 is no increase to Prometheus, and the first dead letter would alarm nobody."""
    metrics = Metrics()
    metrics.restarts.labels("reclaim")  # as the supervisor does for each of its tasks
    metrics.insights_bad_answers.labels("shape")  # as the upstream does for each reason
    metrics.insights_requests.labels("insight", "missing")  # a hundred of them have to come, so the first may be lost
    metrics.history_events.labels("refused")  # as who writes history does
    present = {sample.name for family in metrics.registry.collect() for sample in family.samples}
    asked = {name for rule in rules for name in re.findall(r"increase\((\w+)", rule["expr"])}
    assert asked
    assert asked <= present


def test_the_manual_tells_what_to_do_about_each_alert(rules, root):
    manual = "".join(page.read_text() for page in (root / "docs").glob("*.md"))
    assert [rule["alert"] for rule in rules if rule["alert"] not in manual] == []


def test_each_alert_is_shown_to_fire_and_to_stay_quiet(rules, cases):
    alerts = {rule["alert"] for rule in rules}
    expected = [expected for case in cases for expected in case["alert_rule_test"]]
    assert {entry["alertname"] for entry in expected if entry.get("exp_alerts")} == alerts
    assert {entry["alertname"] for entry in expected if not entry.get("exp_alerts")} == alerts


@pytest.mark.system
@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "config", "docs/prometheus.yml"),
        ("check", "rules", "docs/alerts.yml", "docs/objectives.yml"),
        ("test", "rules", *CASES),
    ],
    ids=" ".join,
)
def test_prometheus_agrees(root, arguments):
    done = subprocess.run(["promtool", *arguments], check=False, cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
