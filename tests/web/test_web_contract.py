"""The HTTP contract as a table: route, what is sent, status, body."""

import asyncio
import json
import urllib.request
from urllib.parse import unquote

import pytest
from aiohttp import ClientSession

from sploot_clusterd.errors import BacklogFullError, StoreRefusesError, StoreUnavailableError
from sploot_clusterd.web.routes import ROUTES
from tests.web.fake_store import SUGGESTED
from tests.web.service import (
    CLUSTERS,
    CORRECTIONS,
    GUARDED,
    JOB,
    JOBS,
    TOKEN,
    VIEW,
    Service,
    ask,
    body_for,
    raw,
)

ID_RULE = {"detail": "pet_id: expected 1 to 128 of the characters A-Z a-z 0-9 . _ : -"}


@pytest.mark.parametrize(
    ("method", "path", "status", "body"),
    [
        ("GET", "/healthz", 200, {"status": "ok"}),
        ("GET", "/readyz", 200, {"status": "ready", "reasons": [], "warnings": []}),
        ("GET", CLUSTERS, 200, json.loads(VIEW)),
        ("GET", "/internal/pets/pet_9/clusters", 404, {"detail": "cluster state not found"}),
        ("GET", "/internal/pets/pet_123/suggestions?limit=1", 200, json.loads(SUGGESTED[0])),
        ("GET", "/internal/pets/pet_123/suggestions?limit=x", 422, {"detail": "limit: expected `int`, got `str`"}),
        ("POST", "/internal/pets/pet_123/invalidate", 202, {"status": "removed"}),
        ("POST", "/internal/pets/pet_9/invalidate", 202, {"status": "noop"}),
        ("DELETE", "/internal/pets/pet_123", 200, {"status": "erased"}),
        ("DELETE", "/internal/pets/pet_9", 200, {"status": "noop"}),
        ("GET", "/internal/health/redis", 200, {"status": "ok", "ping_ms": 0.25}),
        ("GET", "/", 404, {"detail": "not found"}),
        ("GET", "/internal", 404, {"detail": "not found"}),
        ("GET", "/internal/pets", 404, {"detail": "not found"}),
        ("GET", "/internal/pets//clusters", 404, {"detail": "not found"}),
        ("GET", JOBS + "/", 404, {"detail": "not found"}),
        ("GET", "/metrics", 404, {"detail": "not found"}),
    ],
)
async def test_answers(client: ClientSession, method, path, status, body):
    assert await ask(client, method, path) == (status, body)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", JOBS, "POST"),
        ("PUT", CLUSTERS, "GET, HEAD"),
        ("GET", "/internal/pets/pet_123", "DELETE"),
        ("OPTIONS", "/internal/pets/pet_123/invalidate", "POST"),
        ("POST", "/healthz", "GET, HEAD"),
    ],
)
async def test_other_methods_are_told_which_to_use(client: ClientSession, method, path, allowed):
    async with client.request(method, path) as answer:
        assert (answer.status, answer.headers["Allow"]) == (405, allowed)
        assert await answer.json() == {"detail": f"method not allowed here: {allowed} only"}


async def test_head_is_get_without_the_body(client: ClientSession):
    async with client.head(CLUSTERS) as answer:
        assert (answer.status, answer.content_length, await answer.read()) == (200, len(VIEW), b"")


async def test_the_view_goes_out_byte_for_byte(client: ClientSession, service: Service):
    service.store.views["pet_1"] = b' {"as": "stored"}\n'

    async with client.get("/internal/pets/pet_1/clusters") as answer:
        assert await answer.read() == b' {"as": "stored"}\n'
        assert answer.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    "route",
    [route for route in ROUTES if "{pet_id}" in route.path],
    ids=lambda route: route.handler.__name__,
)
@pytest.mark.parametrize(
    "pet_id",
    ["a%20b", "a%2Fb", "a%0Ab", "pet%00", "p%C3%A9t", "%FF", "a" * 129, "%7Bp1%7D", "a;b", "a%252Fb", "pet_123%0A"],
)
async def test_ids_in_paths_keep_the_rule(service: Service, route, pet_id):
    answer = await service.send(raw(route.method, route.path.replace("{pet_id}", pet_id)))

    assert (answer.status, json.loads(answer.body)) == (422, ID_RULE)


