"""Proxies in front: whom they name is believed of trusted ones alone; and a path that they leave in."""

import json
import logging

import pytest
from aiohttp.test_utils import make_mocked_request
from hypothesis import example, given
from hypothesis import strategies as st
from multidict import CIMultiDict

from sploot_clusterd.config import Grant, Secret
from sploot_clusterd.web.proxies import Proxies
from tests.web.service import CLUSTERS, TOKEN, Serve, Service, raw

TRUSTED = ("127.0.0.1", "10.1.0.0/16", "2001:db8:1::/48")
PEER, OTHER_PROXY, CLIENT, LIAR = "127.0.0.1", "10.1.2.3", "192.0.2.7", "198.51.100.9"
USERS = [
    Grant("", "desk", frozenset({"read", "correct"}), (), ("ann", "photo desk")),
    Grant("", "staff", frozenset({"operate"}), (), ("staff",)),
]


async def behind_proxy(serve: Serve, *, trusted: tuple[str, ...] = TRUSTED) -> Service:
    service = await serve(trusted_proxies=trusted, identity_header="X-User", base_path="/clusters")
    service.tokens.replace([Secret(TOKEN)], USERS)
    return service


def asked(path: str = CLUSTERS, **headers: str) -> bytes:
    return raw("GET", path, **{"X_Internal_Token": "", **headers})


async def test_a_trusted_proxys_user_may_what_the_settings_say(serve: Serve):
    service = await behind_proxy(serve)
    health = "/internal/health/redis"

    assert (await service.send(asked(X_User="ann"))).status == 200
    refused = await service.send(asked(health, X_User="ann"))
    assert (refused.status, json.loads(refused.body)) == (403, {"detail": "missing scope: operate"})
    assert (await service.send(asked(health, X_User="nobody,  photo desk , staff"))).status == 200
    assert (await service.send(asked(X_User="staff, photo desk"))).status == 200
    assert service.counted("http_token_uses_total", slot="desk") == 3
    assert service.counted("http_token_uses_total", slot="staff") == 1

    service.tokens.replace([Secret(TOKEN)])

    assert (await service.send(asked(X_User="ann"))).status == 401


@pytest.mark.parametrize("user", ["", "bob", "ANN", "ann bob", "ann;staff", ",", "desk", "*"])
async def test_whom_the_settings_do_not_know_is_nobody(serve: Serve, user: str):
    service = await behind_proxy(serve)

    assert (await service.send(asked(X_User=user))).status == 401


async def test_others_are_not_believed(serve: Serve):
    service = await behind_proxy(serve, trusted=("10.1.0.0/16", "::1"))

    assert (await service.send(asked(X_User="ann"))).status == 401
    assert (await service.send(asked(X_User="ann", X_Forwarded_For="10.1.2.3", Forwarded="for=10.1.2.3"))).status == 401


async def test_without_a_header_in_the_settings_no_identity_counts(serve: Serve):
    service = await serve(trusted_proxies=TRUSTED)
    service.tokens.replace([], USERS)

    assert (await service.send(asked(X_User="ann"))).status == 401


async def test_a_header_that_the_client_sent_too_makes_it_nobody(serve: Serve):
    service = await behind_proxy(serve)
    once = asked(X_User="bob")

    assert (await service.send(once.replace(b"X-User: bob", b"X-User: ann\r\nX-User: bob"))).status == 401
    assert (await service.send(once.replace(b"X-User: bob", b"X-User: ann\r\nx-user: ann"))).status == 401


async def test_a_token_counts_before_the_user(serve: Serve):
    service = await behind_proxy(serve)

    assert (await service.send(asked(X_User="ann", X_Internal_Token="wrong"))).status == 401
    assert (await service.send(asked("/internal/health/redis", X_User="ann", X_Internal_Token=TOKEN))).status == 200


@pytest.mark.parametrize(
    ("site", "status"), [("same-origin", 200), ("none", 200), ("same-site", 401), ("cross-site", 401), ("x", 401)]
)
async def test_what_another_site_has_a_users_browser_ask_is_not_the_users(serve: Serve, site: str, status: int):
    service = await behind_proxy(serve)

    assert (await service.send(asked(X_User="ann", Sec_Fetch_Site=site))).status == status


def client(*headers: tuple[str, str], peer: str = PEER) -> str | None:
    return Proxies(TRUSTED).client(make_mocked_request("GET", "/", CIMultiDict(headers)).clone(remote=peer))


