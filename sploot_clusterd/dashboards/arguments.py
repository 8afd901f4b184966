"""The arguments of `clusterd dashboards`."""

import argparse
from typing import Final

from sploot_clusterd.subcommands import adder

ABOUT: Final = "publish the dashboard to Grafana"
EXAMPLES: Final = """example:
  GRAFANA_URL=https://grafana.internal GRAFANA_API_TOKEN=glsa_... clusterd dashboards deploy --dry-run
"""
_DEPLOY_EXAMPLES: Final = """environment:
  GRAFANA_URL         where Grafana is
  GRAFANA_API_TOKEN   of a service account that may write dashboards (role Editor)

examples:
  clusterd dashboards deploy --dry-run      whether it is there already, as it is here
  clusterd dashboards deploy --runbooks https://wiki.internal/clusterd/operations
"""


def add_arguments(parser: argparse.ArgumentParser, shared: argparse.ArgumentParser) -> None:
    """`shared` are the options of every command."""
    action = adder(parser, shared, "action", required=True)
    deploy = action("deploy", "make Grafana's dashboard what this version's is", _DEPLOY_EXAMPLES)
    deploy.add_argument("--dry-run", action="store_true", help="say what would be done, and change nothing")
    deploy.add_argument(
        "--runbooks",
        metavar="URL",
        help="where docs/operations.md can be read, for the links to it (default: as the dashboard there has it)",
    )
