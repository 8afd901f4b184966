"""Conditional reads: the ETag names the bytes."""

import pytest
from aiohttp import ClientSession
from web_service import VIEW, Service, raw

PATH = "/internal/pets/pet_123/clusters"


async def etag_of(client: ClientSession) -> str:
    async with client.get(PATH) as answer:
        return answer.headers["ETag"]


@pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}', '"a",W/{} , "b"', "*", " * "])
async def test_a_reader_who_has_it_gets_304(client: ClientSession, form):
    etag = await etag_of(client)

    async with client.get(PATH, headers={"If-None-Match": form.format(etag)}) as answer:
        assert (answer.status, await answer.read()) == (304, b"")
        assert answer.headers["ETag"] == etag


@pytest.mark.parametrize("given", ['"other"', "", ",", '""', "W/", "\udcff", '"*"'])
async def test_other_tags_get_the_view(service: Service, given):
    answer = await service.send(raw("GET", PATH, If_None_Match=given))

    assert (answer.status, answer.body) == (200, VIEW)


async def test_the_list_may_come_in_several_lines(client: ClientSession):
    headers = [("If-None-Match", '"other"'), ("If-None-Match", await etag_of(client))]

    async with client.get(PATH, headers=headers) as answer:
        assert answer.status == 304


async def test_other_bytes_have_another_strong_tag(client: ClientSession, service: Service):
    before = await etag_of(client)
    assert before == await etag_of(client)
    assert before.startswith('"')

    service.store.views["pet_123"] = VIEW + b" "

    assert await etag_of(client) != before
    async with client.get(PATH, headers={"If-None-Match": before}) as answer:
        assert answer.status == 200


async def test_what_is_gone_is_404_whatever_the_reader_has(client: ClientSession, service: Service):
    service.store.views.clear()

    async with client.get(PATH, headers={"If-None-Match": "*"}) as answer:
        assert answer.status == 404
