"""The pages hold together, and name everything that there is: nobody can look up what is not there."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
import yaml

import sploot_clusterd
from sploot_clusterd import view
from sploot_clusterd.config import Settings
from sploot_clusterd.config.schema import SCHEMA, TABLES, environment_names, value_of
from sploot_clusterd.engine import Params
from sploot_clusterd.errors import Reason, StoreUnavailableError
from sploot_clusterd.keys import Keys
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.store.reasons import CLUSTER_MEANINGS, MEANINGS
from sploot_clusterd.store.server import findings
from tests.docs import tables
from tests.docs.pages import PAGES, ROOT, anchors, links, table_rows
from tests.faults.plans import PLANS

PACKAGE = Path(sploot_clusterd.__file__).parent
OPERATIONS = ROOT / "docs/operations.md"
ARCHITECTURE = ROOT / "docs/architecture.md"
PRODUCERS = ROOT / "docs/producers.md"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    inner = [link for link in links(page) if not link.startswith("https://")]
    assert inner or page.name == "changelog.md"
    for link in inner:
        file, _, anchor = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_the_readme_leads_to_every_page():
    linked = {(ROOT / link).resolve() for link in links(ROOT / "README.md") if "://" not in link}
    assert set(PAGES) - {ROOT / "README.md"} <= linked


@pytest.mark.parametrize("name", tables.TABLES)
def test_tables_are_what_the_code_says(name):
    file, table = tables.TABLES[name]
    page = file.read_text()
    assert tables.replaced(page, name, table()) == page, "run: python -m tests.docs.tables"


@pytest.mark.parametrize("file", tables.FILES, ids=lambda file: file.name)
def test_files_are_what_they_follow_from(file):
    assert file.read_text() == tables.FILES[file](), "run: python -m tests.docs.tables"


def test_the_table_of_settings_has_every_setting():
    assert tables.settings().count("\n| `") == len(SCHEMA)


def test_the_table_of_metrics_has_every_metric():
    counted = {f"{family.name}{'_total' * (family.type == 'counter')}" for family in Metrics().registry.collect()}
    assert set(tables.declared_metrics()) == counted


def test_every_label_of_a_metric_is_explained():
    explained = {re.findall(r"`(\w+)`", cells[0])[0] for cells in table_rows(OPERATIONS, "Metrics")}
    labels = {label for metric in tables.declared_metrics().values() for label in metric.labels}
    assert labels - explained == {"status", "version"}


def test_every_reason_for_a_dead_letter_is_explained():
    explained = {cells[0].strip("`") for cells in table_rows(OPERATIONS, "Dead letters")}
    assert set(get_args(Reason)) <= explained


def test_how_many_corrected_clusters_are_kept_is_as_told():
    most = Params().max_cells // 2
    assert f"up to {most} corrected clusters" in (ROOT / "docs/corrections.md").read_text()
    assert f"as a space may have cells: {most}." in (ROOT / "docs/clustering.md").read_text()


def test_every_field_of_a_dead_letter_is_explained():
    explained = {field for cells in table_rows(OPERATIONS, "Dead letters") for field in re.findall(r"\w+", cells[0])}
    written = re.findall(r'\*\("(\w+)"', (PACKAGE / "store/outcomes.py").read_text())
    assert len(written) == 9
    assert set(written) <= explained


def test_every_alert_says_what_to_do():
    groups = yaml.safe_load((ROOT / "docs/alerts.yml").read_text())["groups"]
    alerts = {rule["alert"]: rule["labels"]["severity"] for group in groups for rule in group["rules"]}
    page = OPERATIONS.read_text()
    told = dict(re.findall(r"^### (Clusterd\w+)\n\n(Page|Ticket)\. ", page, re.MULTILINE))
    assert {name: severity.lower() for name, severity in told.items()} == alerts


def texts_of(*callees: str) -> Iterator[str]:
    """The longest constant part of the texts that calls to these are given as their last argument."""
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            constants = [
                part.value
                for part in ast.walk(node.args[-1])
                if isinstance(part, ast.Constant) and isinstance(part.value, str)
            ]
            if name in callees and constants:
                yield max(constants, key=len).strip(" ;:")


def texts_of_findings() -> set[str]:
    """What is held against a server with everything wrong, each once."""
    bad = {"redis_version": "7.0.0", "maxmemory_policy": "volatile-lru", "aof_enabled": 0}
    found = {finding.text for info in (bad, {"maxmemory_policy": "allkeys-lru"}) for finding in findings(info)}
    found |= {finding.text for finding in findings({"cluster_enabled": 1})}
    return found | {finding.text for finding in findings({"redis_version": "7.2.0"}, in_cluster=True)}


def first_words(text: str, count: int) -> str:
    return " ".join(text.split()[:count])


def test_every_reason_to_be_unready_is_explained():
    # An error's detail becomes a reason; that of a missing group is told by /internal/health/redis only.
    reasons = {*texts_of("set_fault"), *texts_of("StoreUnavailableError", "StoreRefusesError")}
    reasons |= {
        meaning.reason for meaning in (*MEANINGS, *CLUSTER_MEANINGS) if issubclass(meaning.error, StoreUnavailableError)
    }
    reasons -= {"is a consumer running?", "{}"}
    explained = " ".join(cells[0] for cells in table_rows(OPERATIONS, "Readiness reasons"))
    assert len(reasons) >= 6
    assert [reason for reason in reasons if first_words(reason, 3) not in explained] == []
    assert "no completed pass for" in explained


def test_every_warning_is_explained():
    warnings = {*texts_of("set_warning"), *texts_of_findings()}
    explained = " ".join(cells[0] for cells in table_rows(OPERATIONS, "Readiness reasons"))
    assert len(warnings) >= 6
    assert [warning for warning in warnings if first_words(warning, 3) not in explained] == []


def test_every_script_is_explained():
    scripts = {file.stem for file in (PACKAGE / "store/lua").glob("[!_]*.lua")}
    assert {cells[0].strip("`") for cells in table_rows(ARCHITECTURE, "Scripts")} == scripts


def test_every_key_is_explained():
    defaults = Settings()
    keys = Keys(defaults.clusters.namespace, defaults.stream.key, defaults.stream.dead_letter)
    names = {value for name, value in vars(keys).items() if not name.startswith("_")}
    names |= {*keys.pet("{pet_id}"), keys.profile("{model_version}"), *keys.sample("{model_version}")}
    assert {cells[0].strip("`") for cells in table_rows(ARCHITECTURE, "Keys")} == names


def test_every_module_has_its_room():
    rooms = re.search(r"## Rooms\n\n```text\n(.*?)```", ARCHITECTURE.read_text(), re.DOTALL)[1]
    words = set(re.findall(r"[\w]+", rooms))
    modules = {file.stem for file in PACKAGE.glob("*.py")} | {file.name for file in PACKAGE.iterdir() if file.is_dir()}
    assert modules - {"__init__", "__main__", "__pycache__"} <= words


def test_the_limits_are_the_defaults():
    limits = {cells[2].strip("`"): cells[1] for cells in table_rows(PRODUCERS, "Limits")}
    for key, text in limits.items():
        number = int(re.findall(r"[\d,]+", text)[-1].replace(",", ""))
        default = value_of(Settings(), key)
        assert default == number * (2**20 if "MiB" in text else 1), key


def test_every_status_is_explained():
    given = {404}  # a missing view
    for file in (PACKAGE / "web").glob("*.py"):
        given |= {int(status) for status in re.findall(r"RefusedError\((\d{3})", file.read_text())}
    explained = {
        cells[0]
        for page, section in (
            (PRODUCERS, "Answers"),
            (ROOT / "docs/readers.md", "When there is no view"),
            (ROOT / "docs/corrections.md", "Sending them"),
            (ROOT / "docs/feed.md", "Over HTTP"),
        )
        for cells in table_rows(page, section)
    }
    assert len(given) >= 10
    assert {str(status) for status in given} <= explained


def test_every_experiment_is_explained():
    page = ROOT / "docs/reliability.md"
    assert [cells[0] for cells in table_rows(page, "The experiments")] == [plan.name for plan in PLANS]
    shown = [cells[0] for cells in table_rows(page, "What they counted")]
    assert set(shown) <= {plan.name for plan in PLANS}, "one failed, or is there no more"


VIEW_METRICS = {f"metrics.{field}" for field in view.ViewMetrics.__struct_fields__}


def test_every_field_of_the_view_is_explained():
    fields = {*view.View.__struct_fields__} - {"metrics"} | VIEW_METRICS
    fields |= {*view.Cluster.__struct_fields__, *view.Member.__struct_fields__}
    explained = {name for cells in table_rows(ROOT / "docs/readers.md", "The view") for name in cells[0].split("`")}
    assert fields <= explained


def in_code(page: Path) -> str:
    return " ".join(re.findall(r"`([^`\n]+)`", page.read_text()))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_the_prose_names_exists(page):
    text = in_code(page)
    sections = "|".join(sorted({key.partition(".")[0] for key in SCHEMA}))
    settings = set(re.findall(rf"(?<![\w./-])(?:{sections})\.[a-z_]+(?:\.[a-z_]+)?(?![\w.(])", text))
    assert {name for name in settings if not name.endswith(".py")} <= {*SCHEMA, *TABLES, *VIEW_METRICS}
    variables = set(re.findall(r"\b(?:CLUSTERD?|HTTP|REDIS|WORKER|INTERNAL)_[A-Z_]+\b", text))
    others = {"CLUSTERD_CONFIG", "CLUSTER_CONSUMER", "CLUSTERD_TEST_POSTGRES"}
    assert variables <= {*others, *(n for key in SCHEMA for n in environment_names(key))}
    metrics = set(re.findall(r"\bmedia_cluster_\w+", text))
    assert metrics <= set(tables.declared_metrics())


@pytest.mark.parametrize("file", [*PAGES, *(ROOT / "docs").glob("*.yml")], ids=lambda file: file.name)
def test_every_metric_that_is_named_anywhere_exists(file):
    named = set(re.findall(r"\bmedia_cluster_\w+", file.read_text()))
    suffixes = {"histogram": ("", "_bucket", "_sum", "_count")}
    metrics = tables.declared_metrics()
    assert named <= {name + suffix for name, metric in metrics.items() for suffix in suffixes.get(metric.kind, ("",))}


def test_numbers_of_the_prose_are_those_of_the_code():
    page = OPERATIONS.read_text()
    defaults = Settings()
    assert f"`stream.maxlen` ({defaults.stream.maxlen:,})" in page
    assert f"`albums.cache_bytes` ({defaults.albums.cache_bytes // 2**20} MiB)" in page
    assert f"http://HOST:{defaults.metrics.port}/metrics" in page