FOR, FORWARDED = "X-Forwarded-For", "Forwarded"


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ([], PEER),
        ([(FOR, CLIENT)], CLIENT),
        ([(FOR, f"{LIAR}, {CLIENT}")], CLIENT),
        ([(FOR, f"{LIAR}, {CLIENT}, {OTHER_PROXY}")], CLIENT),
        ([(FOR, LIAR), (FOR, CLIENT)], CLIENT),
        ([(FOR, f"{CLIENT}:4711")], CLIENT),
        ([(FOR, "[2001:db8::7]:4711")], "2001:db8::7"),
        ([(FOR, "2001:db8::7")], "2001:db8::7"),
        ([(FOR, f"{LIAR}, 2001:db8:1::9")], LIAR),
        ([(FOR, OTHER_PROXY)], OTHER_PROXY),
        ([(FORWARDED, f"for={LIAR}, for={CLIENT};proto=https;by={OTHER_PROXY}")], CLIENT),
        ([(FORWARDED, 'for="[2001:db8::7]:4711"')], "2001:db8::7"),
        ([(FOR, CLIENT), (FORWARDED, f"for={CLIENT}")], CLIENT),
        ([(FOR, CLIENT), (FORWARDED, f"for={LIAR}")], PEER),
        ([(FORWARDED, CLIENT)], PEER),
    ],
)
def test_the_client_is_the_nearest_one_that_is_no_trusted_proxy(headers: list[tuple[str, str]], said: str):
    assert client(*headers) == said


SENT = st.lists(st.sampled_from([*'",;=\\[]: ', "for", "by", f"for={LIAR}", "[2001:db8::9]", "x"]), max_size=12).map(
    "".join
)


@example(f'for={LIAR};x="')
@example(f'for={LIAR};x="\\"')
@given(SENT)
def test_nothing_that_a_client_sends_makes_it_another_one(sent: str):
    """Proxies add to what is there, with a comma; quotes as RFC 7239 wants them around IPv6."""
    assert client((FOR, f"{sent}, {CLIENT}")) == CLIENT
    assert client((FORWARDED, f"{sent}, for={CLIENT}")) in (CLIENT, PEER)
    assert client((FORWARDED, f'{sent}, for="[2001:db8::7]:4711";proto=https')) in ("2001:db8::7", PEER)


@pytest.mark.parametrize("hidden", ["unknown", "_hidden", "", "a\x00b", "1.2.3", "::1::", "[", "[]:1"])
def test_a_hop_that_is_no_address_hides_what_is_before_it(hidden: str):
    assert client((FOR, f"{LIAR}, {hidden}")) == PEER


@pytest.mark.parametrize("peer", [LIAR, "2001:db8:2::1", "unix", ""])
def test_a_stranger_cannot_name_another_client(peer: str):
    assert client((FOR, CLIENT), (FORWARDED, f"for={CLIENT}"), peer=peer) == peer


def test_ipv4_on_a_socket_of_both_families_is_the_same_proxy():
    assert client((FOR, CLIENT), peer=f"::ffff:{PEER}") == CLIENT


async def test_the_access_log_names_the_client(serve: Serve, caplog: pytest.LogCaptureFixture):
    service = await behind_proxy(serve)
    with caplog.at_level(logging.DEBUG, "sploot_clusterd.access"):
        await service.send(asked(X_Forwarded_For=CLIENT))
        await service.send(asked())

    assert [record.data["remote"] for record in caplog.records if record.message == "request"] == [CLIENT, PEER]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"/clusters{CLUSTERS}", 200),
        (CLUSTERS, 200),
        ("/clusters/healthz", 200),
        ("/healthz", 200),
        ("/clusters", 404),
        ("/clusters/", 404),
        ("/clusters/clusters/healthz", 404),
        ("/clustersx/healthz", 404),
        (f"/x{CLUSTERS}", 404),
    ],
)
async def test_all_is_below_the_base_path_too(serve: Serve, path: str, status: int):
    service = await behind_proxy(serve)

    assert (await service.send(raw("GET", path))).status == status


@pytest.mark.parametrize("path", [f"/clusters{CLUSTERS}", "/clusters/internal/no/such", "/clusters/internal"])
async def test_below_the_base_path_all_is_as_guarded(serve: Serve, path: str):
    service = await behind_proxy(serve)

    assert (await service.send(asked(path))).status == 401
    assert service.counted("http_requests_total", route="(unknown)", status="401") == (path != f"/clusters{CLUSTERS}")


async def test_the_document_says_where_it_is(serve: Serve):
    for service, url in ((await behind_proxy(serve), "/clusters"), (await serve(), "/")):
        assert json.loads((await service.send(raw("GET", "/openapi.json"))).body)["servers"] == [{"url": url}]
