"""Answers that are not what the contract says: told apart, counted, and of no harm to what is asked next."""

import logging
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sploot_clusterd.config import InsightsSettings
from sploot_clusterd.insights.breaker import FAILURES
from sploot_clusterd.insights.source import BadAnswerError, SourceError, SourceRefusesError, SourceUnavailableError
from sploot_clusterd.insights.storage_service import StorageService
from tests.insights.bad_answers import (
    BAD,
    BAD_LISTS,
    BOMB,
    GOOD,
    IMAGE,
    MOST_BYTES,
    REFUSED,
    UNAVAILABLE,
    Raw,
    http,
    insight,
)
from tests.insights.raw_server import answering


def name_of(error: SourceError) -> str:
    match error:
        case BadAnswerError():
            return error.reason
        case SourceRefusesError():
            return REFUSED
        case SourceUnavailableError():
            return UNAVAILABLE
    return "unknown"


def connected(connect, url, *, patience=20.0):
    """A short patience is for what never comes: a busy machine takes its time for the rest."""
    return connect(url, timeout_seconds=patience, max_answer_bytes=MOST_BYTES)


def test_the_corpus_is_large():
    assert len(BAD) + len(BAD_LISTS) >= 80
    assert len(BOMB) < MOST_BYTES / 4


@pytest.mark.parametrize("name", BAD)
async def test_a_bad_answer_is_told_by_its_reason(connect, name):
    raw, reason = BAD[name]
    async with answering(raw) as url:
        client = connected(connect, url, patience=0.5 if reason == UNAVAILABLE else 20.0)
        with pytest.raises(SourceError) as caught:
            await client.upstream.insight(IMAGE)
    assert name_of(caught.value) == reason
    assert len(str(caught.value)) <= 300
    counted = client.count("bad_answers_total", reason=reason)
    assert counted == (reason not in {UNAVAILABLE, REFUSED})
    assert client.count("in_flight") == 0


@pytest.mark.parametrize("name", GOOD)
async def test_what_only_looks_odd_is_taken(connect, name):
    async with answering(GOOD[name]) as url:
        found = await connected(connect, url).upstream.insight(IMAGE)
    assert found.image.image_id == IMAGE
    assert found.image.embedding


@pytest.mark.parametrize("name", BAD_LISTS)
async def test_a_bad_list_is_told_by_its_reason(connect, name):
    raw, reason = BAD_LISTS[name]
    async with answering(raw) as url:
        with pytest.raises(BadAnswerError) as caught:
            [page async for page in connected(connect, url).upstream.images_of("pet_1")]
    assert caught.value.reason == reason


async def test_bytes_after_an_answer_are_no_answer_to_the_next_question(connect):
    """A proxy that is out of step would give an image another one's vectors."""
    smuggled = Raw(http(insight()).data + http(insight(quality_score=0.0)).data, closes=False)
    async with answering(smuggled) as url:
        upstream = connected(connect, url).upstream
        for _ in range(3):
            with suppress(SourceError):
                assert (await upstream.insight(IMAGE)).image.quality == 0.5


async def test_a_reason_is_logged_once(connect, caplog):
    async with answering(BAD["zeros"][0]) as url:
        upstream = connected(connect, url).upstream
        with caplog.at_level(logging.INFO):
            for _ in range(20):
                with pytest.raises(BadAnswerError):
                    await upstream.insight(IMAGE)
    assert len(caplog.records) == 1
    assert caplog.records[0].data == {"reason": "vector", "error": "embedding: a vector is not all zeros"}


async def test_bad_vectors_are_their_images_affair_and_pages_the_services(connect):
    for name, is_open in (("zeros", False), ("a page", True)):
        async with answering(BAD[name][0]) as url:
            client = connected(connect, url)
            for _ in range(FAILURES - 1):
                with pytest.raises(BadAnswerError):
                    await client.upstream.insight(IMAGE)
            with pytest.raises(SourceUnavailableError if is_open else BadAnswerError):
                await client.upstream.insight(IMAGE)
            assert client.upstream.is_open is is_open


class Told:
    """A client that gives these bytes."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    async def get(self, _path: str) -> bytes:
        return self._body


@st.composite
def nearly_right(draw: st.DrawFn) -> bytes:
    """A good answer with some bytes changed, left out or doubled."""
    body = bytearray(insight(tags={"a": [1, None]}, captured_at="2025-10-30T12:00:00Z", pose_category="side"))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(body) - 1))
        body[at : at + draw(st.integers(0, 3))] = draw(st.binary(max_size=3))
    return bytes(body)


@given(st.one_of(nearly_right(), st.binary(max_size=200)))
async def test_any_bytes_are_an_insight_or_a_bad_answer(body):
    source = StorageService(Told(body), InsightsSettings())
    for ask in (source.insight(IMAGE), anext(source.images_of("pet_1"), None)):
        with suppress(BadAnswerError):
            await ask
