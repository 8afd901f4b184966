"""PostgreSQL by psycopg: what each connection is told, so that no query and no network can hold up history for ever."""

from collections.abc import Mapping
from typing import Any, Final

import psycopg
from psycopg import conninfo
from sqlalchemy import Engine, NullPool, QueuePool, create_engine

from sploot_clusterd.errors import ConfigError

_CONNECT_SECONDS: Final = 5
_NETWORK: Final = {"keepalives": 1, "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}
_LOST_MS: Final = 10_000
"""Without an acknowledgement of what was sent for so long, a connection is lost."""
_OF_READERS: Final = {"statement_timeout": 5000, "idle_in_transaction_session_timeout": 10_000}
_OF_WRITER: Final = {"statement_timeout": 30_000, "lock_timeout": 5000, "idle_in_transaction_session_timeout": 60_000}
_BY_INDEXES: Final = {"enable_seqscan": "off", "jit": "off"}
"""What is asked all the time has an index. A plan is kept, and one that was made of small tables would read them whole.
What is asked seldom reads one all the same, as if at great cost, for which it would be compiled first.
"""
_OF_MIGRATOR: Final = {"lock_timeout": 10_000}


def writer(url: str, *, pooler: bool) -> Engine:
    return _engine(url, {**_OF_WRITER, **_BY_INDEXES}, pooler=pooler, poolclass=QueuePool, pool_size=1, max_overflow=0)


def readers(url: str, count: int, patience: float, *, pooler: bool) -> Engine:
    """Of `count` connections; who waits `patience` seconds for one gets TimeoutError. A transaction left open would
    hold vacuum back: there is none.
    """
    pool: Any = {"poolclass": QueuePool, "pool_size": count, "max_overflow": 0, "pool_timeout": patience}
    return _engine(url, _OF_READERS, pooler=pooler, **pool).execution_options(isolation_level="AUTOCOMMIT")


def migrator(url: str) -> Engine:
    return _engine(url, _OF_MIGRATOR, pooler=False, poolclass=NullPool)


def require_understood(url: str) -> None:
    """Raises ConfigError for a URL that libpq cannot read."""
    try:
        conninfo.conninfo_to_dict(url)
    except psycopg.Error as error:
        raise ConfigError(f"history.url: {str(error).strip()}") from None


def _engine(url: str, settings: Mapping[str, int | str], *, pooler: bool, **options: Any) -> Engine:
    """The URL goes to libpq as it is: SQLAlchemy's own are read differently, and Alembic's trip over a %."""
    given = conninfo.conninfo_to_dict(url)
    arguments: dict[str, Any] = {"connect_timeout": _CONNECT_SECONDS, "tcp_user_timeout": _LOST_MS, **_NETWORK, **given}
    if not pooler:  # which would lend what is set to the next one, or refuses it
        ours = " ".join(f"-c {name}={value}" for name, value in settings.items())
        arguments["options"] = f"{ours} {given.get('options', '')}".strip()
    prepare = None if pooler else 5

    def connect() -> Any:
        return psycopg.connect(prepare_threshold=prepare, client_encoding="UTF8", **arguments)

    return create_engine("postgresql+psycopg://", creator=connect, pool_pre_ping=True, **options)
