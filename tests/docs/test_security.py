"""docs/security.md, held against the routes, the settings and the store."""

import re

from sploot_clusterd.config import SCOPES
from sploot_clusterd.config.schema import SCHEMA
from sploot_clusterd.ui.page import ROUTES as OF_PAGE
from sploot_clusterd.web.routes import ROUTES as CONTRACT
from tests.docs.pages import PAGES, ROOT, table_rows

ROUTES = (*CONTRACT, *OF_PAGE)
PAGE = ROOT / "docs/security.md"


def in_first_cells(under: str) -> list[str]:
    return [name for cells in table_rows(PAGE, under) for name in re.findall(r"`([^`]+)`", cells[0])]


def test_every_secret_setting_is_there():
    secret = {key for key, setting in SCHEMA.items() if setting.secret}
    assert secret == {name for name in in_first_cells("What each secret opens") if name in SCHEMA}


def test_every_path_without_a_token_is_there():
    named = {name for name in in_first_cells("Who reaches what") if name.startswith("/")}
    assert named == {"/internal/...", *(route.path for route in ROUTES if not route.guarded)}


def test_each_scope_has_its_routes():
    named = {cells[0].strip("`"): re.findall(r"(\w+) `(/[^`]+)`", cells[1]) for cells in table_rows(PAGE, "Scopes")}
    assert named == {
        scope: [(route.method, route.path) for route in ROUTES if route.scope == scope] for scope in SCOPES
    }


def test_nobody_is_told_to_install_a_package_of_our_name_that_somebody_else_could_publish():
    sources = [*(ROOT / "sploot_clusterd").rglob("*.py"), *PAGES, *(ROOT / "systemd").iterdir(), ROOT / "Dockerfile"]
    told = re.compile(r"pip install (?!\S*dist/)[^.\n]*sploot|sploot-clusterd\[")
    assert {str(file) for file in sources if told.search(file.read_text())} == set()
