"""Output that never waits: what is kept, what is dropped, and that it is told."""

import json
import logging
import os
import termios
import time

import pytest

from sploot_clusterd import logs, output
from sploot_clusterd.output import Unblocked
from tests.support.waiting import wait_until

LINE = "x" * 1023 + "\n"


@pytest.fixture
def pipe():
    """The ends of a pipe; the stream's thread may still hold the one for writing."""
    reading, writing = os.pipe()
    yield reading, writing
    os.close(reading)


@pytest.fixture
def told():
    """The texts of what is logged."""
    handler = logging.Handler()
    texts: list[str] = []
    handler.emit = lambda record: texts.append(record.getMessage())  # type: ignore[method-assign]
    output.log.addHandler(handler)
    yield texts
    output.log.removeHandler(handler)


def read_until(reading: int, done) -> bytes:
    text = b""
    while not done(text):
        text += os.read(reading, 2**20)
    return text


def test_lines_come_in_their_order(pipe):
    reading, writing = pipe
    stream = Unblocked(writing, "test", "utf-8")
    for number in range(5000):
        print(number, file=stream)
    text = read_until(reading, lambda text: text.endswith(b"4999\n"))
    assert text == b"".join(b"%d\n" % number for number in range(5000))


def test_an_unfinished_line_goes_out_when_it_is_flushed_or_finished(pipe):
    reading, writing = pipe
    stream = Unblocked(writing, "test", "ascii")
    stream.write("Grüße, ")
    stream.drain(5)
    assert os.read(reading, 99) == b"Gr\\xfc\\xdfe, "
    stream.write("a")
    stream.write("b\nc")
    assert read_until(reading, lambda text: text.endswith(b"\n")) == b"ab\n"


def test_a_reader_who_stalls_holds_up_nobody_and_is_told_what_he_missed(pipe, told):
    reading, writing = pipe
    stream, counted = Unblocked(writing, "test", "utf-8"), []
    stream.write(LINE * 64)  # as much as the pipe takes
    for _ in range(3000):
        stream.write(LINE)
    stream.count_dropped(counted.append)
    stream.write(LINE)
    dropped = sum(counted)
    assert 1900 < dropped < 2100
    assert told == []
    kept = len(LINE) * (64 + 3001 - dropped)
    assert len(read_until(reading, lambda text: len(text) >= kept)) == kept
    wait_until(lambda: told, what="what was dropped")
    stream.write("after\n")
    assert os.read(reading, 99) == b"after\n"
    assert told == [f"{dropped} lines were dropped"]


def test_what_cannot_be_written_is_dropped_and_told_when_it_can_be_again(told):
    full = os.open("/dev/full", os.O_WRONLY)
    stream, counted = Unblocked(full, "test", "utf-8"), []
    stream.count_dropped(counted.append)
    stream.write(LINE * 3)
    stream.drain(5)
    assert (sum(counted), told) == (3, [])
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, full)
    os.close(null)
    stream.write(LINE)
    wait_until(lambda: told, what="what was dropped")
    assert told == ["3 lines were dropped"]


def test_a_descriptor_that_somebody_else_made_non_blocking_is_waited_for(pipe, told):
    reading, writing = pipe
    os.set_blocking(writing, False)
    stream = Unblocked(writing, "test", "utf-8")
    stream.write(LINE * 500)
    assert len(read_until(reading, lambda text: len(text) == len(LINE) * 500)) == len(LINE) * 500
    assert told == []


def test_a_drain_has_an_end(pipe):
    _, writing = pipe
    stream = Unblocked(writing, "test", "utf-8")
    stream.write(LINE * 200)
    began = time.monotonic()
    stream.drain(0.1)
    assert time.monotonic() - began < 5


def test_log_lines_are_whole_and_a_terminal_is_one(monkeypatch):
    controller, terminal = os.openpty()
    settings = termios.tcgetattr(terminal)
    settings[1] &= ~termios.OPOST
    termios.tcsetattr(terminal, termios.TCSANOW, settings)
    stream = Unblocked(terminal, "test", "utf-8")
    assert stream.isatty()
    monkeypatch.setattr("sys.stderr", stream)
    root = logging.getLogger()
    level = root.level
    try:
        logs.setup("INFO", "json")
        logs.info_each(logging.getLogger("a"), [("one", {}), ("two", {})])
        logging.getLogger("a").info("three")
    finally:
        root.setLevel(level)
        root.handlers[:] = [handler for handler in root.handlers if handler.get_name() != "clusterd"]
    text = read_until(controller, lambda text: text.count(b"\n") == 3)
    os.close(controller)
    assert [json.loads(line)["message"] for line in text.splitlines()] == ["one", "two", "three"]
