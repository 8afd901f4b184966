"""What is asked, how much of it at once, and when the service is left alone."""

import asyncio
import json
import time

import numpy as np
import pytest

from sploot_clusterd.config import LimitsSettings, Secret
from sploot_clusterd.errors import ConfigError
from sploot_clusterd.insights import breaker
from sploot_clusterd.insights.breaker import FAILURES
from sploot_clusterd.insights.source import Shown, SourceRefusesError, SourceUnavailableError
from sploot_clusterd.model import JobPayload, JobRequest
from sploot_clusterd.wire.vectors import insights
from tests.docs.pages import ROOT, only_block
from tests.engine.synthetic import Fleet
from tests.insights.storage_service import MODEL, TOKEN, Faults, StorageService, insight_of
from tests.support.waiting import eventually

ALBUM = Fleet(16).album(0)


async def all_of(upstream, pet_id):
    return [image_id async for page in upstream.images_of(pet_id) for image_id in page]


async def outcome(upstream, image_id="pet-0_0"):
    """What asking comes to."""
    try:
        return await upstream.insight(image_id)
    except SourceUnavailableError as error:
        return error


async def break_off(client, storage):
    """Until the service is left alone."""
    storage.faults = Faults(status=500)
    for _ in range(FAILURES):
        assert isinstance(await outcome(client.upstream), SourceUnavailableError)


async def test_an_insight_is_what_the_embedder_wrote(client):
    found = await client.upstream.insight("pet-0_0")
    assert found.model_version == MODEL
    assert (found.image.image_id, found.image.label) == ("pet-0_0", None)
    assert found.image.quality == pytest.approx(ALBUM.quality[0])
    [insight] = insights(JobRequest("p", payload=JobPayload(images=[found.image])), LimitsSettings())
    assert np.array_equal(insight.vectors["embedding"], ALBUM.embedding[0])


@pytest.mark.parametrize("end", ["", "/", "/internal", "/internal/"])
async def test_the_url_may_end_with_internal(storage, connect, end):
    assert await connect(storage.url + end).upstream.insight("pet-0_0")


@pytest.mark.parametrize(("field", "label"), [("pose_category", "side"), ("species", "cat"), ("none", None)])
async def test_a_field_becomes_the_label(storage, connect, field, label):
    storage.keep("pet-9", "img", {**insight_of(ALBUM, 0), "pose_category": "side"})
    found = await connect(storage.url, label_field=field).upstream.insight("img")
    assert found.image.label == label


@pytest.mark.parametrize(("field", "version"), [("processor_version", MODEL), ("encoder", "clip@3"), ("none", None)])
async def test_a_field_names_the_encoder(storage, connect, field, version):
    storage.keep("pet-9", "img", {**insight_of(ALBUM, 0), "encoder": "clip@3"})
    found = await connect(storage.url, version_field=field).upstream.insight("img")
    assert found.model_version == version


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"label_field": "quality_score"}, r"insights\.label_field: quality_score"),
        ({"version_field": "embedding"}, r"insights\.version_field: embedding"),
        ({"label_field": "species", "version_field": "species"}, r"insights\.label_field: species"),
    ],
)
def test_a_field_with_a_meaning_of_its_own_is_refused(connect, fields, named):
    with pytest.raises(ConfigError, match=f"{named} has a meaning of its own"):
        connect("http://127.0.0.1:1", **fields)


def test_two_fields_may_be_none(connect):
    connect("http://127.0.0.1:1", label_field="none", version_field="none")


async def test_what_is_not_known_yet_is_none(client, storage):
    storage.keep("pet-0", "without", {"has_embedding": False, "embedding": None})
    storage.keep("pet-0", "bare", {"quality_score": 0.5})
    assert [await client.upstream.insight(image_id) for image_id in ("nobody", "without", "bare")] == [None] * 3
    assert client.outcomes() == {"missing": 3}


async def test_a_list_comes_in_pages_each_id_once(client, storage):
    storage.pets["many"] = [*map(str, range(1200)), "7"]
    pages = [page async for page in client.upstream.images_of("many")]
    assert [len(page) for page in pages] == [500, 500, 200]
    assert [image_id for page in pages for image_id in page] == [*map(str, range(1200))]
    assert await all_of(client.upstream, "nobody") == []


async def test_ids_may_be_numbers(client, storage):
    storage.pets["numbers"] = [1, 2, 3]
    assert await all_of(client.upstream, "numbers") == ["1", "2", "3"]


async def test_what_is_told_has_no_quality(client, storage):
    shown = Shown("pet-0", "pet-0_0", "pet-0-cluster-1", "Portraits", 0, 0.75, is_hero=True, model_version=MODEL)
    await client.upstream.tell(shown)
    cluster = {"id": "pet-0-cluster-1", "label": "Portraits", "position": 0, "score": 0.75, "is_hero": True}
    told = {"source_image_id": "pet-0_0", "processor_version": MODEL, "tags": {"cluster": cluster}}
    assert storage.told == [told]


async def test_what_is_told_is_what_the_page_shows(client, storage):
    shown = json.loads(only_block(ROOT / "docs/insights.md", "written back").text)
    cluster = shown["tags"]["cluster"]
    where = (cluster["id"], cluster["label"], cluster["position"], cluster["score"])
    of = {"is_hero": cluster["is_hero"], "model_version": shown["processor_version"]}
    await client.upstream.tell(Shown("pet_123", shown["source_image_id"], *where, **of))
    assert storage.told == [shown]


async def test_so_many_at_once(storage, connect):
    storage.faults = Faults(seconds=0.02)
    upstream = connect(storage.url, concurrency=3).upstream
    await asyncio.gather(*(upstream.insight(f"pet-0_{at}") for at in range(12)))
    assert storage.most_at_once == 3


