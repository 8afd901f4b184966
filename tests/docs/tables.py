"""What follows from something else: tables of docs/, the dashboard, the alerts that commands know, the manual page.
`python -m tests.docs.tables` writes them anew; a test compares.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import yaml
from prometheus_client.metrics import MetricWrapperBase

from sploot_clusterd.config import Secret, Settings
from sploot_clusterd.config.kinds import shown
from sploot_clusterd.config.schema import SCHEMA, environment_names, value_of
from sploot_clusterd.dashboards.model import UID, dashboard
from sploot_clusterd.histogram import Histogram
from sploot_clusterd.metrics import Metrics
from tests.docs.manual import manual

ROOT = Path(__file__).parents[2]


def settings() -> str:
    """Every setting, a table for each section."""
    return "\n".join(_settings_lines())


def _settings_lines() -> Iterator[str]:
    table = ""
    for key, setting in SCHEMA.items():
        section, _, name = key.rpartition(".")
        if section != table:
            table = section
            about = type(value_of(Settings(), section)).__doc__
            yield f"\n### [{section}]\n\n{about}\n"
            yield "| key | default | allowed | environment | meaning |"
            yield "|---|---|---|---|---|"
        variables = ", ".join(f"`{variable}`" for variable in environment_names(key))
        default = _default(value_of(Settings(), key))
        yield f"| `{name}` | {default} | {_cell(setting.allowed)} | {variables} | {_cell(setting.explanation)} |"
    yield ""


def _default(value: object) -> str:
    """As TOML writes it. The default token is no secret: it is refused wherever that would matter."""
    if value is None:
        return "not set"
    if isinstance(value, tuple):
        value = tuple(item.reveal() if isinstance(item, Secret) else item for item in value)
    return f"`{shown(value)}`"


def metrics() -> str:
    """Every metric, in the order of its declaration."""
    lines = ["", "| metric | kind | labels | meaning |", "|---|---|---|---|"]
    for name, metric in declared_metrics().items():
        labels = ", ".join(f"`{label}`" for label in metric.labels) or "-"
        lines.append(f"| `{name}` | {metric.kind} | {labels} | {_cell(metric.meaning)} |")
    return "\n".join([*lines, ""])


class DeclaredMetric(NamedTuple):
    kind: str
    labels: Sequence[str]
    meaning: str


def declared_metrics() -> Mapping[str, DeclaredMetric]:
    """Each metric under the name that a scrape shows (without a histogram's suffixes)."""
    found = {}
    for metric in Metrics().registry._collector_to_names:
        if isinstance(metric, Histogram):
            labels = [metric.label] if metric.label else []
            found[metric.name] = DeclaredMetric("histogram", labels, metric.meaning)
        else:
            assert isinstance(metric, MetricWrapperBase)
            name = metric._name + ("_total" if metric._type == "counter" else "")
            found[name] = DeclaredMetric(metric._type, metric._labelnames, metric._documentation)
    return found


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def alerts() -> str:
    """What commands need to know of docs/alerts.yml."""
    groups = yaml.safe_load((ROOT / "docs/alerts.yml").read_text())["groups"]
    recorded = recorded_expressions()
    told = [
        {
            "name": rule["alert"],
            "severity": rule["labels"]["severity"],
            "summary": rule["annotations"]["summary"],
            "expression": re.sub(r"[\w:]+", lambda name: recorded.get(name[0], name[0]), rule["expr"].strip()),
        }
        for group in groups
        for rule in group["rules"]
    ]
    return json.dumps(told, indent=2) + "\n"


def recorded_expressions() -> Mapping[str, str]:
    """What docs/objectives.yml works out, by name."""
    groups = yaml.safe_load((ROOT / "docs/objectives.yml").read_text())["groups"]
    return {rule["record"]: rule["expr"].strip() for group in groups for rule in group["rules"]}


FILES: Mapping[Path, Callable[[], str]] = {
    ROOT / "sploot_clusterd/alerts/rules.json": alerts,
    ROOT / f"docs/dashboards/{UID}.json": lambda: json.dumps(dashboard(), indent=2) + "\n",
    ROOT / "docs/man/clusterd.1": manual,
}
"""What is written whole, in this order: the dashboard links to the alerts' runbooks."""

TABLES: Mapping[str, tuple[Path, Callable[[], str]]] = {
    "settings": (ROOT / "docs/configuration.md", settings),
    "metrics": (ROOT / "docs/operations.md", metrics),
}
"""By the name in the page's two marks, `<!-- table NAME -->` and `<!-- end of table NAME -->`."""


def replaced(page: str, name: str, table: str) -> str:
    """The page with what stands between the two marks replaced."""
    between = re.compile(rf"(?<=<!-- table {name} -->\n).*(?=<!-- end of table {name} -->)", re.DOTALL)
    assert len(between.findall(page)) == 1, f"the page has no place for the table {name}"
    return between.sub(lambda _: table + "\n", page)


if __name__ == "__main__":
    for file, content in FILES.items():
        file.write_text(content())
    for name, (file, table) in TABLES.items():
        file.write_text(replaced(file.read_text(), name, table()))
