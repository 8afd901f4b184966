"""The client: certificates, connections, and where the token goes."""

import logging
import ssl
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
import trustme
from aiohttp import web

from sploot_clusterd.config import Secret
from sploot_clusterd.errors import ConfigError
from sploot_clusterd.insights.source import BadAnswerError, SourceError, SourceUnavailableError
from tests.insights.bad_answers import BAD, IMAGE, MOST_BYTES, http, insight
from tests.insights.raw_server import Raw, answering
from tests.insights.settings import settings_for
from tests.insights.storage_service import Faults

MARKED = "s3cr3t-of-the-storage-service"


class Seen:
    """A server that answers each request with an insight, and remembers it."""

    def __init__(self) -> None:
        self.requests: list[web.BaseRequest] = []
        self.connections: set[object] = set()
        self.headers: dict[str, str] = {}

    async def answer(self, request: web.BaseRequest) -> web.Response:
        self.requests.append(request)
        self.connections.add(request.transport)
        return web.Response(body=insight(), headers=self.headers)


Serve = Callable[..., object]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Starts a server; its URL, and what it has seen."""
    runners = []

    async def start(tls: ssl.SSLContext | None = None) -> tuple[str, Seen]:
        seen = Seen()
        runner = web.ServerRunner(web.Server(seen.answer, access_log=None), shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        runners.append(runner)
        return f"http{'s' if tls else ''}://127.0.0.1:{runner.addresses[0][1]}", seen

    yield start
    for runner in runners:
        await runner.cleanup()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def server_tls(authority: trustme.CA, host: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(host).configure_cert(context)
    return context


async def test_connections_are_kept(serve, connect):
    url, seen = await serve()
    upstream = connect(url).upstream
    for _ in range(5):
        await upstream.insight(IMAGE)
    assert (len(seen.requests), len(seen.connections)) == (5, 1)


async def test_what_is_sent(serve, connect):
    url, seen = await serve()
    await connect(f"{url}/base/internal").upstream.insight("a.b_c:d-1")
    [request] = seen.requests
    assert (request.method, request.path) == ("GET", "/base/internal/insights/a.b_c:d-1")
    assert request.headers["Authorization"].startswith("Bearer ")
    assert request.headers["Accept-Encoding"] == "identity"


async def test_without_a_token_none_is_sent(serve, connect):
    url, seen = await serve()
    await connect(url, token=None).upstream.insight(IMAGE)
    assert "Authorization" not in seen.requests[0].headers


async def test_no_cookie_is_kept(serve, connect):
    url, seen = await serve()
    seen.headers = {"Set-Cookie": "session=1; Path=/"}
    upstream = connect(url).upstream
    for _ in range(2):
        await upstream.insight(IMAGE)
    assert [request.headers.get("Cookie") for request in seen.requests] == [None, None]


async def test_a_proxy_of_the_environment_is_not_asked(serve, connect, monkeypatch):
    url, _ = await serve()
    proxy, seen = await serve()
    monkeypatch.setenv("http_proxy", proxy)
    assert await connect(url).upstream.insight(IMAGE)
    assert seen.requests == []


async def test_a_redirect_takes_the_token_nowhere(serve, connect):
    elsewhere, seen = await serve()
    async with answering(http(b"", "302 Found", Location=f"{elsewhere}/internal/insights/{IMAGE}")) as url:
        with pytest.raises(BadAnswerError):
            await connect(url).upstream.insight(IMAGE)
    assert seen.requests == []


async def test_a_certificate_of_the_given_authority_is_trusted(serve, connect, authority, tmp_path):
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    url, _ = await serve(server_tls(authority, "127.0.0.1"))
    assert await connect(url, ca_file=str(tmp_path / "ca.pem")).upstream.insight(IMAGE)


@pytest.mark.parametrize("host", ["127.0.0.1", "elsewhere.example"])
async def test_other_certificates_are_not(serve, connect, authority, tmp_path, host):
    """One that nobody knows, and one for another host."""
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    url, seen = await serve(server_tls(authority, host))
    known = host != "127.0.0.1"
    with pytest.raises(SourceUnavailableError, match=r"not trusted .* see insights\.ca_file"):
        await connect(url, ca_file=str(tmp_path / "ca.pem") if known else None).upstream.insight(IMAGE)
    assert seen.requests == []


async def test_a_port_that_speaks_no_tls(serve, connect):
    url, _ = await serve()
    with pytest.raises(SourceUnavailableError):
        await connect(url.replace("http:", "https:")).upstream.insight(IMAGE)


def test_a_file_without_certificates_is_named(connect):
    with pytest.raises(ConfigError, match=r"insights\.ca_file: .*test_http\.py has no certificates"):
        connect("https://127.0.0.1:1", ca_file=__file__)


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        ("7", 7),
        (" 7 ", 7),
        ("99999999999999999999", 3600),
        ("-1", None),
        ("1.5", None),
        ("\u00b2", None),
        ("soon", None),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 3600),
        ("Fri, 31 Dec 1999 23:59:59 GMT", 0),
        ("Fri, 31 Dec 1999 23:59:59", 0),
    ],
)
async def test_retry_after_is_seconds_or_a_date(connect, given, seconds):
    async with answering(http(b"", "503 Service Unavailable", Retry_After=given)) as url:
        with pytest.raises(SourceUnavailableError) as caught:
            await connect(url).upstream.insight(IMAGE)
    got = caught.value.retry_after
    assert got == seconds


async def test_retry_after_may_be_a_near_date(connect):
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    async with answering(http(b"", "503 Service Unavailable", Retry_After=date)) as url:
        with pytest.raises(SourceUnavailableError) as caught:
            await connect(url).upstream.insight(IMAGE)
    assert caught.value.retry_after == pytest.approx(100, abs=5)


async def test_the_token_is_in_no_error_and_no_log(connect, storage, caplog):
    storage.faults = Faults(status=500)
    echo = http(f"no such token: {MARKED}".encode(), "401 Unauthorized", WWW_Authenticate=f"Bearer {MARKED}")
    echoes = [echo, http(b"", "302 Found", Location=f"/?token={MARKED}"), Raw(b"HTTP/1.1 200 OK\r\nX: \x00\r\n\r\n")]
    told = []
    with caplog.at_level(logging.DEBUG):
        for raw in [*(raw for raw, _ in BAD.values() if raw.closes and not raw.drips and raw.times == 1), *echoes]:
            async with answering(raw) as url:
                client = connect(url, token=Secret(MARKED), timeout_seconds=20.0, max_answer_bytes=MOST_BYTES)
                for _ in range(9):
                    with pytest.raises(SourceError) as caught:
                        await client.upstream.insight(IMAGE)
                    told.append(f"{caught.value} {caught.value!r} {client.health.warnings()}")
    assert len(told) > 300
    assert MARKED not in "\n".join([*told, caplog.text, *(str(vars(record)) for record in caplog.records)])
    assert MARKED not in repr(settings_for("http://127.0.0.1:1", token=Secret(MARKED)))
