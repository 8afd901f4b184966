"""TLS to Redis, by a CA of the test's own: what is trusted, what is refused, and what is said of it."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import pytest
import trustme
from redis.asyncio import Redis

from sploot_clusterd.embedded import EmbeddedRedis
from sploot_clusterd.errors import StoreUnavailableError
from sploot_clusterd.store import sentinel
from tests.docs.pages import ROOT, only_block
from tests.faults.fleet import TOKEN, Daemon
from tests.support.stores import opened
from tests.support.teller import Teller
from tests.support.waiting import eventually


async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
    except ConnectionError:
        pass
    finally:
        sink.close()


class Listen:
    """Opens ports that end TLS before the redis-server, whose binary may be built without it."""

    def __init__(self, socket: Path, servers: AsyncExitStack) -> None:
        self._socket = socket
        self._servers = servers
        self._callers: list[asyncio.StreamWriter] = []

    async def __call__(self, context: ssl.SSLContext) -> int:
        """The port."""
        server = await asyncio.start_server(self._relay, "127.0.0.1", 0, ssl=context)
        self._servers.callback(server.close)
        port: int = server.sockets[0].getsockname()[1]
        return port

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._callers.append(writer)
        server_reader, server_writer = await asyncio.open_unix_connection(str(self._socket))
        await asyncio.gather(pump(reader, server_writer), pump(server_reader, writer))

    def silence(self) -> None:
        """From now on nobody reads what comes on the connections that are open; not even that they are to end."""
        for writer in self._callers:
            writer.transport.pause_reading()

    def end(self) -> None:
        for writer in self._callers:
            writer.transport.abort()


@pytest.fixture
async def listen(redis_server: EmbeddedRedis) -> AsyncIterator[Listen]:
    async with AsyncExitStack() as servers:
        listening = Listen(redis_server.socket, servers)
        yield listening
        listening.end()


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def context(ca: trustme.CA) -> ssl.SSLContext:
    """A server's whose certificate names localhost, and nothing else."""
    made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert("localhost").configure_cert(made)
    return made


@pytest.fixture
def ca_file(ca: trustme.CA, tmp_path: Path) -> str:
    return written(ca, tmp_path / "ca.pem")


def written(ca: trustme.CA, file: Path) -> str:
    ca.cert_pem.write_to_path(file)
    return str(file)


async def ping(url: str, **settings: object) -> None:
    """One command to the server at `url`; raises what the daemon would meet."""
    async with opened(url, **settings) as store:
        await store.look()


async def refusal(url: str, **settings: object) -> str:
    with pytest.raises(StoreUnavailableError) as caught:
        await ping(url, **settings)
    return caught.value.detail


async def test_a_certificate_of_the_named_ca_for_the_named_host_is_trusted(listen: Listen, context, ca_file: str):
    port = await listen(context)
    await ping(f"rediss://localhost:{port}", ssl_ca_certs=ca_file)
    await ping(f"redis://localhost:{port}", ssl=True, ssl_ca_certs=ca_file)
    await ping(f"rediss://localhost:{port}?ssl_ca_certs={ca_file}")


async def test_sentinels_and_what_they_name_are_asked_by_it(
    listen: Listen, context, ca_file: str, monkeypatch: pytest.MonkeyPatch
):
    for name in ("_PATIENCE", "_ROLE_PATIENCE"):
        monkeypatch.setattr(sentinel, name, 30.0)  # that of a busy machine
    async with Teller(await listen(context), host="localhost", context=context) as teller:
        await ping(f"rediss+sentinel://localhost:{teller.port}/mymaster", ssl_ca_certs=ca_file)
        told = await refusal(f"rediss+sentinel://localhost:{teller.port}/mymaster")
    assert told.startswith(
        f"no sentinel names the primary of mymaster: localhost:{teller.port}: redis shows a certificate"
    )


async def test_another_ca_is_not_trusted(listen: Listen, context, tmp_path: Path):
    port = await listen(context)
    other = written(trustme.CA(), tmp_path / "other.pem")
    for settings in ({"ssl_ca_certs": other}, {}):
        said = await refusal(f"rediss://localhost:{port}", **settings)
        assert said.startswith("redis shows a certificate that is not trusted, set redis.ssl_ca_certs to its CA: ")
        assert said.endswith("unable to get local issuer certificate")


async def test_another_host_is_not_trusted(listen: Listen, context, ca: trustme.CA, ca_file: str):
    port = await listen(context)
    said = await refusal(f"rediss://127.0.0.1:{port}", ssl_ca_certs=ca_file)
    assert said.startswith("redis shows a certificate of another host, write one that it names in redis.url: ")
    assert "127.0.0.1" in said
    elsewhere = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert("redis.example").configure_cert(elsewhere)
    said = await refusal(f"rediss://localhost:{await listen(elsewhere)}", ssl_ca_certs=ca_file)
    assert said.startswith("redis shows a certificate of another host, ")
    assert "'localhost'" in said


