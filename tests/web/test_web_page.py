"""The page's own routes: its files, and sessions, with what guards them."""

import json
import re

import pytest

from sploot_clusterd.config import SCOPES, Grant, Secret, Settings
from sploot_clusterd.ui import Page
from sploot_clusterd.ui.sessions import LIFE_S, BrowserSessions
from sploot_clusterd.web import Tokens
from tests.web.service import CLUSTERS, CORRECTIONS, TOKEN, FakeFleet, Reply, Serve, Service, closed, raw, token_for

INVALIDATE = "/internal/pets/pet_123/invalidate"
OF_PAGE = {"X_Clusterd_Page": "1", "X_Internal_Token": ""}


@pytest.fixture
async def paged(serve: Serve) -> Service:
    return await serve(ui=True, base_path="/clusters")


async def log_in(service: Service, token: str = TOKEN, **headers: str) -> Reply:
    return await service.send(raw("POST", "/session", X_Clusterd_Page="1", **{"X_Internal_Token": token, **headers}))


def cookie(reply: Reply) -> str:
    return reply.headers["set-cookie"].partition(";")[0]


async def test_the_shell_and_all_that_it_names_are_there_for_everybody_and_say_nothing(paged: Service):
    shell = await paged.send(raw("GET", "/ui/", X_Internal_Token=""))
    assert (shell.status, shell.headers["content-type"]) == (200, "text/html; charset=utf-8")
    names = re.findall(r'(?:src|href)="([^"#]+)"', shell.body.decode())
    assert {"app.js", "app.css", "icon.svg"} <= set(names)
    seen: set[str] = set()
    while names:
        name = names.pop()
        seen.add(name)
        assert "/" not in name, "a relative name in the same folder"
        reply = await paged.send(raw("GET", f"/clusters/ui/{name}", X_Internal_Token=""))
        assert reply.status == 200, name
        if name.endswith(".js"):
            names += set(re.findall(r'from "\./([^"]+)"', reply.body.decode())) - seen
    assert seen | {"index.html"} == set(Page(Tokens(), Settings(), FakeFleet())._files), (
        "and no file that nothing names"
    )


async def test_what_protects_the_page_is_on_every_file(paged: Service):
    for name in ("", "app.js", "app.css"):
        headers = (await paged.send(raw("GET", f"/ui/{name}"))).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        (None, "img-src 'self';"),
        ("/photos/{image_id}?w={size}", "img-src 'self';"),
        ("https://cdn.example:8443/p/{image_id}/{size}", "img-src 'self' https://cdn.example:8443;"),
    ],
)
async def test_photos_may_come_from_their_place_alone(serve: Serve, url: str | None, allowed: str):
    service = await serve(ui=True, image_url=url)
    assert allowed in (await service.send(raw("GET", "/ui/"))).headers["content-security-policy"]


async def test_a_file_that_is_known_is_not_sent_again(paged: Service):
    etag = (await paged.send(raw("GET", "/ui/app.js"))).headers["etag"]
    again = await paged.send(raw("GET", "/ui/app.js", If_None_Match=etag))
    assert (again.status, again.body) == (304, b"")


async def test_the_way_to_the_page_is_relative(paged: Service):
    reply = await paged.send(raw("GET", "/ui"))
    assert (reply.status, reply.headers["location"]) == (308, "ui/")


@pytest.mark.parametrize("name", ["..", "no.js", "%2e%2e%2fpage.py", "page.py", "static"])
async def test_nothing_else_is_a_file(paged: Service, name: str):
    assert (await paged.send(raw("GET", f"/ui/{name}"))).status in (404, 422)


async def test_without_the_page_nothing_of_it_is_there(service: Service):
    for path in ("/ui", "/ui/", "/ui/app.js", "/session"):
        assert (await service.send(raw("GET", path))).status == 404


async def test_a_session_does_what_its_token_may(paged: Service):
    opened = await log_in(paged, token_for("read"))
    assert opened.status == 200
    assert json.loads(opened.body)["scopes"] == ["read"]
    session = {"X_Internal_Token": "", "Cookie": cookie(opened)}
    assert (await paged.send(raw("GET", CLUSTERS, **session))).status == 200
    refused = await paged.send(raw("POST", INVALIDATE, **session, X_Clusterd_Page="1"))
    assert (refused.status, json.loads(refused.body)) == (403, {"detail": "missing scope: operate"})
    told = json.loads((await paged.send(raw("GET", "/session", **session))).body)
    assert told["scopes"] == ["read"]
    assert told["by_proxy"] is False


