"""Rehearsals against a small server that shows views, and may be slow or refuse."""

import asyncio
import gzip
import json
import xml.etree.ElementTree as ET
from collections import Counter

import pytest
from aiohttp import web

from sploot_clusterd.cli import main
from sploot_clusterd.replay import tally, watching
from sploot_clusterd.replay.tally import READS

TOKEN = "a-token-of-some-length"


class Daemon:
    """Takes jobs, single and in batches, and shows a view's next version when it has taken one of the pet."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.batches: list[int] = []
        self.versions = Counter[str]()
        self.shows = True
        self.read_seconds = 0.0
        self.read_status = 200
        self.refuse_from: int | None = None
        """The line of the first batch from which on lines get a 503."""
        self.app = web.Application()
        self.app.router.add_post("/internal/cluster-jobs", self._one)
        self.app.router.add_post("/internal/cluster-jobs/batch", self._batch)
        self.app.router.add_get("/internal/pets/{pet_id}/clusters", self._view)

    def _take(self, job: dict) -> None:
        self.ids.append(job["job_id"])
        self.versions[job["pet_id"]] += self.shows

    async def _one(self, request: web.Request) -> web.Response:
        self._take(await request.json())
        return web.json_response({"status": "accepted"}, status=202)

    async def _batch(self, request: web.Request) -> web.Response:
        assert request.headers["Content-Type"] == "application/x-ndjson"
        jobs = [json.loads(line) for line in (await request.read()).splitlines()]
        self.batches.append(len(jobs))
        refuse_from, self.refuse_from = self.refuse_from, None
        lines, headers = [], {}
        for number, job in enumerate(jobs):
            if refuse_from is not None and number >= refuse_from:
                lines.append({"detail": "backlog full", "line": number + 1, "status": 503})
                headers = {"Retry-After": "0"}
            elif job["pet_id"] == "bad":
                lines.append({"detail": "pet_id: no", "line": number + 1, "status": 422})
            else:
                self._take(job)
                lines.append({"status": "accepted", "job_id": job["job_id"]})
        text = "".join(json.dumps(line) + "\n" for line in lines)
        return web.Response(text=text, content_type="application/x-ndjson", headers=headers)

    async def _view(self, request: web.Request) -> web.Response:
        await asyncio.sleep(self.read_seconds)
        version = self.versions[request.match_info["pet_id"]]
        if self.read_status != 200 or not version:
            return web.json_response({"detail": "no"}, status=404 if self.read_status == 200 else self.read_status)
        return web.json_response({"version": version})


@pytest.fixture
async def daemon(aiohttp_server, monkeypatch, tmp_path):
    stub = Daemon()
    monkeypatch.setenv("INTERNAL_TOKEN", TOKEN)
    monkeypatch.setenv("HTTP_PORT", str((await aiohttp_server(stub.app)).port))
    monkeypatch.setattr(watching, "_EVERY", 0.0)
    monkeypatch.setattr(tally, "READS", READS._replace(seconds=10.0))  # the machine may be busy
    monkeypatch.chdir(tmp_path)
    return stub


@pytest.fixture
def file(tmp_path):
    """Twenty jobs of as many pets."""
    jobs = [{"pet_id": f"pet_{n}", "job_id": f"job_{n}", "payload": {"image_ids": ["img"]}} for n in range(20)]
    path = tmp_path / "jobs.jsonl.gz"
    path.write_bytes(gzip.compress("".join(json.dumps(job) + "\n" for job in jobs).encode()))
    return str(path)


async def run(*arguments: str) -> int:
    return await asyncio.to_thread(main, ["replay", *arguments])


def told(tmp_path) -> dict:
    return json.loads((tmp_path / "r.json").read_text())


async def test_a_run_lasts_as_long_as_asked_for_with_new_ids_each_round(daemon, file, tmp_path, capsys):
    assert await run("--duration", "2s", "--rate", "0", "--report", "r.json", file) == 0
    report = told(tmp_path)
    assert 20 < len(daemon.ids) == report["accepted"] == report["posted"]
    assert len(set(daemon.ids)) == len(daemon.ids)
    assert report["visible"]["count"] > 0
    assert [each["missed"] for each in report["objectives"]] == [False, False]
    assert sum(part["accepted"] for part in report["parts"]) == report["accepted"]
    out = capsys.readouterr().out
    assert out.splitlines()[0].endswith(f"{report['accepted']} accepted, 0 not")
    assert "  held    a job is visible within 5 s, 99.90%: 100.00% of " in out


async def test_a_ramp_begins_slowly(daemon, file):
    assert await run("--duration", "0.5s", "--ramp", "0.5s", "--rate", "200", "--jitter", ".5", file) == 0
    assert 0 < len(daemon.ids) <= 51


async def test_a_report_alone_makes_a_rehearsal_of_one_round(daemon, file, tmp_path):
    assert await run("--rate", "0", "--report", "r.json", file) == 0
    assert len(daemon.ids) == 20
    assert told(tmp_path)["reads"]["count"] > 0


async def test_jobs_that_are_never_seen_miss_the_objective(daemon, file, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(watching, "_PATIENCE", 0.2)
    daemon.shows = False
    assert await run("--rate", "0", "--report", "r.json", file) == 1
    visible, _ = told(tmp_path)["objectives"]
    assert (visible["missed"], visible["share"]) == (True, 0.0)
    assert "  MISSED  a job is visible within 5 s, 99.90%: 0.00% of " in capsys.readouterr().out


async def test_slow_reads_miss_the_objective(daemon, file, tmp_path, monkeypatch):
    monkeypatch.setattr(tally, "READS", READS)
    daemon.read_seconds = 0.06
    assert await run("--rate", "0", "--report", "r.json", file) == 1
    visible, reads = told(tmp_path)["objectives"]
    assert (visible["missed"], reads["missed"]) == (False, True)


async def test_failing_reads_miss_the_objective(daemon, file, tmp_path):
    daemon.read_status = 503
    assert await run("--rate", "0", "--report", "r.json", file) == 1
    visible, reads = told(tmp_path)["objectives"]
    assert (visible["missed"], reads["missed"]) == (False, True)


async def test_batches_are_as_long_as_asked_for(daemon, file, capsys):
    assert await run("--batch", "8", "--rate", "0", "--concurrency", "1", file) == 0
    assert daemon.batches == [8, 8, 4]
    assert daemon.ids == [f"job_{n}" for n in range(20)]
    assert capsys.readouterr().out.endswith("20 accepted, 0 not\n")


async def test_lines_that_are_put_off_are_sent_again_in_their_order(daemon, file, capsys):
    daemon.refuse_from = 3
    assert await run("--batch", "8", "--rate", "0", "--concurrency", "1", file) == 0
    assert daemon.batches == [8, 5, 8, 4]
    assert daemon.ids == [f"job_{n}" for n in range(20)]


async def test_a_bad_line_is_told_and_stops_no_other(daemon, tmp_path, capsys):
    (tmp_path / "jobs.json").write_text('[{"pet_id": "bad", "job_id": "b"}, {"pet_id": "p",\n "job_id": "j"}]')
    assert await run("--batch", "10", "jobs.json") == 1
    assert daemon.ids == ["j"]
    assert "  1 x 422: pet_id: no\n" in capsys.readouterr().out


async def test_the_page_has_pictures_and_fetches_nothing(daemon, file, tmp_path):
    assert await run("--duration", "0.3s", "--rate", "0", "--report", "r.html", "--report", "r.json", file) == 0
    page = (tmp_path / "r.html").read_text()
    pictures = [part.partition("</svg>")[0] + "</svg>" for part in page.split("<svg")[1:]]
    assert len(pictures) == 3
    for picture in pictures:
        [*paths] = ET.fromstring("<svg" + picture).iter("path")
        assert len(paths) == 2
    assert "default-src 'none'" in page
    assert "http" not in page.replace("http-equiv", "")
    assert f"{told(tmp_path)['posted']} jobs posted" in page


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--duration", "10"], "'10': expected a time like 30s, 10m or 2h"),
        (["--duration", "0s"], "--duration: expected more than 0"),
        (["--ramp", "1m", "--rate", "0"], "--ramp and --jitter need a --rate above 0"),
        (["--jitter", "2"], "'2': expected a number from 0 to 1"),
        (["--concurrency", "0"], "'0': expected a whole number from 1 to 1,000"),
        (["--batch", "1001"], "'1001': expected a whole number from 1 to 1,000"),
        (["--report", "r.pdf"], "'r.pdf': expected a name that ends with .json or .html"),
    ],
)
def test_options_that_make_no_sense(capsys, arguments, says):
    with pytest.raises(SystemExit) as end:
        main(["replay", *arguments, "jobs.jsonl"])
    assert end.value.code == 2
    assert says in capsys.readouterr().err


async def test_a_report_that_cannot_be_written(daemon, file, capsys):
    assert await run("--rate", "0", "--report", "missing/r.json", file) == 2
    assert "--report missing/r.json: cannot be written: No such file" in capsys.readouterr().err
