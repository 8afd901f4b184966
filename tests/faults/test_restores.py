"""`clusterd history restore`, killed ten times in the middle of its work, and then left to end."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from redis import Redis

from sploot_clusterd.config import HistorySettings, SecretUrl
from sploot_clusterd.history.database import Database
from sploot_clusterd.history.migrating import migrate
from sploot_clusterd.history.schema import newest_snapshots
from sploot_clusterd.snapshot import Snapshot, encode_snapshot
from tests.history.rows import add_snapshot

pytestmark = pytest.mark.faults

PETS = 700
KILLS = 10
NS = "sploot.media.clusters"


def snapshot(number: int) -> Snapshot:
    return Snapshot(
        {b"token": b"a.%d" % number, b"head": os.urandom(2000)}, {f"img-{n}": os.urandom(300) for n in range(20)}
    )


def test_a_restore_that_is_killed_ten_times_comes_to_the_same(redis_url: str, tmp_path: Path):
    settings = HistorySettings(url=SecretUrl(f"sqlite:///{tmp_path}/history.sqlite3"))
    migrate(settings)
    albums = {f"pet_{n}": snapshot(n) for n in range(PETS)}
    database = Database.open(settings)
    with database.write() as connection:
        for n, (pet, album) in enumerate(albums.items()):
            add_snapshot(connection, newest_snapshots, n + 1, b'{"n":%d}' % n, encode_snapshot(album), pet_id=pet)
    database.close()
    env = os.environ | {"REDIS_URL": redis_url, "DATABASE_URL": settings.url.reveal()}
    command = [sys.executable, "-m", "sploot_clusterd", "history", "restore"]

    with Redis.from_url(redis_url, protocol=2) as redis:
        redis.flushall()
        reached = []
        for kill in range(KILLS):
            with subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL) as process:
                while redis.dbsize() < 3 * PETS * (kill + 1) // (KILLS + 1) and process.poll() is None:
                    time.sleep(0.001)
                process.send_signal(signal.SIGKILL)
                assert process.wait() in {-signal.SIGKILL, 0}  # one may have been quicker than we
            reached.append(redis.dbsize())
        told = subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout

        assert reached == sorted(reached)
        assert len(set(reached)) > KILLS // 3, "most of them were in the middle of it"
        assert "pets restored" in told
        for n, (pet, album) in enumerate(albums.items()):
            assert redis.hgetall(f"{NS}:album:{pet}") == album.fields
            assert redis.hgetall(f"{NS}:images:{pet}") == {name.encode(): row for name, row in album.rows.items()}
            assert redis.get(f"{NS}:state:{pet}") == b'{"n":%d}' % n
        redis.flushall()