async def test_so_many_a_second(storage, connect):
    upstream = connect(storage.url, rate=100.0).upstream
    await upstream.insight("pet-0_0")
    began = time.monotonic()
    await asyncio.gather(*(upstream.insight("pet-0_0") for _ in range(40)))
    assert 0.28 < time.monotonic() - began < 10.0


async def test_a_service_in_trouble_is_left_alone_and_found_again(client, storage, monkeypatch):
    with monkeypatch.context() as patched:
        for pause in ("_FIRST_PAUSE", "_LONGEST_PAUSE"):
            patched.setattr(breaker, pause, 3600.0)
        await break_off(client, storage)
    seen = storage.answered
    assert client.upstream.is_open
    assert client.count("breaker") == 2
    assert client.health.warnings() == [
        "images wait for their insights: the storage service is in trouble (it answers 500)"
    ]
    assert client.health.reasons() == []
    with pytest.raises(SourceUnavailableError, match="not asked: the storage service is in trouble"):
        await client.upstream.insight("pet-0_0")
    assert storage.answered == seen
    storage.faults = Faults()
    client.upstream._breaker.look_again()  # as if the pause were over: tests of the breaker say how long it is
    await client.upstream.ready()
    assert await client.upstream.insight("pet-0_0")
    assert not client.upstream.is_open
    assert client.health.warnings() == []
    assert client.count("breaker") == 0


async def test_one_request_finds_out(client, storage):
    await break_off(client, storage)
    seen = storage.answered
    await client.upstream.ready()
    outcomes = await asyncio.gather(*(outcome(client.upstream) for _ in range(10)))
    assert storage.answered == seen + 1
    assert all(isinstance(each, SourceUnavailableError) for each in outcomes)


async def test_who_waits_is_woken_by_the_probes_answer(client, storage):
    await break_off(client, storage)
    await client.upstream.ready()
    storage.faults = Faults(seconds=0.2)
    probe = asyncio.create_task(client.upstream.insight("pet-0_0"))
    await eventually(lambda: client.count("breaker") == 1, what="the probe to be under way")
    await client.upstream.ready()
    assert await asyncio.wait_for(probe, 20)


async def test_a_probe_that_is_cancelled_leaves_its_place(client, storage):
    await break_off(client, storage)
    await client.upstream.ready()
    storage.faults = Faults(seconds=30)
    probe = asyncio.create_task(client.upstream.insight("pet-0_0"))
    await eventually(lambda: client.count("breaker") == 1, what="the probe to be under way")
    probe.cancel()
    storage.faults = Faults()
    await asyncio.wait([probe])
    await client.upstream.ready()
    assert await client.upstream.insight("pet-0_0")


@pytest.mark.parametrize("status", [429, 503])
async def test_retry_after_is_obeyed(client, storage, status):
    storage.faults = Faults(status=status, retry_after="1")
    with pytest.raises(SourceUnavailableError) as caught:
        await client.upstream.insight("pet-0_0")
    assert caught.value.retry_after == 1
    storage.faults = Faults()
    began = time.monotonic()
    await client.upstream.ready()
    assert 0.9 < time.monotonic() - began < 10


@pytest.mark.parametrize("status", [401, 403])
async def test_a_refused_token_is_named_and_asked_no_more_until_it_is_replaced(connect, storage, status):
    client = connect(storage.url, token=Secret("another-one"))
    storage.faults = Faults(status=status if status == 403 else 0)
    with pytest.raises(SourceRefusesError):
        await client.upstream.insight("pet-0_0")
    seen = storage.answered
    assert "insights.token" in client.health.warnings()[0]
    with pytest.raises(SourceUnavailableError):
        await client.upstream.insight("pet-0_0")
    assert storage.answered == seen
    waiting = asyncio.create_task(client.upstream.ready())
    await asyncio.sleep(0)
    storage.faults = Faults()
    client.upstream.replace_token(Secret(TOKEN))
    await asyncio.wait_for(waiting, 20)  # and not the minute of a refusal
    assert await client.upstream.insight("pet-0_0")
    assert client.health.warnings() == []


async def test_a_token_that_is_refused_when_it_is_replaced_already_holds_nobody_up(connect, storage):
    client = connect(storage.url, token=Secret("another-one"))
    storage.faults = Faults(seconds=0.2)
    asked = asyncio.create_task(outcome(client.upstream))
    await eventually(lambda: storage.at_once, what="the request to arrive")
    client.upstream.replace_token(Secret(TOKEN))
    with pytest.raises(SourceRefusesError):
        await asked
    await asyncio.wait_for(client.upstream.ready(), 20)
    assert await client.upstream.insight("pet-0_0")


async def test_a_service_that_fails_one_in_ten_is_asked_on(client, storage):
    storage.faults = Faults(failing=0.1)
    await asyncio.gather(*(outcome(client.upstream) for _ in range(300)))
    assert client.outcomes().keys() == {"ok", "unavailable"}
    assert not client.upstream.is_open


@pytest.mark.parametrize("faults", [Faults(seconds=2.0), Faults(drips=True), Faults(resets=1.0), Faults(lost=1.0)])
async def test_an_answer_that_does_not_come_is_no_answer(storage, connect, faults):
    storage.faults = faults
    with pytest.raises(SourceUnavailableError):
        await connect(storage.url, timeout_seconds=0.3).upstream.insight("pet-0_0")


async def test_a_service_that_is_not_there(connect):
    async with StorageService.serving() as service:
        client = connect(service.url)
    with pytest.raises(SourceUnavailableError):
        await client.upstream.insight("pet-0_0")