async def test_the_cookie_is_out_of_scripts_reach_and_holds_beside_session(paged: Service):
    whole = (await log_in(paged)).headers["set-cookie"]
    assert f"; Max-Age={LIFE_S}; HttpOnly; SameSite=Lax" in whole
    assert "Path" not in whole
    assert "Secure" not in whole
    assert "; Secure" in (await log_in(paged, Origin="https://clusters.example")).headers["set-cookie"]


async def test_a_wrong_token_opens_nothing_and_nobody_is_told_anything(paged: Service):
    refused = await log_in(paged, "wrong")
    assert (refused.status, json.loads(refused.body)) == (401, {"detail": "invalid internal token"})
    assert "set-cookie" not in refused.headers
    nobody = await paged.send(raw("GET", "/session", X_Internal_Token=""))
    assert (nobody.status, json.loads(nobody.body)) == (200, {"scopes": []})


CHANGE = {"X_Internal_Token": ""}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"X_Clusterd_Page": "1", "Sec_Fetch_Site": "same-origin"}, 202),
        ({"X_Clusterd_Page": "1"}, 202),
        ({"Sec_Fetch_Site": "same-origin"}, 401),
        ({}, 401),
        ({"X_Clusterd_Page": "1", "Sec_Fetch_Site": "cross-site"}, 401),
        ({"X_Clusterd_Page": "1", "Sec_Fetch_Site": "same-site"}, 401),
        ({"X_Clusterd_Page": "1", "Sec_Fetch_Site": "none"}, 401),
    ],
)
async def test_a_change_has_to_come_from_the_page_itself(paged: Service, headers: dict[str, str], status: int):
    headers = {"Cookie": cookie(await log_in(paged)), "X_Internal_Token": "", **headers}
    reply = await paged.send(raw("POST", "/internal/pets/pet_123/corrections", CORRECTIONS, **headers))
    assert reply.status == status
    assert len(paged.store.jobs) == (status == 202)


@pytest.mark.parametrize("site", ["cross-site", "same-site", "x"])
async def test_another_site_reads_nothing_with_a_session_and_opens_and_closes_none(paged: Service, site: str):
    session = {"Cookie": cookie(await log_in(paged)), "X_Internal_Token": "", "Sec_Fetch_Site": site}
    assert (await paged.send(raw("GET", CLUSTERS, **session))).status == 401
    assert (await log_in(paged, Sec_Fetch_Site=site)).status == 403
    assert (await paged.send(raw("DELETE", "/session", **session, X_Clusterd_Page="1"))).status == 403
    assert (await paged.send(raw("DELETE", "/session", **{**session, "Sec_Fetch_Site": "same-origin"}))).status == 403


async def test_a_session_ends_with_its_token(paged: Service):
    session = {"Cookie": cookie(await log_in(paged)), "X_Internal_Token": ""}
    paged.tokens.replace([Secret("another-token-altogether"), Secret(TOKEN)])
    assert (await paged.send(raw("GET", CLUSTERS, **session))).status == 200, "its place does not matter"
    paged.tokens.replace([Secret("another-token-altogether")])
    assert (await paged.send(raw("GET", CLUSTERS, **session))).status == 401


async def test_a_session_is_worth_what_its_token_is_worth_now(paged: Service):
    session = {"Cookie": cookie(await log_in(paged)), "X_Internal_Token": ""}
    paged.tokens.replace([], [Grant("", "less", frozenset({"read"}), (Secret(TOKEN),))])
    assert json.loads((await paged.send(raw("GET", "/session", **session))).body)["scopes"] == ["read"]


async def streamed(service: Service, **headers: str) -> tuple[str, list[object]]:
    """Head and events of the fleet's stream, which ends with its connection."""
    reader, writer = await service.connect()
    writer.write(raw("GET", "/internal/fleet", **headers))
    head, _, events = (await closed(reader)).decode().partition("\r\n\r\n")
    return head, [json.loads(each.removeprefix("data: ")) for each in events.split("\n\n") if each]


