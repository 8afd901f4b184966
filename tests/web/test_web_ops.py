"""The metrics port, and what metrics cost."""

import json
import secrets

import aiohttp
import pytest
from aiohttp import ClientSession
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from sploot_clusterd.config import Secret
from sploot_clusterd.health import Health
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.web import HttpServer, Listening, Tokens, build_ops_app
from tests.web.service import TOKEN, Service


@pytest.fixture
async def health():
    return Health(stale_after=60)


@pytest.fixture
def scrapers():
    """Whose tokens the metrics want: at first there are none, and everybody may read them."""
    return Tokens()


@pytest.fixture
async def ops(health, scrapers):
    metrics = Metrics()
    app = build_ops_app(metrics, health, scrapers)
    server = HttpServer(app, Listening("127.0.0.1", 0), name="metrics", metrics=metrics, health=health)
    await server.start()
    async with aiohttp.ClientSession(f"http://127.0.0.1:{server.port}") as session:
        yield session
    await server.stop()


@pytest.mark.parametrize(
    ("accept", "content_type", "parse"),
    [
        (None, "text/plain; version=0.0.4; charset=utf-8", parse_text),
        ("*/*", "text/plain; version=0.0.4; charset=utf-8", parse_text),
        ("text/plain;version=nonsense;escaping=\t", "text/plain; version=0.0.4; charset=utf-8", parse_text),
        (
            "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5",
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
            parse_openmetrics,
        ),
        (
            "application/openmetrics-text;version=x;escaping=y",
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
            parse_openmetrics,
        ),
    ],
)
async def test_metrics_come_in_the_form_asked_for(ops: ClientSession, accept, content_type, parse):
    async with ops.get("/metrics", headers={"Accept": accept} if accept else {}) as answer:
        assert (answer.status, answer.headers["Content-Type"]) == (200, content_type)
        names = {family.name for family in parse(await answer.text())}

    assert "media_cluster_http_connections" in names


async def test_probes_need_no_token_there_either(ops: ClientSession, health: Health):
    health.set_fault("redis", "redis unavailable")

    async with ops.get("/healthz") as answer:
        assert (answer.status, await answer.json()) == (200, {"status": "ok"})
    async with ops.get("/readyz") as answer:
        assert (answer.status, (await answer.json())["reasons"]) == (503, ["redis unavailable"])


SCRAPER = "the-token-of-the-scraper"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"X-Internal-Token": SCRAPER}, 200),
        ({"Authorization": f"Bearer {SCRAPER}"}, 200),
        ({"Authorization": f"bearer  {SCRAPER} "}, 200),
        ({"Authorization": SCRAPER}, 401),
        ({"Authorization": f"Basic {SCRAPER}"}, 401),
        ({"Authorization": "Bearer"}, 401),
        ({"Authorization": "Bearer ", "X-Internal-Token": SCRAPER}, 401),
        ({"Authorization": "Bearer \udcff"}, 401),
        ({"Authorization": f"Bearer {SCRAPER}x"}, 401),
        ({"X-Internal-Token": TOKEN}, 401),
    ],
)
async def test_where_scrapers_have_a_token_the_metrics_want_it(ops: ClientSession, scrapers: Tokens, headers, status):
    scrapers.replace([Secret("another-token-of-before"), Secret(SCRAPER)])

    async with ops.get("/metrics", headers=headers) as answer:
        assert answer.status == status
        if status == 401:
            assert await answer.json() == {"detail": "invalid metrics token"}
            assert answer.headers["WWW-Authenticate"] == "Bearer"
            assert (await answer.text()).count("media_cluster") == 0


async def test_probes_stay_open_where_scrapers_have_a_token(ops: ClientSession, scrapers: Tokens):
    scrapers.replace([Secret(SCRAPER)])

    for probe in ("/healthz", "/readyz"):
        async with ops.get(probe) as answer:
            assert answer.status == 200


async def test_nothing_else_is_there(ops: ClientSession):
    async with ops.get("/internal/pets/pet_123/clusters") as answer:
        assert (answer.status, await answer.json()) == (404, {"detail": "not found"})
    async with ops.post("/metrics") as answer:
        assert answer.status == 405


async def test_requests_are_counted_by_route_and_status(client: ClientSession, service: Service):
    for pet_id in ("pet_123", "pet_123", "pet_9"):
        async with client.get(f"/internal/pets/{pet_id}/clusters"):
            pass

    route = "/internal/pets/{pet_id}/clusters"
    assert service.counted("http_requests_total", route=route, status="200") == 2
    assert service.counted("http_requests_total", route=route, status="404") == 1
    assert service.counted("http_request_seconds_count", route=route) == 3


async def test_series_do_not_grow_with_pets_and_paths(client: ClientSession, service: Service):
    def series() -> int:
        return sum(len(family.samples) for family in service.metrics.registry.collect())

    async def visit(count: int) -> None:
        for _ in range(count):
            name = secrets.token_hex(8)
            for path in (
                f"/internal/pets/{name}/clusters",
                f"/internal/{name}",
                f"/{name}",
                f"/internal/pets/%00{name}",
            ):
                async with client.get(path) as answer:
                    assert answer.status in {404, 405}

    await visit(1)
    before = series()
    await visit(100)

    assert series() == before
    assert service.counted("http_requests_total", route="(unknown)", status="404") == 202


async def test_the_access_log_is_off_until_asked_for(client: ClientSession, caplog):
    async with client.get("/healthz"):
        assert caplog.records == []

    caplog.set_level("DEBUG", "sploot_clusterd.access")
    async with client.get("/internal/pets/a%0Ab/clusters?x=1"):
        pass

    assert len(caplog.records) == 1
    data = caplog.records[0].data
    assert data.pop("ms") >= 0
    assert data == {
        "method": "GET",
        "path": "/internal/pets/a%0Ab/clusters?x=1",
        "status": 422,
        "remote": "127.0.0.1",
    }
    assert "\n" not in json.dumps(data)
