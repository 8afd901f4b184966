"""`clusterd history restore` and `erased`, typed: what they tell."""

import json
from collections.abc import Callable, Iterator

import pytest
from redis import Redis

from sploot_clusterd.cli import main
from sploot_clusterd.config import HistorySettings, SecretUrl
from sploot_clusterd.engine import encode_profile
from sploot_clusterd.engine.profile import Profile
from sploot_clusterd.history.database import Database
from sploot_clusterd.history.schema import newest_snapshots, profile_generations, stream_marks
from sploot_clusterd.snapshot import Snapshot, encode_snapshot
from tests.history.rows import add_latest, add_snapshot, add_versions, at

URL = "sqlite:///history.sqlite3"
ALBUM = encode_snapshot(Snapshot({b"token": b"a.2", b"head": b"h"}, {"img": b"row"}))
PROFILE = encode_profile(Profile("v1", 1, 300, settled=False, drift=None, kinds={}))


@pytest.fixture
def client(redis_url: str) -> Iterator[Redis]:
    """Of an empty Redis, which is emptied again."""
    with Redis.from_url(redis_url, protocol=2) as client:
        client.flushall()
        yield client
        client.flushall()


@pytest.fixture
def typed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, redis_url: str) -> Callable[..., tuple]:
    """Types a command: its exit code, output and errors."""
    monkeypatch.setenv("DATABASE_URL", URL)
    monkeypatch.setenv("REDIS_URL", redis_url)

    def type_(*words: str) -> tuple:
        code = main(["history", *words])
        return code, *capsys.readouterr()

    return type_


@pytest.fixture
def database(typed) -> Database:
    assert typed("migrate")[0] == 0
    database = Database.open(HistorySettings(url=SecretUrl(URL)))
    with database.write() as connection:
        add_versions(connection, range(1, 5))
        add_latest(connection, 4)
        add_snapshot(connection, newest_snapshots, 2, b'{"pet_id":"pet","clusters":[]}', ALBUM)
        profile = {"model_version": "v1", "generation": 1, "body": PROFILE, "digest": "d", "seen_ms": 1}
        connection.execute(profile_generations.insert(), profile)
        marks = [("profile", "v1", "1"), ("last_id", "", "7000-1"), ("erased", "gone", "6000-0")]
        for kind, name, value in marks:
            row = {"partition": 0, "kind": kind, "name": name, "value": value, "seen_ms": 1}
            connection.execute(stream_marks.insert(), row)
    database.close()
    return database


def test_pets_come_back_and_what_is_missing_is_named(typed, database, client):
    code, told, _ = typed("restore")
    assert code == 0
    assert told.splitlines() == [
        "pet: as of version 2, and 4 was the last one; missing jobs: job_3 job_4",
        "1 pets restored",
        "1 pets lack 2 versions: have their producers send these jobs again",
    ]
    assert json.loads(typed("restore", "--json")[1]) == {
        "restored": 0,
        "there": 1,
        "erased": 0,
        "missing": [{"pet_id": "pet", "restored": 2, "newest": 4, "jobs": ["job_3", "job_4"]}],
    }
    ns = "sploot.media.clusters"
    assert client.hgetall(f"{ns}:album:pet") == {b"token": b"a.2", b"head": b"h"}
    assert client.hgetall(f"{ns}:images:pet") == {b"img": b"row"}
    assert client.get(f"{ns}:state:pet") == b'{"pet_id":"pet","clusters":[]}'
    assert (client.xinfo_stream("streams:media.cluster"))["last-generated-id"] == b"7000-1"
    assert client.hgetall(f"{ns}:erased") == {b"gone": b"6000-0"}
    assert client.hget(f"{ns}:profiles", "v1") == b"1"
    assert client.hget(f"{ns}:profile:v1", "1") == PROFILE


def test_erased_pets_are_listed_and_a_list_is_applied(typed, database, client, tmp_path):
    assert typed("erased") == (0, "", "")
    file = tmp_path / "erased.jsonl"
    file.write_text(json.dumps({"pet_id": "pet", "erased_ms": at(9)}) + "\n")
    assert typed("erased", "--apply", str(file)) == (0, "1 of 1 pets erased; the others were before\n", "")
    assert typed("erased", "--apply", str(file)) == (0, "0 of 1 pets erased; the others were before\n", "")
    assert typed("erased") == (0, file.read_text().replace(" ", ""), "")
    assert typed("restore") == (0, "0 pets restored\n", "")
    assert not client.exists("sploot.media.clusters:album:pet")


@pytest.mark.parametrize("line", ["pet", '{"pet_id": "pet"}', '{"pet_id": "", "erased_ms": 1}', "\u00ff"])
def test_what_is_no_list_is_refused_with_its_line(typed, database, tmp_path, line):
    file = tmp_path / "erased.jsonl"
    file.write_text('{"pet_id":"other","erased_ms":1}\n' + line + "\n")
    code, _, told = typed("erased", "--apply", str(file))
    assert (code, "line 2: expected a line of clusterd history erased" in told) == (2, True)


def test_a_list_that_is_not_there_is_said_to_be_so(typed, database):
    code, _, told = typed("erased", "--apply", "nowhere")
    assert (code, told) == (2, "clusterd: nowhere: cannot be read: No such file or directory\n")


def test_a_record_of_partitions_that_is_not_what_is_set_is_said_to_be_so(typed, database, client, monkeypatch):
    with database.write() as connection:
        row = {"partition": 0, "kind": "record", "name": "", "value": "4", "seen_ms": 1}
        connection.execute(stream_marks.insert(), row)
    database.close()
    monkeypatch.setenv("CLUSTER_PARTITIONS", "2")
    code, _, told = typed("restore")
    assert (code, "set stream.partitions (CLUSTER_PARTITIONS) to 4" in told) == (1, True)
