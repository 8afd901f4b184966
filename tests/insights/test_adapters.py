"""Adapters by name; and the one that the page shows, as it stands there."""

import tomllib
from collections.abc import AsyncIterator
from importlib.metadata import EntryPoint
from types import ModuleType

import pytest
from aiohttp import web

from sploot_clusterd.errors import ConfigError
from sploot_clusterd.insights import adapters
from sploot_clusterd.insights.adapters import load_adapter
from sploot_clusterd.insights.source import BadAnswerError, Fetched, Shown
from sploot_clusterd.insights.storage_service import StorageService
from sploot_clusterd.model import ImageInsight, PackedVector
from tests.docs.pages import ROOT, only_block
from tests.insights.storage_service import TOKEN

PAGE = ROOT / "docs/insights.md"


@pytest.fixture
def installed(monkeypatch):
    """Entry points as if other packages had them: each name loads what is given for it, or raises it."""

    def install(**targets):
        class Entry(EntryPoint):
            def load(self):
                target = targets[self.name]
                if isinstance(target, Exception):
                    raise target
                return target

        entries = [Entry(name, "package:Name", adapters.GROUP) for name in targets]
        monkeypatch.setattr(adapters, "entry_points", lambda group: entries if group == adapters.GROUP else [])

    return install


@pytest.fixture
async def photo_index() -> AsyncIterator[str]:
    """The service that the page's adapter speaks to."""
    pages = {"": {"photos": ["a", "b"], "next": "/v2/albums/pet?after=b"}, "b": {"photos": ["c"]}}

    async def photo(request: web.Request) -> web.Response:
        if request.headers["Authorization"] != f"Bearer {TOKEN}":
            return web.json_response(status=401)
        known = {"a": {"vector": [3, 4], "encoder": "clip@3"}, "b": {"vector": "none", "encoder": "clip@3"}}
        found = known.get(request.match_info["id"])
        return web.json_response(found, status=200 if found else 404)

    async def album(request: web.Request) -> web.Response:
        return web.json_response(pages[request.query.get("after", "")])

    app = web.Application()
    app.router.add_get("/v2/photos/{id}", photo)
    app.router.add_get("/v2/albums/pet", album)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


def of_the_page():
    """The page's adapter, and the name that its package gives it."""
    module = ModuleType("photo_index")
    exec(only_block(PAGE, "adapter").text, vars(module))
    [(name, target)] = tomllib.loads(only_block(PAGE, "adapter entry").text)["project"]["entry-points"][
        adapters.GROUP
    ].items()
    assert target.split(":")[0] == module.__name__
    return name, getattr(module, target.split(":")[1])


def test_the_pages_adapter_has_thirty_lines():
    lines = [line for line in only_block(PAGE, "adapter").text.splitlines() if line.strip()]
    assert len(lines) <= 32


async def test_the_pages_adapter_works(installed, connect, photo_index):
    name, adapter = of_the_page()
    installed(**{name: adapter})
    upstream = connect(photo_index, adapter=name).upstream
    found = await upstream.insight("a")
    assert found == Fetched(ImageInsight("a", embedding=PackedVector("f32", "AABAQAAAgEA=")), "clip@3")
    assert await upstream.insight("c") is None
    with pytest.raises(BadAnswerError, match="vector") as caught:
        await upstream.insight("b")
    assert caught.value.reason == "shape"
    assert [page async for page in upstream.images_of("pet")] == [["a", "b"], ["c"]]
    await upstream.tell(Shown("pet", "a", None, None, 0, 0.0, is_hero=False))


def test_the_built_in_one_needs_no_package(installed):
    installed()
    assert load_adapter("storage_service") is StorageService


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("missing", "insights.adapter: 'missing' is not installed; available: broken, storage_service"),
        ("broken", "insights.adapter: 'broken' cannot be loaded: ImportError('no such thing')"),
    ],
)
def test_an_adapter_that_cannot_be_had_is_named(installed, name, said):
    installed(broken=ImportError("no such thing"))
    with pytest.raises(ConfigError) as caught:
        load_adapter(name)
    assert str(caught.value) == said


class Careless:
    """An adapter with every bug."""

    def __init__(self, answer) -> None:
        self._answer = answer

    async def insight(self, _image_id):
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer

    async def images_of(self, _pet_id):
        yield await self.insight("")

    async def close(self) -> None:
        pass


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (KeyError("vector"), "adapter"),
        (Fetched(ImageInsight("b", embedding=[1.0]), None), "other_image"),
        (Fetched(ImageInsight("a", embedding=[float("nan")]), None), "vector"),
        (Fetched(ImageInsight("a", embedding=["x"]), None), "adapter"),
        (Fetched(ImageInsight("a", embedding=[1.0], quality="good"), None), "shape"),
        (Fetched(ImageInsight("a", embedding=[1.0]), "two\nlines"), "shape"),
        (Fetched(ImageInsight("a", embedding=[1.0]), 3), "adapter"),
        ("nonsense", "adapter"),
    ],
)
async def test_a_careless_adapter_ends_nothing(installed, connect, answer, reason):
    installed(careless=lambda _http, _settings: Careless(answer))
    client = connect("http://127.0.0.1:1", adapter="careless")
    with pytest.raises(BadAnswerError) as caught:
        await client.upstream.insight("a")
    assert caught.value.reason == reason
    assert client.count("bad_answers_total", reason=reason) == 1
    assert not client.upstream.is_open


async def test_a_list_that_is_none_is_the_adapters_fault(installed, connect):
    class NoList(Careless):
        def images_of(self, pet_id):
            return [pet_id]

    installed(careless=lambda _http, _settings: NoList(None))
    with pytest.raises(BadAnswerError) as caught:
        [page async for page in connect("http://127.0.0.1:1", adapter="careless").upstream.images_of("pet")]
    assert caught.value.reason == "adapter"


async def test_an_insight_without_vectors_is_none_yet(installed, connect):
    answer = Fetched(ImageInsight("a", quality=0.5), None)
    installed(careless=lambda _http, _settings: Careless(answer))
    assert await connect("http://127.0.0.1:1", adapter="careless").upstream.insight("a") is None
