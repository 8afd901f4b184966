"""Log lines: JSON for machines, text for people, and nothing that a stranger's text can forge."""

import json
import logging
import sys

import pytest

from sploot_clusterd import logs
from sploot_clusterd.config import Secret

log = logging.getLogger("sploot_clusterd.ingest.consumer")


@pytest.fixture(autouse=True)
def restored():
    root = logging.getLogger()
    level = root.level
    yield
    root.setLevel(level)
    for handler in [handler for handler in root.handlers if handler.get_name() == "clusterd"]:
        root.removeHandler(handler)


def lines_of(capsys) -> list[dict]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_json_lines(capsys):
    logs.setup("INFO", "json", "clusterd-test")
    log.info("batch of %d applied", 3, extra={"data": {"pet_id": "pet_1", "seconds": 0.5, "ids": ["a"]}})
    (line,) = lines_of(capsys)
    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "INFO",
        "logger": "sploot_clusterd.ingest.consumer",
        "message": "batch of 3 applied",
        "service": "clusterd-test",
        "pet_id": "pet_1",
        "seconds": 0.5,
        "ids": ["a"],
    }


def test_a_line_a_job_is_the_line_that_the_library_makes(capsys):
    logs.setup("INFO", "json", "clusterd-test")
    data = {"pet_id": "pet_1", "trace": None, "latency_ms": 0.125, "attempt": 1}
    log.info("job done", extra={"data": data})
    logs.info_each(log, [("job done", data)])
    logs.set_level("WARNING")
    logs.info_each(log, [("job done", data)])
    texts = capsys.readouterr().err.splitlines()
    first, second = map(json.loads, texts)
    assert [json.dumps(first), json.dumps(second)] == texts
    assert first.pop("time") <= second.pop("time")
    assert first == second


def test_what_is_not_ascii_is_escaped(capsys):
    logs.setup("INFO", "json")
    log.info("odd", extra={"data": {"name": "Bär"}})
    text = capsys.readouterr().err
    assert text.isascii()
    assert json.loads(text)["name"] == "Bär"


def test_an_exception_is_one_field_on_one_line(capsys):
    logs.setup("INFO", "json")
    try:
        int("broken\nin two")
    except ValueError:
        log.exception("commit failed", extra={"data": {"error": "ours loses", "message": "this too"}})
    (line,) = lines_of(capsys)
    assert line["error"].startswith("Traceback")
    assert line["error"].endswith("'broken\\nin two'")
    assert line["message"] == "commit failed"


@pytest.mark.parametrize("message", ["odd", "Bär"])
@pytest.mark.parametrize("value", ["a", 1e16, "Bär", [1]])
def test_ours_come_first_and_win_whatever_the_data_is(message, value, capsys):
    logs.setup("INFO", "json", "clusterd-test")
    log.info(message, extra={"data": {"pet_id": value, "service": [], "message": "theirs", "error": "e"}})
    text = capsys.readouterr().err
    line = json.loads(text)
    assert [*line] == ["time", "level", "service", "logger", "message", "pet_id", "error"]
    assert (line["service"], line["message"]) == ("clusterd-test", message)
    assert (line["pet_id"], line["error"]) == (value, "e")
    assert text.isascii()


def test_handlers_of_others_get_records_of_lines_that_go_together(caplog):
    caplog.set_level(logging.INFO)
    log.info("job done", extra={"data": {"attempt": 1}})
    logs.info_each(log, [("job done", {"attempt": attempt}) for attempt in (2, 3)])
    first, second, third = caplog.records
    assert vars(first).keys() == vars(second).keys() == vars(third).keys()
    assert first.created <= second.created <= third.created
    assert [vars(each)["data"] for each in caplog.records] == [{"attempt": attempt} for attempt in (1, 2, 3)]


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), Secret("hunter2"), b"\xff", "\ud800", {"a": float("nan")}]
)
def test_whatever_the_data_the_line_is_json(value, capsys):
    logs.setup("INFO", "json")
    log.info("odd", extra={"data": {"value": value, "count": 1}})
    text = capsys.readouterr().err
    line = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert line["count"] == 1
    assert "hunter2" not in text


def test_data_that_is_no_mapping_is_left_out(capsys):
    logs.setup("INFO", "json")
    log.info("other library", extra={"data": b"\x00"})
    assert lines_of(capsys)[0]["message"] == "other library"


def test_text(capsys):
    logs.setup("INFO", "text")
    log.warning("slow batch", extra={"data": {"pet_id": "pet_1", "seconds": 0.5, "note": "two words"}})
    text = capsys.readouterr().err
    assert text[2] == text[5] == ":"
    assert text[12:] == " WARNING ingest.consumer: slow batch  pet_id='pet_1' seconds=0.5 note='two words'\n"


def test_text_shows_the_exception_below(capsys):
    logs.setup("INFO", "text")
    try:
        int("broken")
    except ValueError:
        log.exception("commit failed")
    assert capsys.readouterr().err.splitlines()[-1].startswith("ValueError: ")


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_no_line_can_be_forged(log_format, capsys):
    logs.setup("INFO", log_format)
    log.info("pet a\n12:00:00.000 ERROR forged\x1b[31m", extra={"data": {"pet_id": "b\nforged\r"}})
    text = capsys.readouterr().err
    assert text.count("\n") == 1
    assert "\x1b" not in text


def test_text_on_a_terminal_else_json(monkeypatch, capsys):
    logs.setup("INFO")
    log.info("to a file")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    logs.setup("INFO")
    log.info("to a person")
    first, second = capsys.readouterr().err.splitlines()
    assert json.loads(first)["message"] == "to a file"
    assert second.endswith("to a person")


def test_the_level_can_change_and_setting_up_twice_does_not_double(capsys):
    logs.setup("WARNING", "json")
    logs.setup("WARNING", "json")
    log.info("hidden")
    log.warning("shown")
    logs.set_level("DEBUG")
    log.debug("shown now")
    assert [line["message"] for line in lines_of(capsys)] == ["shown", "shown now"]


def test_handlers_of_others_stay(capsys):
    other = logging.NullHandler()
    logging.getLogger().addHandler(other)
    try:
        logs.setup("INFO", "json")
        assert other in logging.getLogger().handlers
    finally:
        logging.getLogger().removeHandler(other)
    assert capsys.readouterr().err == ""


def test_lines_that_go_together_are_one_write_in_their_order(monkeypatch):
    written = []
    monkeypatch.setattr(sys, "stderr", Pipe(written))
    logs.setup("INFO", "json")
    logs.info_each(log, [("job done", {"number": number}) for number in range(3)])
    log.info("after")
    assert [[json.loads(line)["message"] for line in text.splitlines()] for text in written] == [
        ["job done"] * 3,
        ["after"],
    ]


def test_a_pipe_that_nobody_reads_does_not_fail_the_work(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Pipe(None))
    logs.setup("INFO", "json")
    logs.info_each(log, [("job done", {})])


class Pipe:
    """Keeps each write, or breaks."""

    def __init__(self, written: list[str] | None) -> None:
        self._written = written

    def write(self, text: str) -> None:
        if self._written is None:
            raise BrokenPipeError
        self._written.append(text)

    def flush(self) -> None: ...
