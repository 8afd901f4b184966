"""The site, built once for all of its tests."""

from pathlib import Path

import pytest

from docs.site.__main__ import build

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """It takes a quarter of a minute to build, and packages that the README's command does not install."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.system)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of the built site. Warnings of the generator fail the build."""
    return build(tmp_path_factory.mktemp("manual") / "built")
