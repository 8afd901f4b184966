"""The document that a daemon serves describes what the same daemon answers."""

from typing import Any

import msgspec

from sploot_clusterd.replay.jobs import bodies
from tests.docs.pages import ROOT
from tests.faults.fleet import Fleet
from tests.support.api import Api
from tests.web.json_schema import errors

EXAMPLES = ROOT / "docs/examples"


def schema(document: dict[str, Any], name: str) -> dict[str, Any]:
    return {**document["components"]["schemas"][name], "additionalProperties": {"enum": []}}


async def test_jobs_and_views_are_as_documented(api: Api, fleet: Fleet):
    status, document = await api.ask("GET", "/openapi.json")
    assert status == 200
    views = []
    for name, pet in (("seed.json", "pet_123"), ("vectors.jsonl", "pet_vectors"), ("removals.jsonl", "pet_vectors")):
        for body in bodies(EXAMPLES / name):
            job = msgspec.json.decode(body)
            assert errors(schema(document, "JobRequest"), job, document) == []
            await api.submit(job)
        await fleet.settled()
        views.append(await api.seen(pet))
    for view in views:
        assert errors(schema(document, "View"), view, document) == []
        for cluster in view["clusters"]:
            assert errors(schema(document, "Cluster"), cluster, document) == []
    assert {cluster["provisional"] for view in views for cluster in view["clusters"]} == {True, False}


async def test_the_document_needs_no_token(fleet: Fleet):
    async with fleet.http.get(fleet.daemons[0].url + "/openapi.json", headers={"X-Internal-Token": "wrong"}) as answer:
        assert (answer.status, (await answer.json())["openapi"]) == (200, "3.1.0")
