"""What tests share by name has a home: `tests.support`, or a module of the room; never a conftest or another test. And
a name is given once in a file: the second of two functions hides the first.
"""

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parent


def homeless(path: Path) -> Iterator[str]:
    """The imports of a file that are relative, by a name without `tests`, or lead to a conftest or a test file."""
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
        last = {name.rpartition(".")[2] for name in modules if name.startswith("tests.")}
        beside = any((path.parent / f"{name}.py").exists() for name in modules)
        if beside or any(name == "conftest" or name.startswith("test_") for name in last):
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
        "from pet import job",
    ],
)
def test_the_guard_sees_every_such_import(tmp_path: Path, line: str):
    path = tmp_path / "test_sample.py"
    (tmp_path / "conftest.py").touch()
    (tmp_path / "pet.py").touch()
    path.write_text(f"import tests.support.api\nfrom aiohttp.test_utils import make_mocked_request\n{line}\n")
    assert list(homeless(path)) == [line]


def given_twice(path: Path) -> list[str]:
    """The functions and classes of a module, or of a class in it, that are defined again under the same name."""
    tree = ast.parse(path.read_text())
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    twice: list[str] = []
    for scope in [tree, *(node for node in tree.body if isinstance(node, ast.ClassDef))]:
        names = Counter(each.name for each in scope.body if isinstance(each, kinds) and not each.decorator_list)
        twice += [name for name, count in names.items() if count > 1]
    return twice


def test_no_name_is_given_twice_in_a_file():
    files = [*TESTS.rglob("*.py"), *(TESTS.parent / "sploot_clusterd").rglob("*.py")]
    assert {str(path.relative_to(TESTS.parent)): bad for path in files if (bad := given_twice(path))} == {}


def test_the_guard_sees_what_is_hidden(tmp_path: Path):
    (tmp_path / "sample.py").write_text(
        "def one(): ...\nclass Two:\n  def x(self): ...\n  def x(self): ...\ndef one(): ...\n"
    )
    assert given_twice(tmp_path / "sample.py") == ["one", "x"]
