"""The commands over a cluster: each goes to whichever nodes it needs."""

import asyncio
import json
from pathlib import Path

import pytest

from sploot_clusterd.cli import main
from sploot_clusterd.engine import Profile, encode_profile
from sploot_clusterd.keys import Layout
from tests.cluster.contract import COUNT
from tests.support.cluster import Cluster
from tests.support.cluster_client import ClusterClient

pytestmark = pytest.mark.cluster
LAYOUT = Layout("sploot.media.clusters", "streams:media.cluster", "streams:media.cluster.deadletter", COUNT)


class Operator:
    """Types commands, and reads what they print."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    async def types(self, *words: str) -> str:
        assert await asyncio.to_thread(main, [*words]) == 0
        out, err = self._capsys.readouterr()
        assert err == ""
        return out


@pytest.fixture
def operator(cluster: Cluster, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Operator:
    for name, value in {**cluster.env, "CLUSTER_PARTITIONS": str(COUNT)}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("STORAGE_SERVICE_URL", "http://storage:8000")
    return Operator(capsys)


async def test_partitions_are_shown_with_what_waits_in_each(operator: Operator, cluster: Cluster):
    client = ClusterClient(cluster)
    for keys in LAYOUT.partitions[::2]:
        await client.xadd(keys.stream, {"payload": "p"})
    shown = [json.loads(line) for line in (await operator.types("partitions", "show", "--json")).splitlines()]
    assert [each["waiting"] for each in shown] == [1, 0] * (COUNT // 2)
    assert "0 to be moved, by nobody" in await operator.types("partitions", "show")


async def test_dead_letters_of_all_nodes_are_one_list(operator: Operator, cluster: Cluster):
    client = ClusterClient(cluster)
    for number, keys in enumerate(LAYOUT.partitions):
        letter = {"payload": f'{{"pet_id": "pet_{number}"}}', "pet_id": f"pet_{number}", "first_id": "1-1"}
        await client.xadd(keys.dead_letters, letter)
    listed = [json.loads(line) for line in (await operator.types("dlq", "list", "--json")).splitlines()]
    assert sorted(each["pet_id"] for each in listed) == [f"pet_{number}" for number in range(COUNT)]
    await operator.types("dlq", "replay", listed[0]["id"])
    await operator.types("dlq", "drop", "--all")
    assert [await client.xlen(keys.dead_letters) for keys in LAYOUT.partitions] == [0] * COUNT
    assert sum([await client.xlen(keys.stream) for keys in LAYOUT.partitions]) == 1


async def test_a_profile_comes_to_all_nodes(operator: Operator, cluster: Cluster, tmp_path: Path):
    client = ClusterClient(cluster)
    file = tmp_path / "v1.profile"
    file.write_bytes(encode_profile(Profile("m{1}", 1, 300, settled=False, drift=None, kinds={})))
    await operator.types("profile", "import", str(file))
    assert "m{1}" in await operator.types("profile", "list")
    states = {await client.hget(keys.profiles, "m{1}") for keys in LAYOUT.partitions}
    assert len(states) == 1
    assert None not in states


async def test_the_pets_of_all_nodes_are_known(operator: Operator, cluster: Cluster):
    client = ClusterClient(cluster)
    pets = [f"pet_{n}" for n in range(40)]
    for pet in pets:
        await client.hset(LAYOUT.of(pet).pet(pet).album, "token", "t.1")
    assert "40 pets asked for" in await operator.types("backfill", "--known")
    assert sum([await client.zcard(keys.wants) for keys in LAYOUT.partitions]) == 40
