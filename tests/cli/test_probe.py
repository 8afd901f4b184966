"""`clusterd --check`: what it asks, what it says, and how little it loads."""

import contextlib
import http.server
import json
import os
import socket
import subprocess
import sys
import threading

import pytest

from sploot_clusterd import probe
from sploot_clusterd.cli import main
from sploot_clusterd.config import read
from sploot_clusterd.errors import ConfigError
from tests.support.nodes import free_port

READY = (200, {"status": "ready", "reasons": [], "warnings": []})


@contextlib.contextmanager
def daemon(status: int, answer: object):
    """A server whose every answer is this one; gives its port and the paths that were asked for."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            """Not of interest."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_port, asked
        server.shutdown()
        thread.join()


def test_ready(monkeypatch, capsys):
    with daemon(*READY) as (port, asked):
        monkeypatch.setenv("WORKER_METRICS_PORT", str(port))
        assert main(["--check"]) == 0
    assert asked == ["/readyz"]
    assert capsys.readouterr() == ("ready\n", "")


def test_warnings_are_told_and_do_no_harm(monkeypatch, capsys):
    with daemon(200, {"status": "ready", "reasons": [], "warnings": ["the backlog is full"]}) as (port, _):
        monkeypatch.setenv("WORKER_METRICS_PORT", str(port))
        assert main(["--check"]) == 0
    assert capsys.readouterr() == ("ready\n", "warning: the backlog is full\n")


def test_not_ready_says_why(monkeypatch, capsys):
    with daemon(503, {"status": "not ready", "reasons": ["Redis unreachable", "draining"]}) as (port, _):
        monkeypatch.setenv("WORKER_METRICS_PORT", str(port))
        assert main(["--check"]) == 1
    assert capsys.readouterr() == ("", "not ready: Redis unreachable; draining\n")


@pytest.mark.parametrize("answer", [b"<html>", b"", b"[1]", b"\xff\xfe", b'{"reasons": null}'])
def test_whatever_answers_there(answer, capsys):
    with daemon(500, answer) as (port, _):
        assert main(["--check", "--url", f"http://127.0.0.1:{port}"]) == 1
    assert capsys.readouterr().err == "not ready: status 500\n"


def test_nobody_there(monkeypatch, capsys):
    port = free_port()
    monkeypatch.setenv("WORKER_METRICS_PORT", str(port))
    assert main(["--check"]) == 1
    assert capsys.readouterr().err == f"not ready: http://127.0.0.1:{port}/readyz: [Errno 111] Connection refused\n"


def test_a_daemon_that_does_not_answer(monkeypatch, capsys):
    monkeypatch.setattr(probe, "_PATIENCE", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert main(["--check", "--url", f"http://127.0.0.1:{listener.getsockname()[1]}"]) == 1
    assert "timed out" in capsys.readouterr().err


def test_something_that_is_no_http(capsys):
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def babble() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1024)
                connection.sendall(b"-ERR unknown command\r\n")

        thread = threading.Thread(target=babble)
        thread.start()
        assert main(["--check", "--url", f"http://127.0.0.1:{listener.getsockname()[1]}"]) == 1
        thread.join()
    assert capsys.readouterr().err.startswith("not ready: ")


def test_a_host_that_may_start_no_threads(monkeypatch, capsys):
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert main(["--check"]) == 1
    assert "no thread can be started" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("environ", "url"),
    [
        ({}, "http://127.0.0.1:9105/readyz"),
        ({"WORKER_METRICS_PORT": "9106", "WORKER_METRICS_HOST": "10.1.2.3"}, "http://10.1.2.3:9106/readyz"),
        ({"WORKER_METRICS_HOST": "::"}, "http://[::1]:9105/readyz"),
        ({"WORKER_METRICS_ENABLED": "false"}, "http://127.0.0.1:9007/readyz"),
        ({"WORKER_METRICS_ENABLED": "false", "HTTP_HOST": "0.0.0.0", "HTTP_PORT": "80"}, "http://127.0.0.1:80/readyz"),
    ],
)
def test_where_it_asks(tmp_path, environ, url):
    assert probe.readiness_url(read(environ=environ, directory=tmp_path)) == url


@pytest.mark.parametrize(
    "environ", [{"WORKER_METRICS_PORT": "0"}, {"WORKER_METRICS_ENABLED": "0", "HTTP_ENABLED": "0"}]
)
def test_where_it_cannot_know(tmp_path, environ):
    with pytest.raises(ConfigError):
        probe.readiness_url(read(environ=environ, directory=tmp_path))


@pytest.mark.parametrize(
    ("given", "asked"),
    [("", "/readyz"), ("/", "/readyz"), ("/healthz", "/healthz"), ("/probe/readyz?a=b", "/probe/readyz?a=b")],
)
def test_url_may_name_a_path(given, asked):
    with daemon(*READY) as (port, paths):
        assert main(["--check", "--url", f"http://127.0.0.1:{port}{given}"]) == 0
    assert paths == [asked]


@pytest.mark.parametrize("url", ["localhost:9105", "ftp://h", "http://", "http://h:port", "http://[::1"])
def test_a_url_that_is_none_is_wrong_usage(url, capsys):
    assert main(["--check", "--url", url]) == 2
    assert "expected a URL" in capsys.readouterr().err


def test_a_probe_needs_no_token_where_the_daemon_does(monkeypatch):
    """The probe may run in a shell that does not have the daemon's credentials."""
    monkeypatch.setenv("ENVIRONMENT", "production")
    monkeypatch.setenv("INTERNAL_TOKEN_FILE", "/nowhere/token")
    with daemon(*READY) as (port, _):
        monkeypatch.setenv("WORKER_METRICS_PORT", str(port))
        assert main(["--check"]) == 0


def test_a_wrong_configuration_is_exit_2(monkeypatch, capsys):
    monkeypatch.setenv("WORKER_METRICS_PORT", "many")
    assert main(["--check"]) == 2
    assert capsys.readouterr().err.startswith('clusterd: metrics.port = "many" ($WORKER_METRICS_PORT)')


def test_it_loads_no_more_than_it_needs():
    """What makes a probe slow is what it imports."""
    program = (
        "import sys; from sploot_clusterd.cli import main; code = main(['--check']); "
        "print(code, *sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    with daemon(*READY) as (port, _):
        environ = {**os.environ, "WORKER_METRICS_PORT": str(port)}
        run = [sys.executable, "-c", program]
        told = subprocess.run(run, env=environ, capture_output=True, text=True, check=True).stdout
    ready, result = told.splitlines()
    code, *loaded = result.split()
    assert (ready, code) == ("ready", "0")
    assert not {"numpy", "scipy", "aiohttp", "redis", "msgspec", "uvloop", "asyncio", "logging"} & set(loaded)


def test_the_command_itself():
    with daemon(503, {"reasons": ["draining"]}) as (port, _):
        run = [sys.executable, "-m", "sploot_clusterd", "--check", "--url", f"http://127.0.0.1:{port}"]
        told = subprocess.run(run, capture_output=True, text=True, check=False)
    assert (told.returncode, told.stderr) == (1, "not ready: draining\n")