@pytest.mark.parametrize("spelled", ["..", ".", "%2E%2E", "%2e", ".%2E"])
async def test_pets_that_earlier_versions_took_can_be_read_and_erased_and_get_no_more_jobs(service: Service, spelled):
    pet_id = unquote(spelled)
    service.store.views[pet_id] = VIEW
    path = f"/internal/pets/{spelled}"

    assert (await service.send(raw("GET", f"{path}/clusters"))).body == VIEW
    refused = await service.send(raw("POST", f"{path}/corrections", CORRECTIONS))
    assert refused.status == 422
    assert json.loads(refused.body)["detail"].startswith("pet_id: jobs are taken of no pet called .")
    assert json.loads((await service.send(raw("DELETE", path))).body) == {"status": "erased"}
    assert json.loads((await service.send(raw("POST", f"{path}/invalidate"))).body) == {"status": "noop"}
    assert service.store.jobs == []


@pytest.mark.parametrize("pet_id", ["...", ".a", "a.", "..a", ":", "a:b", "::", "-", "_", "0", "clusters", "a" * 128])
async def test_every_other_id_travels_in_a_path(client: ClientSession, service: Service, pet_id):
    assert (await ask(client, "POST", JOBS, data=JOB.replace(b"pet_123", pet_id.encode())))[0] == 202
    service.store.views[pet_id] = VIEW

    async with client.get(f"/internal/pets/{pet_id}/clusters") as answer:  # of aiohttp: it normalises
        assert await answer.read() == VIEW
    request = urllib.request.Request(
        f"{service.url}/internal/pets/{pet_id}", headers={"X-Internal-Token": TOKEN}, method="DELETE"
    )
    with await asyncio.to_thread(urllib.request.urlopen, request) as answer:
        assert json.loads(answer.read()) == {"status": "erased"}


@pytest.mark.parametrize(
    "error",
    [
        StoreUnavailableError("redis unavailable"),
        StoreRefusesError("redis refuses writes: OOM"),
        BacklogFullError("the backlog is full"),
    ],
)
@pytest.mark.parametrize(("method", "path"), [each for each in GUARDED if "batch" not in each[1]])
async def test_a_store_that_cannot_is_a_503(client: ClientSession, service: Service, method, path, error):
    service.store.error = error

    async with client.request(method, path, data=body_for(path)) as answer:
        assert (answer.status, await answer.json()) == (503, {"detail": str(error)})
        assert int(answer.headers["Retry-After"]) >= 1


@pytest.mark.parametrize("error", [RuntimeError("secret words"), RecursionError(), TimeoutError(), KeyError("x")])
async def test_an_unexpected_error_says_nothing_outside_and_one_line_inside(client, service, caplog, error):
    service.store.error = error

    for _ in range(3):
        assert await ask(client, "GET", "/internal/pets/pet_1/clusters") == (500, {"detail": "internal error"})

    assert [(record.name, record.exc_info[1]) for record in caplog.records] == [("sploot_clusterd.web.routing", error)]


async def test_readiness_gives_its_reasons(client: ClientSession, service: Service):
    service.health.set_fault("redis", "redis unavailable")
    service.health.set_warning("backlog", "backlog full")

    status, body = await ask(client, "GET", "/readyz")

    assert status == 503
    assert body == {
        "status": "not ready",
        "detail": "not ready",
        "reasons": ["redis unavailable"],
        "warnings": ["backlog full"],
    }
    assert await ask(client, "GET", "/healthz") == (200, {"status": "ok"})


async def test_warnings_alone_leave_it_ready(client: ClientSession, service: Service):
    service.health.set_warning("backlog", "backlog full")

    assert await ask(client, "GET", "/readyz") == (
        200,
        {"status": "ready", "reasons": [], "warnings": ["backlog full"]},
    )