async def test_the_fleet_is_told_to_who_may_operate_event_by_event(paged: Service):
    head, events = await streamed(paged, X_Internal_Token=token_for("operate"))
    assert head.startswith("HTTP/1.1 200 OK\r\n")
    assert "Content-Type: text/event-stream\r\nCache-Control: no-store\r\nX-Accel-Buffering: no\r\n" in head
    assert "Content-Length" not in head
    assert events == [{"n": n} for n in range(3)]
    refused = await paged.send(raw("GET", "/internal/fleet", X_Internal_Token=token_for("read")))
    assert json.loads(refused.body) == {"detail": "missing scope: operate"}
    assert (await paged.send(raw("HEAD", "/internal/fleet"))).body == b""


@pytest.mark.parametrize("by_session", [True, False])
async def test_the_stream_ends_when_its_token_is_rotated_away(
    paged: Service, monkeypatch: pytest.MonkeyPatch, by_session: bool
):
    async def rotate(_: FakeFleet) -> None:
        paged.tokens.replace([Secret("another-token-altogether")])

    monkeypatch.setattr(FakeFleet, "at_event", rotate)
    headers = {"Cookie": cookie(await log_in(paged)), "X_Internal_Token": ""} if by_session else {}
    _, events = await streamed(paged, **headers)
    assert len(events) == 1


async def test_to_log_out_forgets_the_cookie(paged: Service):
    held = cookie(await log_in(paged))
    reply = await paged.send(raw("DELETE", "/session", Cookie=held, **OF_PAGE))
    assert reply.headers["set-cookie"].startswith(f"{held.partition('=')[0]}=; Max-Age=0;")


async def test_a_token_beside_a_session_counts_alone(paged: Service):
    held = cookie(await log_in(paged))
    assert (await paged.send(raw("GET", CLUSTERS, Cookie=held, X_Internal_Token="wrong"))).status == 401


class Clock:
    now = 1_764_000_000.0

    def __call__(self) -> float:
        return self.now


class Asked:
    """As much of a request as a session looks at."""

    method = "GET"

    def __init__(self, *cookies: str) -> None:
        pairs = [each.partition(";")[0] for each in cookies]
        self.headers = {"Cookie": "; ".join(pairs)}
        self.cookies = dict(pair.split("=", 1) for pair in pairs)


def opened(sessions: BrowserSessions, token: str = TOKEN, request: Asked | None = None) -> list[str]:
    cookies = sessions.open(request or Asked(), token)
    assert cookies is not None
    return cookies


def test_a_session_ends_after_eight_hours():
    clock = Clock()
    sessions = BrowserSessions(Tokens([Secret(TOKEN)]), clock)
    request = Asked(*opened(sessions))
    clock.now += LIFE_S - 1
    assert sessions.caller(request)
    clock.now += 1
    assert sessions.caller(request) is None


def test_no_end_can_be_put_off_and_no_name_or_value_makes_a_session():
    sessions = BrowserSessions(Tokens([Secret(TOKEN)]), Clock())
    (good,) = opened(sessions)
    name, value = good.partition(";")[0].split("=")
    ends, signature = value.split(".")
    assert sessions.caller(Asked(f"{name}={value}"))
    later, another = f"{int(ends) + 1}.{signature}", f"{ends}.{'0' * 64}"
    for bad in (later, another, f".{signature}", signature, "", f"{ends}.é{signature}"):
        assert sessions.caller(Asked(f"{name}={bad}")) is None
    assert sessions.caller(Asked(f"other={value}")) is None


def test_who_logs_in_anew_has_one_session_and_daemons_of_other_tokens_keep_theirs():
    both = Tokens([Secret(TOKEN), Secret("the-second-token-of-it")])
    sessions, elsewhere = BrowserSessions(both, Clock()), BrowserSessions(Tokens([Secret("of-another")]), Clock())
    first, other = opened(sessions), opened(elsewhere, "of-another")
    second = opened(sessions, "the-second-token-of-it", Asked(*first, *other))
    names = [each.partition("=")[0] for each in second]
    assert "Max-Age=0" in second[0]
    assert names[0] == first[0].partition("=")[0]
    assert other[0].partition("=")[0] not in names
    assert opened(sessions, TOKEN, Asked(*first))[-1].startswith(names[0]), "the same token, the same name"


def test_a_token_is_not_its_signature():
    tokens = Tokens([Secret(TOKEN)])
    assert tokens.sign("unknown", b"x") is None
    signature = tokens.sign(TOKEN, b"x") or ""
    assert tokens.signer(b"x", signature)
    assert tokens.signer(b"y", signature) is None
    assert tokens.caller(signature) is None
    assert set(SCOPES) == set((tokens.signer(b"x", signature) or pytest.fail("none")).scopes)
