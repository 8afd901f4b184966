"""Who is let in, and how early the others are turned away."""

from hashlib import sha256

import pytest
from aiohttp import ClientSession

from sploot_clusterd.config import SCOPES, Grant, Secret
from sploot_clusterd.errors import ConfigError
from sploot_clusterd.web import Tokens
from sploot_clusterd.web.auth import Caller
from tests.web.service import CLUSTERS, GUARDED, JOB, JOBS, TOKEN, Service, closed, raw, read_reply

OLD, NEW, NEWER = (Secret(f"{age}-token-{age}-token") for age in ("old", "new", "newer"))


def slot(tokens: Tokens, token: str | None) -> str | None:
    caller = tokens.caller(token)
    return caller and caller.slot


def test_a_token_is_known_by_its_slot():
    tokens = Tokens([OLD, NEW])

    assert slot(tokens, "old-token-old-token") == "0"
    assert slot(tokens, "new-token-new-token") == "1"


def test_a_grants_token_is_known_by_its_name_and_good_for_its_scopes():
    tokens = Tokens([OLD], [Grant("http.access[0]", "gallery", frozenset({"read", "correct"}), (NEW, NEWER))])

    assert [slot(tokens, token.reveal()) for token in (OLD, NEW, NEWER)] == ["0", "gallery/0", "gallery/1"]
    assert tokens.caller(NEWER.reveal()) == Caller("gallery/1", frozenset({"read", "correct"}), "gallery/1")
    assert tokens.caller(OLD.reveal()) == Caller("0", frozenset(SCOPES), "token 0")

    tokens.replace([OLD])

    assert slot(tokens, NEW.reveal()) is None


@pytest.mark.parametrize(
    "given", [None, "", "old-token-old-toke", "OLD-TOKEN-OLD-TOKEN", "tökèn", "\udcff\udcfe", "\ud800"]
)
def test_anything_else_is_nobody(given):
    assert Tokens([OLD]).caller(given) is None


def test_replacing_ends_the_old_ones():
    tokens = Tokens([OLD])

    tokens.replace([NEW])

    assert tokens.caller("old-token-old-token") is None
    assert slot(tokens, "new-token-new-token") == "0"


@pytest.mark.parametrize("refused", [[Secret("")], [NEW, Secret("")]])
def test_an_empty_token_is_refused_and_changes_nothing(refused):
    tokens = Tokens([OLD])

    with pytest.raises(ConfigError, match="a token is empty"):
        tokens.replace(refused)

    assert slot(tokens, "old-token-old-token") == "0"
    assert tokens.caller("") is None


@pytest.mark.parametrize("given", [None, "", "old-token-old-token"])
def test_without_any_token_nobody_is_let_in(given):
    assert Tokens().caller(given) is None


def test_the_tokens_themselves_are_not_kept():
    kept = Tokens([OLD], [Grant("", "reader", frozenset({"read"}), (NEW,))])._callers
    assert tuple(digest for digest, _ in kept) == tuple(sha256(t.reveal().encode()).digest() for t in (OLD, NEW))


@pytest.mark.parametrize(
    ("method", "path"),
    [
        *GUARDED,
        ("GET", JOBS),
        ("HEAD", CLUSTERS),
        ("GET", "/internal"),
        ("GET", "/internal/"),
        ("GET", "/internal/no/such/path"),
        ("PUT", "/internal/no/such/path"),
        ("GET", "/internal/pets//clusters"),
        ("GET", "/internal/a%0Ab"),
    ],
)
@pytest.mark.parametrize("token", [None, "", "wrong", TOKEN[:-1], TOKEN + "x", TOKEN.upper()])
async def test_every_internal_path_wants_the_token(service: Service, method, path, token):
    headers = {} if token is None else {"X-Internal-Token": token}

    async with ClientSession(service.url) as session, session.request(method, path, headers=headers) as answer:
        assert answer.status == 401
        if method != "HEAD":
            assert await answer.json() == {"detail": "invalid internal token"}


@pytest.mark.parametrize("token", ["\udcff\udcfe", "tökèn", "a" * 4000, "\udc80" + TOKEN])
async def test_strange_bytes_are_a_wrong_token(service: Service, token):
    answer = await service.send(raw("GET", "/internal/health/redis", X_Internal_Token=token))

    assert answer.status == 401


async def test_the_body_of_a_stranger_is_not_read(service: Service):
    head = raw("POST", JOBS, X_Internal_Token="wrong", Content_Length=str(2**20))
    reader, writer = await service.connect()

    writer.write(head)  # and not a byte of the body
    answer = await read_reply(reader)

    assert answer.status == 401
    assert answer.headers["connection"] == "close"
    writer.write(b"x" * 2**20)
    assert await closed(reader) == b""


async def test_a_stranger_is_not_asked_to_go_on(service: Service):
    head = raw("POST", JOBS, X_Internal_Token="wrong", Content_Length="9", Expect="100-continue")

    assert (await service.send(head)).status == 401


async def test_a_caller_who_asks_first_is_told_to_go_on(service: Service):
    head = raw("POST", JOBS, Content_Length=str(len(JOB)), Expect="100-continue")
    reader, writer = await service.connect()

    writer.write(head)
    assert (await read_reply(reader)).status == 100
    writer.write(JOB)

    assert (await read_reply(reader)).status == 202
    assert len(service.store.jobs) == 1


async def test_while_tokens_rotate_both_work_and_their_use_shows(service: Service):
    service.tokens.replace([OLD, NEW])
    request = {secret: raw("GET", "/internal/health/redis", X_Internal_Token=secret.reveal()) for secret in (OLD, NEW)}

    assert [(await service.send(request[secret])).status for secret in (OLD, NEW, NEW)] == [200, 200, 200]
    assert service.counted("http_token_uses_total", slot="0") == 1
    assert service.counted("http_token_uses_total", slot="1") == 2

    service.tokens.replace([NEW])

    assert [(await service.send(request[secret])).status for secret in (OLD, NEW)] == [401, 200]
