"""Who changed what: every change over HTTP is in the trail and in the log, and nothing else is."""

import json
import logging

import pytest

from sploot_clusterd.config import Grant, Secret
from sploot_clusterd.errors import StoreUnavailableError
from sploot_clusterd.web import auditing
from sploot_clusterd.web.route import PARAMETER
from sploot_clusterd.web.routes import ROUTES
from tests.support.waiting import eventually
from tests.web.answers import CORRECT, DRY_RUN, MENDED, REPLAY_ONE, asked
from tests.web.fake_store import FakeStore
from tests.web.service import (
    CORRECTING,
    CORRECTIONS,
    JOB,
    JOBS,
    PET,
    VIEW,
    Serve,
    Service,
    body_for,
    path_of,
    raw,
    token_for,
)

CHANGES = [route for route in ROUTES if route.method != "GET"]
SUBMITS = [route for route in CHANGES if "cluster-jobs" in route.path]
NDJSON = "application/x-ndjson"


def told(service: Service) -> list[tuple[str, str, str | None, str, int | None]]:
    store = service.store
    return [(each.actor, each.what, each.pet_id, each.outcome, each.jobs) for each in store.audited]


@pytest.mark.parametrize("route", [each for each in CHANGES if each not in SUBMITS], ids=lambda route: route.path)
async def test_every_change_is_told(service: Service, route, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO, logger="sploot_clusterd.audit")
    path, what = path_of(route), route.handler.__name__
    reply = await service.send(raw(route.method, path, body_for(path) if route.method == "POST" else b""))
    pet = "pet_123" if "{pet_id}" in route.path and what != "erase" else None
    answered = json.loads(reply.body)
    outcome, letters = answered["status"], answered.get("letters")
    assert told(service) == [("token 0", what, pet, outcome, letters)]
    (line,) = caplog.records
    assert line.data == {
        name: value
        for name, value in zip(
            ("actor", "what", "pet_id", "outcome", "jobs"), ("token 0", what, pet, outcome, letters), strict=True
        )
        if value is not None
    }


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
async def test_what_is_refused_or_only_read_is_not(service: Service, route):
    path = PARAMETER.sub("pet_9", route.path)
    for token in ("wrong", token_for("read" if route.scope != "read" else "erase")):
        await service.send(raw(route.method, path, body_for(path), X_Internal_Token=token))
    if route.method == "GET":
        await service.send(raw("GET", path))
    else:
        await service.send(raw("POST", path, b"{"))
    await service.auditor.close()
    changed_all_the_same = route.path in (f"{PET}/invalidate", "/internal/resume")  # they look at no body
    assert (told(service) == []) is not changed_all_the_same


@pytest.mark.parametrize("request_", [asked(CORRECT, DRY_RUN), asked(REPLAY_ONE, MENDED[:-1] + b',"dry_run":true}')])
async def test_a_dry_run_is_not(service: Service, request_: bytes):
    reply = await service.send(request_)
    assert (reply.status, told(service)) == (200, [])


async def test_whoever_it_is_has_a_name(serve: Serve):
    service = await serve(FakeStore(views={"pet_123": VIEW}), identity_header="X-User", trusted_proxies=("127.0.0.1",))
    may = frozenset({"operate", "correct"})
    service.tokens.replace([], [Grant("", "people", may, (Secret("t" * 16),), ("ann", "bob"))])
    for headers in ({"X_Internal_Token": "t" * 16}, {"X_Internal_Token": "", "X_User": "staff, bob"}):
        await service.send(raw("POST", "/internal/resume", b"", **headers))
        await service.send(raw("POST", "/internal/pets/pet_123/corrections", CORRECTIONS, **headers))
    assert [each[0] for each in told(service)] == ["people/0", "people/0", "people/bob", "people/bob"]
    assert [json.loads(job)["actor"] for job in service.store.jobs] == ["people/0", "people/bob"]


async def test_jobs_are_counted_by_the_minute_and_corrections_in_them_told(
    service: Service, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(auditing, "_EVERY", 0.01)
    await service.send(raw("POST", JOBS, JOB))
    await service.send(raw("POST", f"{JOBS}/batch", b"\n".join([JOB, b"{", CORRECTING, JOB]), Content_Type=NDJSON))
    await service.send(raw("POST", JOBS, JOB, X_Internal_Token=token_for("submit")))

    def jobs() -> dict[str, int]:
        found: dict[str, int] = {}
        for actor, what, _, _, count in told(service):
            if what == "submit":
                found[actor] = found.get(actor, 0) + count
        return found

    await eventually(lambda: jobs() == {"token 0": 4, "submit/0": 1}, what="jobs to be told of")
    assert [each for each in told(service) if each[1] != "submit"] == [
        ("token 0", "correct", "pet_123", "accepted", None)
    ]


async def test_what_was_counted_is_told_at_the_end(service: Service):
    await service.send(raw("POST", JOBS, JOB))
    assert told(service) == []
    await service.auditor.close()
    assert told(service) == [("token 0", "submit", None, "accepted", 1)]


async def test_where_the_outcome_is_not_known_that_is_told(serve: Serve):
    class Away(FakeStore):
        async def invalidate(self, _pet_id: str) -> bool:
            raise StoreUnavailableError

    service = await serve(Away(views={"pet_123": VIEW}))
    assert (await service.send(raw("POST", "/internal/pets/pet_123/invalidate"))).status == 503
    assert told(service) == [("token 0", "invalidate", "pet_123", "unknown", None)]


async def test_nobodys_answer_depends_on_the_trail(serve: Serve, caplog: pytest.LogCaptureFixture):
    class Full(FakeStore):
        async def add(self, _entry) -> None:
            raise StoreUnavailableError

    service = await serve(Full(views={"pet_123": VIEW}))
    reply = await service.send(raw("POST", "/internal/pets/pet_123/invalidate"))
    assert (reply.status, json.loads(reply.body)) == (202, {"status": "removed"})
    assert "a change is in the log alone" in caplog.text
