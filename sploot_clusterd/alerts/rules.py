"""The alert rules, as far as commands need them. `rules.json` follows from docs/alerts.yml, for a package that is
installed has no docs/; `python -m tests.docs.tables` writes it, and a test compares.
"""

import json
from importlib import resources
from typing import Literal, NamedTuple


class Rule(NamedTuple):
    """One alert. `summary` is Prometheus' template."""

    name: str
    severity: Literal["page", "ticket"]
    summary: str
    expression: str


def rules() -> list[Rule]:
    """Every alert, in the order of docs/alerts.yml."""
    text = (resources.files(__package__) / "rules.json").read_text("utf-8")
    return [Rule(**rule) for rule in json.loads(text)]
