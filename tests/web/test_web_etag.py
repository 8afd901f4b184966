"""Conditional reads: the ETag names the bytes."""

import hashlib

import pytest
from aiohttp import ClientSession

from sploot_clusterd.web import etags
from sploot_clusterd.web.etags import Etags
from tests.web.service import CLUSTERS, VIEW, Service, raw


async def etag_of(client: ClientSession) -> str:
    async with client.get(CLUSTERS) as answer:
        return answer.headers["ETag"]


@pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}', '"a",W/{} , "b"', "*", " * "])
async def test_a_reader_who_has_it_gets_304(client: ClientSession, form):
    etag = await etag_of(client)

    async with client.get(CLUSTERS, headers={"If-None-Match": form.format(etag)}) as answer:
        assert (answer.status, await answer.read()) == (304, b"")
        assert answer.headers["ETag"] == etag


@pytest.mark.parametrize("given", ['"other"', "", ",", '""', "W/", "\udcff", '"*"'])
async def test_other_tags_get_the_view(service: Service, given):
    answer = await service.send(raw("GET", CLUSTERS, If_None_Match=given))

    assert (answer.status, answer.body) == (200, VIEW)


async def test_the_list_may_come_in_several_lines(client: ClientSession):
    headers = [("If-None-Match", '"other"'), ("If-None-Match", await etag_of(client))]

    async with client.get(CLUSTERS, headers=headers) as answer:
        assert answer.status == 304


async def test_other_bytes_have_another_strong_tag(client: ClientSession, service: Service):
    before = await etag_of(client)
    assert before == await etag_of(client)
    assert before.startswith('"')

    service.store.views["pet_123"] = VIEW + b" "

    assert await etag_of(client) != before
    async with client.get(CLUSTERS, headers={"If-None-Match": before}) as answer:
        assert answer.status == 200


async def test_what_is_gone_is_404_whatever_the_reader_has(client: ClientSession, service: Service):
    service.store.views.clear()

    async with client.get(CLUSTERS, headers={"If-None-Match": "*"}) as answer:
        assert answer.status == 404


@pytest.fixture
def hashed(monkeypatch) -> list[bytes]:
    """The views that were hashed."""
    views: list[bytes] = []
    sha256 = hashlib.sha256

    def counting(view: bytes):
        views.append(view)
        return sha256(view)

    monkeypatch.setattr(etags.hashlib, "sha256", counting)
    return views


def test_a_view_that_is_as_it_was_is_not_hashed_again(hashed: list[bytes]):
    tags = Etags()
    first = tags.of("a", b"one")

    assert tags.of("a", bytes(bytearray(b"one"))) == first
    assert hashed == [b"one"]

    assert tags.of("b", b"one") == first
    assert tags.of("a", b"two") != first
    assert tags.of("a", b"one") == first
    assert hashed == [b"one", b"one", b"two", b"one"]


def test_few_views_are_remembered_and_no_large_ones(hashed: list[bytes], monkeypatch):
    monkeypatch.setattr(etags, "_MOST", 3)
    monkeypatch.setattr(etags, "_LARGEST", 10)
    tags = Etags()

    for view in (b"1", b"2", b"3", b"a large view", b"a large view", b"4", b"2", b"1"):
        tags.of(f"pet of {view!r}", view)

    assert hashed == [b"1", b"2", b"3", b"a large view", b"a large view", b"4", b"1"]


async def test_no_cache_keeps_what_is_told_of_a_pet(service: Service):
    etag = (await service.send(raw("GET", CLUSTERS))).headers["etag"]
    asked = {
        200: raw("GET", CLUSTERS),
        304: raw("GET", CLUSTERS, If_None_Match=etag),
        404: raw("GET", "/internal/pets/pet_without/clusters"),
        401: raw("GET", CLUSTERS, X_Internal_Token="wrong"),
    }
    for status, request in asked.items():
        answer = await service.send(request)
        assert (answer.status, answer.headers["cache-control"]) == (status, "no-store")
