"""What was, in SQL: versions, members, jobs and snapshots of every pet. The only room that knows SQL.

It is imported only where `history.url` is set, and needs the extra `history`: ask `require_extra` before anything else.
"""

from importlib.util import find_spec
from typing import Final

from sploot_clusterd.errors import ConfigError

_PACKAGES: Final = {"sqlalchemy": "'sqlalchemy>=2.1,<2.2'", "alembic": "alembic", "psycopg": "'psycopg[binary]'"}
"""Modules, and what brings them."""


def missing() -> list[str]:
    """What history needs and is not installed."""
    return [name for name in _PACKAGES if find_spec(name) is None]


def require_extra() -> None:
    """Raises ConfigError if what history needs is not installed."""
    if names := missing():
        packages = " ".join(_PACKAGES[name] for name in names)
        raise ConfigError(f"history needs {' and '.join(names)}: pip install {packages}")
