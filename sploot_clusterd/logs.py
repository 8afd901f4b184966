"""Logging: one JSON object a line for machines, text for people at a terminal. Both carry a record's `data` fields.

log.info("batch applied", extra={"data": {"pet_id": pet_id, "jobs": 3}})
"""

import json
import logging
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext, suppress
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, Literal, TextIO

import msgspec

from sploot_clusterd.timestamps import timestamp

_HANDLER: Final = "clusterd"
_ESCAPES: Final = {code: f"\\x{code:02x}" for code in (*range(0x20), 0x7F)}
_encode_simple: Final = msgspec.json.Encoder().encode
_encode: Final = json.JSONEncoder(default=str, allow_nan=False).encode
_SIMPLE: Final = frozenset({str, int, float, type(None)})
"""What msgspec writes as json would, at a tenth of the cost; but NaN and infinity, which are not JSON, as null."""
_PLAIN: Final = (bool, int, float, type(None))


def setup(level: str, log_format: Literal["json", "text"] | None = None, service: str = "") -> None:
    """Send everything of `level` and above to stderr; called again it replaces what it set up before.

    `log_format` None is text where stderr is a terminal, else JSON. `service` is added to every JSON line.
    """
    # Nothing of ours shows them, and to look them up was a third of what making a record took.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    log_format = log_format or ("text" if sys.stderr.isatty() else "json")
    handler = _Handler(sys.stderr, TextFormatter() if log_format == "text" else JsonFormatter(service))
    root = logging.getLogger()
    for before in [old for old in root.handlers if old.get_name() == _HANDLER]:
        root.removeHandler(before)
    root.addHandler(handler)
    set_level(level)


def set_level(level: str) -> None:
    """Change what is logged while running."""
    logging.getLogger().setLevel(level)


def info_each(log: logging.Logger, lines: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
    """`log.info(message, extra={"data": data})` for each of the lines, in one write: for a line a job. It does not look
    who called, and makes records for handlers of others alone, which takes as long as all else.
    """
    if not log.isEnabledFor(logging.INFO):
        return
    now = time.time()
    for handler in _handlers(log):
        if isinstance(handler, _Handler):
            handler.write(now, log.name, lines)
        elif handler.level <= logging.INFO:
            for message, data in lines:
                handler.handle(log.makeRecord(log.name, logging.INFO, "", 0, message, (), None, extra={"data": data}))


def _handlers(log: logging.Logger) -> Iterator[logging.Handler]:
    """Those that get the lines of a log."""
    each: logging.Logger | None = log
    while each:
        yield from each.handlers
        each = each.parent if each.propagate else None


class _Handler(logging.StreamHandler[TextIO]):
    """Ours, of which there is one."""

    def __init__(self, stream: TextIO, formatter: "JsonFormatter | TextFormatter") -> None:
        super().__init__(stream)
        self.set_name(_HANDLER)
        self.setFormatter(formatter)
        self._line = formatter.line

    def write(self, at: float, name: str, lines: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
        """Lines of the level INFO of the log of that name, in one go."""
        text = "".join([self._line(at, "INFO", name, message, data) + self.terminator for message, data in lines])
        with self.lock or nullcontext(), suppress(OSError, ValueError):  # nobody is there to be told
            self.stream.write(text)
            self.flush()


class JsonFormatter(logging.Formatter):
    """time (UTC), level, logger, message, the record's data, and the exception as one text `error`."""

    def __init__(self, service: str = "") -> None:
        super().__init__()
        self._service = service
        self._ours = {"time", "level", "logger", "message", *(["service"] if service else ())}

    def format(self, record: logging.LogRecord) -> str:
        data = _data(record)
        if error := _error(self, record):
            data = {"error": error, **data} | {"error": error}
        return self.line(record.created, record.levelname, record.name, record.getMessage(), data)

    def line(self, created: float, level: str, name: str, message: str, data: Mapping[str, Any]) -> str:
        """Of a record without an exception; `created` in seconds since the epoch."""
        at = timestamp(int(created * 1000))
        if not self._ours.isdisjoint(data):
            data = {name: value for name, value in data.items() if name not in self._ours}
        what = level, self._service, name, message
        try:
            if _SIMPLE.issuperset(map(type, data.values())):
                return f'{{"time": "{at}", {_head(*what)}{", " if data else ""}{_simple(data)[1:]}'
        except UnicodeError:
            pass  # whatever stderr's encoding is, other characters are to be escaped
        line = {"time": at, **_named(*what), **data}
        try:
            return _encode(line)
        except ValueError:  # NaN and infinity are not JSON, and whoever reads the log would refuse the line
            return json.dumps({key: value if type(value) is int else str(value) for key, value in line.items()})


class TextFormatter(logging.Formatter):
    """`12:34:56.789 INFO    consumer: batch applied  pet_id=pet_1 jobs=3`, and the exception below."""

    def format(self, record: logging.LogRecord) -> str:
        line = self.line(record.created, record.levelname, record.name, record.getMessage(), _data(record))
        error = _error(self, record)
        return f"{line}\n{error}" if error else line

    def line(self, created: float, level: str, name: str, message: str, data: Mapping[str, Any]) -> str:
        """Of a record without an exception; `created` in seconds since the epoch."""
        at = datetime.fromtimestamp(created, UTC).astimezone().isoformat(timespec="milliseconds")[11:23]
        name = name.removeprefix("sploot_clusterd.")
        told = "".join(f" {key}={_value(value)}" for key, value in data.items())
        # A line break from outside must not look like a line of ours.
        return f"{at} {level:<7} {name}: {message}{' ' if told else ''}{told}".translate(_ESCAPES)


def _named(level: str, service: str, name: str, message: str) -> dict[str, str]:
    static = {"service": service} if service else {}
    return {"level": level, **static, "logger": name, "message": message}


@lru_cache(maxsize=32)
def _head(level: str, service: str, name: str, message: str) -> str:
    """Most lines are alike but for their data. Raises UnicodeError as `_simple`."""
    return _simple(_named(level, service, name, message))[1:-1]


def _simple(values: Mapping[str, Any]) -> str:
    """Blanks as json sets them. Raises UnicodeError for what is not ASCII."""
    return msgspec.json.format(_encode_simple(values), indent=0).decode("ascii")


def _data(record: logging.LogRecord) -> Mapping[str, Any]:
    data = getattr(record, "data", None)
    return data if type(data) is dict or isinstance(data, Mapping) else {}


def _error(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    if not (record.exc_info or record.stack_info):
        return ""
    error = formatter.formatException(record.exc_info) if record.exc_info and record.exc_info[0] else ""
    stack = formatter.formatStack(record.stack_info) if record.stack_info else ""
    return "\n".join(filter(None, (error, stack)))


def _value(value: object) -> str:
    return str(value) if isinstance(value, _PLAIN) or (isinstance(value, str) and value.isalnum()) else repr(value)
