"""`clusterd dashboards deploy` against a stub of Grafana's API."""

import asyncio
import os

import pytest

from sploot_clusterd.cli import main
from sploot_clusterd.dashboards.model import UID, dashboard
from tests.dashboards.grafana import TOKEN, Grafana
from tests.support.nodes import free_port


@pytest.fixture
async def grafana(aiohttp_server, monkeypatch):
    stub = Grafana()
    server = await aiohttp_server(stub.app)
    monkeypatch.setenv("GRAFANA_URL", f"http://127.0.0.1:{server.port}/grafana/")
    monkeypatch.setenv("GRAFANA_API_TOKEN", TOKEN)
    return stub


async def deploy(*arguments: str) -> int:
    return await asyncio.to_thread(main, ["dashboards", "deploy", *arguments])


async def test_it_is_made_once_and_then_left(grafana, capsys):
    assert await deploy() == 0
    assert grafana.dashboards[UID]["panels"] == dashboard()["panels"]
    assert await deploy() == 0
    assert grafana.asked == ["GET", "POST", "GET"]
    made, left = capsys.readouterr().out.splitlines()
    assert made.endswith(f"/grafana/d/{UID} made: version 1")
    assert left.endswith("is as it should be: nothing to do")


async def test_what_was_changed_there_is_put_right_in_its_folder(grafana, capsys):
    await deploy()
    grafana.dashboards[UID]["title"] = "somebody's"
    grafana.folders[UID] = "team-folder"
    assert await deploy() == 0
    assert grafana.dashboards[UID]["title"] == dashboard()["title"]
    assert grafana.folders[UID] == "team-folder"
    assert capsys.readouterr().out.endswith("replaced: version 2\n")


async def test_a_dry_run_changes_nothing(grafana, capsys):
    assert await deploy("--dry-run") == 0
    assert (grafana.dashboards, grafana.asked) == ({}, ["GET"])
    assert " would be made: " in capsys.readouterr().out
    await deploy()
    grafana.dashboards[UID]["panels"].pop()
    assert await deploy("--dry-run") == 0
    assert " would be replaced: " in capsys.readouterr().out
    assert grafana.dashboards[UID]["version"] == 1


async def test_where_the_runbooks_are_is_kept(grafana):
    await deploy("--runbooks", "https://wiki.internal/operations")
    assert await deploy() == 0
    assert grafana.dashboards[UID]["version"] == 1
    [variable] = [each for each in grafana.dashboards[UID]["templating"]["list"] if each["name"] == "runbooks"]
    assert variable["query"] == variable["current"]["value"] == "https://wiki.internal/operations"


@pytest.mark.parametrize(
    ("status", "mend"),
    [
        (401, "GRAFANA_API_TOKEN is none of its tokens"),
        (403, "give it the role Editor"),
        (412, "provisioned from a file"),
        (500, "its log may say more"),
        (302, "GRAFANA_URL has to be where it ends up"),
    ],
)
async def test_a_refusal_is_told_with_its_mend(grafana, capsys, status, mend):
    grafana.status = status
    assert await deploy() == 1
    out, err = capsys.readouterr()
    assert (out, mend in err, str(status) in err, TOKEN in err) == ("", True, True, False)


async def test_a_url_that_leads_to_something_else(grafana, monkeypatch, capsys):
    monkeypatch.setenv("GRAFANA_URL", f"{os.environ['GRAFANA_URL'].removesuffix('grafana/')}other")
    assert await deploy() == 1
    assert "does GRAFANA_URL lead to Grafana" in capsys.readouterr().err


async def test_nobody_there(monkeypatch, capsys):
    monkeypatch.setenv("GRAFANA_URL", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("GRAFANA_API_TOKEN", TOKEN)
    assert await deploy() == 1
    assert "is it running, is GRAFANA_URL right?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("url", "token", "told"),
    [
        ("", TOKEN, "GRAFANA_URL is not set: it has to be the URL of Grafana"),
        ("http://127.0.0.1:1", "", "GRAFANA_API_TOKEN is not set"),
        ("http://127.0.0.1:1", "tok\nen", "GRAFANA_API_TOKEN: expected"),
        ("grafana.internal", TOKEN, "GRAFANA_URL: expected the URL of Grafana"),
        ("http://user:pass@grafana", TOKEN, "GRAFANA_URL: expected the URL of Grafana"),
        ("http://g:port", TOKEN, "GRAFANA_URL: expected the URL of Grafana"),
    ],
)
async def test_variables_that_are_wrong(monkeypatch, capsys, url, token, told):
    monkeypatch.setenv("GRAFANA_URL", url)
    monkeypatch.setenv("GRAFANA_API_TOKEN", token)
    assert await deploy() == 2
    err = capsys.readouterr().err
    assert (told in err, "pass" in err, token in err and bool(token)) == (True, False, False)
