"""What tests share by name has a home: `tests.support`, or a module of the room; never a conftest or another test."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parent


def homeless(path: Path) -> Iterator[str]:
    """The imports of a file that are relative, or lead to a conftest or a test file."""
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.ImportFrom(level=0, module=str(module), names=names):
                modules = [module, *(f"{module}.{alias.name}" for alias in names)]
            case ast.ImportFrom():
                yield ast.unparse(node)
                continue
            case ast.Import(names=names):
                modules = [alias.name for alias in names]
            case _:
                continue
        last = {name.rpartition(".")[2] for name in modules if name.startswith("tests.") or name == "conftest"}
        if any(name == "conftest" or name.startswith("test_") for name in last):
            yield ast.unparse(node)


def test_no_test_imports_from_a_conftest_or_another_test():
    wrong = {str(path.relative_to(TESTS)): bad for path in TESTS.rglob("*.py") if (bad := list(homeless(path)))}
    assert wrong == {}


@pytest.mark.parametrize(
    "line",
    [
        "import conftest",
        "import tests.conftest",
        "from tests.web.conftest import serve",
        "from tests.web import conftest",
        "from tests.engine.test_laws import histories",
        "from .pet import job",
        "from . import pet",
    ],
)
def test_the_guard_sees_every_such_import(tmp_path: Path, line: str):
    path = tmp_path / "test_sample.py"
    path.write_text(f"import tests.support.api\nfrom aiohttp.test_utils import make_mocked_request\n{line}\n")
    assert list(homeless(path)) == [line]