async def test_files_that_are_no_certificates_are_told(listen: Listen, context, tmp_path: Path):
    junk = tmp_path / "junk.pem"
    junk.write_text("no certificate")
    said = await refusal(f"rediss://localhost:{await listen(context)}", ssl_ca_certs=str(junk))
    assert said.startswith(
        "redis and we find no common TLS, look at the port in redis.url and the ssl_ settings' files: "
    )
    assert said.endswith("NO_CERTIFICATE_OR_CRL_FOUND")


async def test_nothing_is_sent_in_the_clear_to_a_port_without_tls(ca_file: str):
    received = bytearray()

    async def record(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.extend(await reader.read(4096))
        writer.write(b"-ERR unknown command\r\n")
        writer.close()

    async with await asyncio.start_server(record, "127.0.0.1", 0) as server:
        url = f"rediss://:a-secret@localhost:{server.sockets[0].getsockname()[1]}"
        said = await refusal(url, ssl_ca_certs=ca_file)
    assert said.startswith("redis and we find no common TLS, look at the port in redis.url")
    assert received[:2] == b"\x16\x03"  # a handshake
    assert b"a-secret" not in received


async def test_a_connection_whose_other_end_fell_silent_is_given_up(listen: Listen, context, ca_file: str):
    """Over TLS a close waits for the other end; a consumer that reconnects must neither fail nor hang at it."""
    url = f"rediss://localhost:{await listen(context)}"
    async with opened(url, ssl_ca_certs=ca_file) as store:
        reader = store.reader("me")
        await reader.open()
        listen.silence()
        async with asyncio.timeout(30):
            await store.partitions[0].stream.reconnect()
            await reader.close()
            await store.close()


async def test_a_certificate_of_ours_is_shown_where_redis_asks_for_one(
    listen: Listen, context, ca: trustme.CA, ca_file: str, tmp_path: Path
):
    context.verify_mode = ssl.CERT_REQUIRED
    ca.configure_trust(context)
    port = await listen(context)
    ours = ca.issue_cert("clusterd")
    ours.private_key_pem.write_to_path(tmp_path / "key.pem")
    ours.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    url = f"rediss://localhost:{port}?ssl_certfile={tmp_path}/cert.pem&ssl_keyfile={tmp_path}/key.pem"
    await ping(url, ssl_ca_certs=ca_file)
    assert "redis" in await refusal(f"rediss://localhost:{port}", ssl_ca_certs=ca_file)


@pytest.fixture
async def user(redis: Redis) -> AsyncIterator[dict[str, str]]:
    """The environment of a daemon whose user has the documented rights, and no others."""
    await redis.execute_command(*only_block(ROOT / "docs/operations.md", "acl").text.split())
    yield {"REDIS_USERNAME": "clusterd", "REDIS_PASSWORD": "the-password"}
    await redis.execute_command("ACL", "DELUSER", "clusterd")


async def test_the_daemon_does_its_work_over_tls_with_the_least_rights(
    listen: Listen, context, ca_file: str, user: dict[str, str], tmp_path: Path
):
    env = {**user, "REDIS_SSL_CA_CERTS": ca_file}
    daemon = Daemon(tmp_path, f"rediss://localhost:{await listen(context)}/0", 0, ROOT, env)
    try:
        await daemon.start()
        async with aiohttp.ClientSession(daemon.url, headers={"X-Internal-Token": TOKEN}) as http:
            job = {"pet_id": "p", "payload": {"images": [{"image_id": "i", "embedding": [1, 2]}]}}
            async with http.post("/internal/cluster-jobs", json=job) as answer:
                assert answer.status == 202

            async def seen() -> bool:
                async with http.get("/internal/pets/p/clusters") as answer:
                    return answer.status == 200

            await eventually(seen, what="the job to be applied")
            async with http.delete("/internal/pets/p") as answer:
                assert await answer.json() == {"status": "erased"}
        assert await asyncio.to_thread(daemon.stop) == 0  # its connections end in this loop
    finally:
        daemon.kill()


async def test_the_daemon_says_so_where_it_does_not_trust(listen: Listen, context, tmp_path: Path):
    daemon = Daemon(tmp_path, f"rediss://:hidden-word@localhost:{await listen(context)}", 0, ROOT, {})
    try:
        await daemon.start()

        async def told() -> bool:
            async with aiohttp.ClientSession() as http, http.get(daemon.ops_url + "/readyz") as answer:
                return any("is not trusted" in reason for reason in (await answer.json())["reasons"])

        await eventually(told, what="readiness to name the certificate")
        assert await asyncio.to_thread(daemon.stop) == 0  # its connections end in this loop
        assert "hidden-word" not in daemon.output()
    finally:
        daemon.kill()
