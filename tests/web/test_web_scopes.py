"""Every route by every scope: who is let in, who is told what is missing."""

import json

import pytest
from aiohttp import ClientSession

from sploot_clusterd.config import SCOPES, Scope
from sploot_clusterd.web.route import INTERNAL, Route
from sploot_clusterd.web.routes import FEED, ROUTES
from tests.web.service import CLUSTERS, CORRECTING, JOB, JOBS, TOKEN, Serve, Service, body_for, path_of, raw, token_for

GUARDED = [route for route in ROUTES if route.guarded]
TWICE = b'{"pet_id":"pet_123","payload":{"image_ids":["a"]},"payload":' + CORRECTING.split(b'"payload":')[1]
NDJSON = "application/x-ndjson"


def request(route: Route, token: str) -> bytes:
    body = body_for(route.path) if route.method == "POST" else b""
    return raw(route.method, path_of(route), body, X_Internal_Token=token)


def test_below_internal_every_route_has_a_scope_and_no_other_one_has():
    assert {route.path: route.scope in SCOPES for route in ROUTES} == {
        route.path: route.path.startswith(INTERNAL) for route in ROUTES
    }
    assert {route.scope for route in GUARDED} == set(SCOPES)


@pytest.mark.parametrize("route", GUARDED, ids=lambda route: f"{route.method} {route.path}")
async def test_a_route_is_open_to_its_scope_alone(service: Service, route: Route):
    expected, answered = {}, {}
    for scope in SCOPES:
        reply = await service.send(request(route, token_for(scope)))
        answered[scope] = json.loads(reply.body)["detail"] if reply.status == 403 else reply.status // 100
        expected[scope] = 2 if scope == route.scope else f"missing scope: {route.scope}"
    for token in ("", "wrong"):
        answered[token] = (await service.send(request(route, token))).status
        expected[token] = 401
    assert answered == expected
    assert (await service.send(request(route, TOKEN))).status // 100 == 2


@pytest.mark.parametrize("scope", SCOPES)
async def test_a_scope_opens_neither_other_paths_nor_other_methods(service: Service, scope: Scope):
    async with ClientSession(service.url, headers={"X-Internal-Token": token_for(scope)}) as client:
        asked = ("GET", "/internal/no/such"), ("PUT", CLUSTERS), ("HEAD", CLUSTERS)
        statuses = [(await client.request(method, path)).status for method, path in asked]

    assert statuses == [404, 405, 200 if scope == "read" else 403]


async def test_a_route_whose_scope_was_forgotten_lets_in_nobody(monkeypatch: pytest.MonkeyPatch, serve: Serve):
    monkeypatch.setattr("sploot_clusterd.web.app.FEED", [route._replace(scope=None) for route in FEED])
    service = await serve()

    assert (await service.send(raw("GET", "/internal/feed"))).status == 403


async def test_whoever_is_not_let_in_has_no_effect_and_the_body_is_not_read(service: Service):
    head = raw("POST", JOBS, X_Internal_Token=token_for("read"), Content_Length=str(2**20))

    reply = await service.send(head)  # and not a byte of the body

    assert (reply.status, reply.headers["connection"]) == (403, "close")
    for scope in ("read", "correct", "submit", "operate"):
        await service.send(raw("DELETE", "/internal/pets/pet_123", X_Internal_Token=token_for(scope)))
    assert (service.store.jobs, list(service.store.views)) == ([], ["pet_123"])


@pytest.mark.parametrize("job", [CORRECTING, TWICE], ids=["once", "twice"])
async def test_who_may_submit_may_not_correct(service: Service, job: bytes):
    reply = await service.send(raw("POST", JOBS, job, X_Internal_Token=token_for("submit")))

    assert reply.status == 403
    assert json.loads(reply.body) == {"detail": "missing scope: correct (the job has corrections)"}
    assert service.store.jobs == []
    assert (await service.send(raw("POST", JOBS, job))).status == 202


async def test_in_a_batch_each_job_with_corrections_is_refused_by_itself(service: Service):
    lines = b"\n".join([JOB, CORRECTING, JOB])

    reply = await service.send(
        raw("POST", f"{JOBS}/batch", lines, X_Internal_Token=token_for("submit"), Content_Type=NDJSON)
    )

    results = [json.loads(line) for line in reply.body.splitlines()]
    assert [result["status"] for result in results] == ["accepted", 403, "accepted"]
    assert results[1] == {"detail": "missing scope: correct (the job has corrections)", "line": 2, "status": 403}
    assert len(service.store.jobs) == 2
    await service.send(raw("POST", f"{JOBS}/batch", lines, Content_Type=NDJSON))
    assert len(service.store.jobs) == 5


async def test_uses_are_counted_by_name_also_those_that_were_refused(service: Service):
    for path in (CLUSTERS, "/internal/health/redis"):
        await service.send(raw("GET", path, X_Internal_Token=token_for("read")))

    assert service.counted("http_token_uses_total", slot="read/0") == 2
