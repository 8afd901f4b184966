"""Paths of any form, and queries, on routes that the contract has none of."""

import json
from typing import Annotated, Literal

import msgspec
import pytest
from aiohttp.streams import EMPTY_PAYLOAD
from aiohttp.test_utils import make_mocked_request
from yarl import URL

from sploot_clusterd.config import LimitsSettings, Secret
from sploot_clusterd.inflight import InFlight
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.web import Tokens
from sploot_clusterd.web.answers import Response, answer
from sploot_clusterd.web.openapi import Document
from sploot_clusterd.web.route import Route
from sploot_clusterd.web.routes import ROUTES as CONTRACT
from sploot_clusterd.web.routing import Router
from tests.web.json_schema import errors
from tests.web.service import TOKEN

IMAGES = "/internal/pets/{pet_id}/clusters/{cluster_id}/images"


class Page(msgspec.Struct):
    before: str
    limit: Annotated[int, msgspec.Meta(ge=1, le=100)] = 10
    order: Literal["newest", "oldest"] = "newest"
    full: bool = False


class Sample:
    async def ids(self, _request, *ids: str) -> Response:
        return answer(ids)

    async def newest(self, _request, *_ids: str) -> Response:
        return answer("newest")

    async def page(self, _request, pet_id: str, page: Page) -> Response:
        return answer([pet_id, page])


ROUTES = (
    Route("GET", IMAGES, "read", Sample.ids, "Images.", {}),
    Route("DELETE", IMAGES, "read", Sample.newest, "No images.", {}),
    Route("GET", "/internal/jobs/{job_id}", "read", Sample.ids, "A job.", {}),
    Route("GET", "/internal/jobs/newest", "read", Sample.newest, "A job.", {}),
    Route("GET", "/internal/pets/{pet_id}/jobs", "read", Sample.page, "Jobs.", {}, query=Page),
)


async def ask(path: str, method: str = "GET", token: str = TOKEN) -> tuple[int, object]:
    router = Router(Tokens([Secret(TOKEN)]), LimitsSettings(), Metrics(), InFlight())
    router.add(ROUTES, Sample())
    path, _, query = path.partition("?")
    request = make_mocked_request(method, path, {"X-Internal-Token": token}, payload=EMPTY_PAYLOAD)
    url = URL.build(path=path, query_string=query, encoded=True)  # as aiohttp's parser makes it
    response = await router.handle(request.clone(rel_url=url))
    return response.status, json.loads(response.body)


@pytest.mark.parametrize(
    ("path", "ids"),
    [
        ("/internal/jobs/job_1", ["job_1"]),
        ("/internal/jobs/newest", "newest"),
        (IMAGES.format(pet_id="pet_1", cluster_id="pet_1-cluster-0"), ["pet_1", "pet_1-cluster-0"]),
    ],
)
async def test_a_path_is_found_with_its_ids(path, ids):
    assert await ask(path) == (200, ids)
    assert await ask(path, token="wrong") == (401, {"detail": "invalid internal token"})


@pytest.mark.parametrize(
    "path",
    [
        "/internal/jobs",
        "/internal/jobs/",
        "/internal/jobs/a/",
        "/internal/jobs/a/b",
        "/internal/pets/a/clusters//images",
        "/internal/pets//clusters/a/images",
        "/internal/pets/a/clusters/b/image",
        "x/internal/jobs/a",
        "/" * 4000,
    ],
)
async def test_a_path_that_fits_nowhere_is_a_404(path):
    assert await ask(path) == (404, {"detail": "not found"})


@pytest.mark.parametrize("bad", ["a%20b", "a%2Fb", "a" * 153, "%00"])
async def test_each_id_keeps_the_rule_and_is_named(bad):
    rule = "expected 1 to 128 of the characters A-Z a-z 0-9 . _ : -"
    of_clusters = rule.replace("128", "152")  # a pet's id is in them
    assert await ask(f"/internal/jobs/{bad}") == (422, {"detail": f"job_id: {rule}"})
    assert await ask(IMAGES.format(pet_id="a", cluster_id=bad)) == (422, {"detail": f"cluster_id: {of_clusters}"})
    assert await ask(IMAGES.format(pet_id=bad, cluster_id="a")) == (422, {"detail": f"pet_id: {rule}"})


async def test_methods_of_one_path_share_it():
    path = IMAGES.format(pet_id="a", cluster_id="b")
    assert await ask(path, "POST") == (405, {"detail": "method not allowed here: DELETE, GET, HEAD only"})
    assert [await ask(path, method) for method in ("HEAD", "DELETE")] == [(200, ["a", "b"]), (200, "newest")]


JOBS = "/internal/pets/pet_1/jobs?"


@pytest.mark.parametrize(
    ("query", "page"),
    [
        ("before=2-0", {"before": "2-0", "limit": 10, "order": "newest", "full": False}),
        ("order=oldest&limit=100&full=true&before=", {"before": "", "limit": 100, "order": "oldest", "full": True}),
        ("before=1&before=2&unknown=3", {"before": "1", "limit": 10, "order": "newest", "full": False}),
        ("before=%FF%00", {"before": "\ufffd\x00", "limit": 10, "order": "newest", "full": False}),
    ],
)
async def test_a_query_is_decoded(query, page):
    assert await ask(JOBS + query) == (200, ["pet_1", page])


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("", "before: this field is required"),
        ("before=&limit=0", "limit: expected `int` >= 1"),
        ("before=&limit=101", "limit: expected `int` <= 100"),
        ("before=&limit=ten", "limit: expected `int`, got `str`"),
        ("before=&order=random", "order: invalid enum value 'random'"),
        ("before=\udcff", "the query: expected UTF-8"),
        ("before=&\udcff=", "the query: expected UTF-8"),
    ],
)
async def test_a_bad_query_is_told_which_field(query, detail):
    assert await ask(JOBS + query) == (422, {"detail": detail})


def test_parameters_of_path_and_query_are_documented():
    content = Document((*CONTRACT, *ROUTES), LimitsSettings()).content()
    operation = content["paths"]["/internal/pets/{pet_id}/jobs"]["get"]
    parameters = {parameter["name"]: parameter for parameter in operation["parameters"]}
    assert [(name, each["in"], each["required"]) for name, each in parameters.items()] == [
        ("pet_id", "path", True),
        ("before", "query", True),
        ("limit", "query", False),
        ("order", "query", False),
        ("full", "query", False),
    ]
    assert errors(parameters["limit"]["schema"], 100, content) == []
    assert errors(parameters["limit"]["schema"], 101, content) != []
    assert errors(parameters["pet_id"]["schema"], "a" * 129, content) != []
    assert [parameter["name"] for parameter in content["paths"][IMAGES]["delete"]["parameters"]] == [
        "pet_id",
        "cluster_id",
    ]
