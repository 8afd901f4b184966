"""The dashboard as Grafana's JSON: from rows of panels, the metrics' meanings and the alerts that watch them."""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import count
from typing import Any, Final

from sploot_clusterd.alerts.rules import Rule, rules
from sploot_clusterd.dashboards.panels import ROWS, Panel
from sploot_clusterd.metrics import PREFIX, Metrics

UID: Final = "media-clustering-redis-streams"
_RUNBOOKS: Final = "docs/operations.md"
_DATASOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
_SCHEMA: Final = 39
"""Grafana 10.4's; later ones read it."""
_ACROSS: Final = 24
_WIDTH: Final = 8
_HEIGHT: Final = 8


def dashboard(runbooks: str = _RUNBOOKS) -> dict[str, Any]:
    """As `POST /api/dashboards/db` takes it. `runbooks` is the URL at which operations.md can be read."""
    return {
        "id": None,
        "uid": UID,
        "title": "Media clustering (Redis Streams)",
        "description": "Made from sploot_clusterd/dashboards; changes made here are lost with the next deployment.",
        "tags": ["clusterd"],
        "timezone": "browser",
        "schemaVersion": _SCHEMA,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": list(_variables(runbooks))},
        "links": [_link("Runbooks", "${runbooks}")],
        "panels": list(_placed()),
    }


def metrics_of(panel: Panel) -> set[str]:
    """The metrics that a panel asks for, as families: without the suffixes of a histogram's samples."""
    asked = {name for query in panel.queries for name in re.findall(rf"\b(?:{PREFIX}\w+|up)\b", query.expression)}
    return {_family(name) for name in asked}


def _variables(runbooks: str) -> Iterator[dict[str, Any]]:
    yield {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus"}
    series = f"{PREFIX}build_info"
    yield _choice("job", "Job", f"label_values({series}, job)")
    yield _choice("instance", "Process", f'label_values({series}{{job=~"$job"}}, instance)')
    yield {
        "name": "runbooks",
        "label": "Runbooks at",
        "type": "textbox",
        "query": runbooks,
        "current": {"text": runbooks, "value": runbooks},
    }


def _choice(name: str, label: str, query: str) -> dict[str, Any]:
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": _DATASOURCE,
        "query": {"query": query, "refId": name},
        "refresh": 2,  # with each change of the time range
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
    }


def _placed() -> Iterator[dict[str, Any]]:
    """Rows and their panels, three side by side."""
    ids, top = count(1), 0
    for row in ROWS:
        place = {"x": 0, "y": top, "w": _ACROSS, "h": 1}
        yield {"id": next(ids), "type": "row", "title": row.title, "collapsed": False, "gridPos": place, "panels": []}
        top += 1
        for number, panel in enumerate(row.panels):
            left = number * _WIDTH % _ACROSS
            place = {"x": left, "y": top + number * _WIDTH // _ACROSS * _HEIGHT, "w": _WIDTH, "h": _HEIGHT}
            yield {"id": next(ids), "gridPos": place, **_drawn(panel)}
        top += -(-len(row.panels) * _WIDTH // _ACROSS) * _HEIGHT


def _drawn(panel: Panel) -> dict[str, Any]:
    metrics = metrics_of(panel)
    meanings = _meanings()
    return {
        "type": "timeseries",
        "title": panel.title,
        "description": "\n\n".join(f"`{name}`: {meanings[name]}" for name in sorted(metrics & meanings.keys())),
        "datasource": _DATASOURCE,
        "targets": [
            {
                "refId": chr(ord("A") + n),
                "datasource": _DATASOURCE,
                "expr": query.expression,
                "legendFormat": query.legend,
            }
            for n, query in enumerate(panel.queries)
        ],
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "links": [
            _link(rule.name, f"${{runbooks}}#{rule.name.lower()}") for rule in rules() if _watches(rule, metrics)
        ],
    }


def _link(title: str, url: str) -> dict[str, Any]:
    return {"title": title, "type": "link", "url": url, "targetBlank": True}


def _watches(rule: Rule, metrics: set[str]) -> bool:
    return any(_family(word) in metrics for word in re.findall(r"\w+", rule.expression))


@cache
def _meanings() -> Mapping[str, str]:
    """By the name of the family as pages give it: a counter's with `_total`."""
    families = Metrics().registry.collect()
    return {family.name + "_total" * (family.type == "counter"): family.documentation for family in families}


def _family(name: str) -> str:
    shortened = re.sub(r"_(bucket|sum|count)$", "", name)
    return shortened if shortened in _meanings() else name
