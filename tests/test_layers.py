"""Imports point one way. A new module fails here until it has a place."""

import ast
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import sploot_clusterd

PACKAGE = Path(sploot_clusterd.__file__).parent

LAYERS = (
    {"__main__"},
    {"cli"},
    {"quickstart", "demo"},
    {
        "daemon",
        "probe",
        "replay",
        "backfill",
        "arguments",
        "dlq",
        "profile",
        "partitions",
        "embedded",
        "private_redis",
        "evaluate",
        "dashboards",
        "alerts",
    },
    {"ui", "behind", "optional"},
    {
        *("ingest", "web", "insights", "history", "tracing", "fleet", "stream_monitor"),
        *("suggestions", "members", "looking", "following", "reviving", "reviewing", "encoder_words"),
    },
    {"store", "engine"},
    {
        "supervisor",
        "notify",
        "looplag",
        "health",
        "pauses",
        "halt",
        "troubles",
        "inflight",
        "waiting",
        "garbage",
        "child",
        "due",
        "stdio",
        "output",
        "progress",
        "running",
        "terminal",
    },
    {
        "appendonly",
        "json_service",
        "subcommands",
        "completion",
        "config",
        "keys",
        "pet_keys",
        "partitioning",
        "entry_ids",
        "timestamps",
        "model",
        "envelopes",
        "correcting",
        "view",
        "changes",
        "past",
        "snapshot",
        "jobs",
        "found",
        "dead_letters",
        "quality",
        "audit",
        "wire",
        "metrics",
        "histogram",
        "logs",
        "spans",
    },
    {"ownership"},
    {"errors"},
)
"""Highest first. A module imports from its own layer and from those below."""

APART = (
    {
        *("ingest", "web", "insights", "history", "tracing"),
        *("suggestions", "members", "looking", "following", "reviving", "reviewing"),
    },
    {"ingest", "insights", "history", "tracing", "ui"},
    {"store", "engine"},
    {"daemon", "probe"},
)
"""Neighbours that do not know each other."""

IMPURE = {"asyncio", "logging", "os", "random", "redis", "secrets", "socket", "threading", "time"}
"""What the engine knows nothing of; nor does it ask a clock (CLOCK) or draw from numpy's global state."""
CLOCK = {"now", "today", "utcnow"}
SEEDED = {"Generator", "default_rng"}


def sources() -> Iterator[tuple[str, Path]]:
    """(room, file) of every module; a room is a module or package at the top."""
    for path in sorted(PACKAGE.rglob("*.py")):
        inner = path.relative_to(PACKAGE)
        if inner.name != "__init__.py" or len(inner.parts) > 1:
            yield inner.parts[0].removesuffix(".py"), path


def imported(path: Path) -> Iterator[str]:
    """The dotted name of each module that a file imports, lazily or not."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            module = node.module or ""
            # `from sploot_clusterd import config` names a room; `from sploot_clusterd import __version__` does not.
            rooms = [f"{module}.{alias.name}" for alias in node.names if module == PACKAGE.name]
            yield from (name for name in rooms if not name.endswith("__version__"))
            yield from [module] * (not rooms)


def rooms_imported(path: Path) -> set[str]:
    return {name.split(".")[1] for name in imported(path) if name.startswith(f"{PACKAGE.name}.")}


def outside(path: Path) -> set[str]:
    """The top-level packages that a file imports."""
    return {name.split(".")[0] for name in imported(path)}


def layer_of(room: str) -> int:
    return next(number for number, layer in enumerate(LAYERS) if room in layer)


MODULES = list(sources())


def violations(found: Callable[[str, Path], set[str]]) -> dict[str, set[str]]:
    """What `found` finds wrong, by file; files without a fault are left out."""
    return {str(path.relative_to(PACKAGE)): wrong for room, path in MODULES if (wrong := found(room, path))}


def attributes(path: Path) -> Iterator[ast.Attribute]:
    return (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute))


def test_every_module_has_a_place_and_every_place_a_module():
    assert {room for room, _ in MODULES} == set().union(*LAYERS)


def test_imports_point_downwards():
    def upwards(room, path):
        return {other for other in rooms_imported(path) if layer_of(other) < layer_of(room)}

    assert violations(upwards) == {}


def test_neighbours_stay_apart():
    def across(room, path):
        return rooms_imported(path) & set().union(*(pair - {room} for pair in APART if room in pair))

    assert violations(across) == {}


def test_only_the_store_speaks_to_redis():
    def redis(room, path):
        return set() if room == "store" else outside(path) & {"redis", "hiredis"}

    assert violations(redis) == {}


def test_only_history_speaks_sql():
    def sql(room, path):
        return set() if room == "history" else outside(path) & {"sqlalchemy", "alembic", "psycopg", "sqlite3"}

    assert violations(sql) == {}


def test_only_tracing_knows_opentelemetry():
    def traces(room, path):
        return set() if room == "tracing" else outside(path) & {"opentelemetry", "google"}

    assert violations(traces) == {}


def test_the_engine_is_pure():
    def impure(room, path):
        return outside(path) & IMPURE if room == "engine" else set()

    assert violations(impure) == {}


def test_the_engine_asks_no_clock_and_no_global_random_state():
    def hidden_input(room, path):
        if room != "engine":
            return set()
        drawn = {node.attr for node in attributes(path) if getattr(node.value, "attr", None) == "random"}
        return (drawn - SEEDED) | ({node.attr for node in attributes(path)} & CLOCK)

    assert violations(hidden_input) == {}


def test_the_rules_see_every_way_to_import(tmp_path):
    """The test's own reading of imports, on a file that has each form."""
    path = tmp_path / "sample.py"
    path.write_text(
        "import redis.asyncio\n"
        "from sploot_clusterd import __version__, config\n"
        "from sploot_clusterd.store.keys import Keys\n"
        "def later():\n"
        "    import sploot_clusterd.web.app\n"
    )
    assert set(imported(path)) == {
        "redis.asyncio",
        "sploot_clusterd.config",
        "sploot_clusterd.store.keys",
        "sploot_clusterd.web.app",
    }
    assert rooms_imported(path) == {"config", "store", "web"}


def test_a_daemon_that_was_not_asked_to_loads_no_scipy_no_sql_no_client_of_a_cluster_no_page_and_no_tracing():
    """The first takes as much memory and time as all else together."""
    names = (
        "'scipy', 'sqlalchemy', 'sqlite3', 'sploot_clusterd.store.cluster.cluster', 'sploot_clusterd.ui', "
        "'opentelemetry', 'google.protobuf', 'sploot_clusterd.tracing'"
    )
    program = f"import sys; import sploot_clusterd.daemon; print([name for name in ({names}) if name in sys.modules])"
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert told.strip() == "[]"
