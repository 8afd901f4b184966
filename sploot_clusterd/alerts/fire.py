"""`clusterd alerts fire`: sends alerts to the Alertmanager as a drill, so that routes and receivers are tried before
they are needed. By its API v2: labels tell alerts apart, and one ends at its `endsAt`.
"""

# ruff: noqa: T201 - a command prints

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any, Final

from sploot_clusterd.alerts.rules import Rule, rules
from sploot_clusterd.errors import ConfigError, ServiceError
from sploot_clusterd.json_service import JsonService, variable

_LASTS: Final = timedelta(minutes=5)


def fire(names: Sequence[str], *, dry_run: bool) -> int:
    """Those of these names, or all. Raises ConfigError for names that there are not, and where the Alertmanager's URL
    is missing; ServiceError where it does not take them.
    """
    chosen = _chosen(names)
    if dry_run:
        for rule in chosen:
            print(f"{rule.severity:<7} {rule.name}: {_without_template(rule.summary)}")
        return 0
    where = variable("ALERTMANAGER_URL", "the URL of the Alertmanager, as in http://127.0.0.1:9093")
    alertmanager = JsonService("the Alertmanager", where, "ALERTMANAGER_URL")
    now = datetime.now(UTC)
    answer = alertmanager.ask("POST", "/api/v2/alerts", [_drill(rule, now) for rule in chosen])
    if answer.status != HTTPStatus.OK:
        mend = "does ALERTMANAGER_URL lead to it, with its path if it has one?"
        if answer.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            mend = "a proxy in front of it wants a login: go past it"
        raise ServiceError(f"the Alertmanager at {alertmanager.url} answers {answer.status} ({answer.text}): {mend}")
    print(f'{len(chosen)} alerts sent to {alertmanager.url} with the label drill="true"; they end in five minutes')
    return 0


def _chosen(names: Sequence[str]) -> list[Rule]:
    known = {rule.name: rule for rule in rules()}
    for name in names:
        if name not in known:
            raise ConfigError(f"there is no alert {name!r}; there are: {', '.join(known)}")
    return [rule for rule in known.values() if not names or rule.name in names]


def _drill(rule: Rule, now: datetime) -> dict[str, Any]:
    return {
        "labels": {
            "alertname": rule.name,
            "severity": rule.severity,
            "job": "clusterd",
            "instance": "drill",
            "drill": "true",
        },
        "annotations": {"summary": f"A drill, nothing is wrong. It would say: {_without_template(rule.summary)}"},
        "startsAt": now.isoformat(timespec="seconds"),
        "endsAt": (now + _LASTS).isoformat(timespec="seconds"),
    }


def _without_template(summary: str) -> str:
    """Prometheus puts values where the braces are; a drill has none."""
    return re.sub(r"\{\{.*?\}\}", "...", summary)
