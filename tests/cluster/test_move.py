"""Another number of partitions, on a cluster's nodes: nothing is lost, whatever becomes of the move or of a node."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import aiohttp
import pytest

from sploot_clusterd.cli import main
from sploot_clusterd.errors import PartitionMovedError, StoreUnavailableError
from sploot_clusterd.partitioning import Placing, slot_of
from sploot_clusterd.store import Store
from sploot_clusterd.store.connection import Pool
from sploot_clusterd.store.transfer import Transfer
from tests.docs.pages import ROOT
from tests.faults.fleet import TOKEN, Daemon
from tests.support.cluster import Cluster
from tests.support.cluster_client import ClusterClient
from tests.support.deaths import DiedError, dies_at
from tests.support.moves import PETS, Opens, begun, goes_to, move, stored
from tests.support.waiting import eventually

pytestmark = pytest.mark.cluster


@pytest.fixture
async def opens(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Opens]:
    for name in ("_HEARD", "_LOOK_EVERY"):
        monkeypatch.setattr(f"sploot_clusterd.store.move.{name}", 0.0)
    async with AsyncExitStack() as stack:
        yield Opens(cluster.url, stack, cluster=True)


@pytest.fixture
def client(cluster: Cluster) -> ClusterClient:
    return ClusterClient(cluster)


async def arrived(opens: Opens, client: ClusterClient, target: int) -> Store:
    store = opens(target)
    await store.look()
    assert (store.layout.placing.count, store.layout.placing.target) == (target, 0)
    return store


@pytest.mark.parametrize(("count", "target"), [(4, 8), (6, 4)])
async def test_all_that_lies_with_a_pet_goes_along(opens: Opens, client: ClusterClient, count: int, target: int):
    store, before = await begun(opens, client, count)
    carried = await move(store, target)
    new = await arrived(opens, client, target)
    goes_to(client, before, await stored(client, new.layout))
    assert carried.pets == sum(store.layout.of(pet).tag != new.layout.of(pet).tag for pet in PETS) > 0
    for pet in PETS:
        assert await new.views.view(pet) is not None


async def test_a_move_that_dies_goes_on_where_it_was(
    opens: Opens, client: ClusterClient, monkeypatch: pytest.MonkeyPatch
):
    _, before = await begun(opens, client, 2)
    deaths = 0
    while (await opens(2).recorded.check()).count != 4:
        with monkeypatch.context() as patch:
            patch.setattr(Pool, "exchange", dies_at(Pool.exchange, 3 * deaths + 4, before=bool(deaths % 2)))
            try:
                await move(opens(2), 4)
            except DiedError:
                deaths += 1
    assert deaths >= 10
    goes_to(client, before, await stored(client, (await arrived(opens, client, 4)).layout))


async def test_a_slot_that_is_on_its_way_stops_a_move_and_no_pet_is_left_behind(
    opens: Opens, client: ClusterClient, cluster: Cluster
):
    store, before = await begun(opens, client, 2)
    slot = slot_of(store.layout.partitions[1].stream)
    source = await cluster.primary_of(slot)
    to = next(node for node in await cluster.primaries() if node is not source)
    await to.ask("CLUSTER SETSLOT", slot, "IMPORTING", source.id)
    await source.ask("CLUSTER SETSLOT", slot, "MIGRATING", to.id)
    with pytest.raises(StoreUnavailableError, match="the slot is being moved to another node"):
        await move(opens(2), 4)
    await source.ask("CLUSTER SETSLOT", slot, "STABLE")
    await to.ask("CLUSTER SETSLOT", slot, "STABLE")
    await cluster.move(slot, to)
    try:
        await move(opens(2), 4)
        goes_to(client, before, await stored(client, (await arrived(opens, client, 4)).layout))
    finally:
        await cluster.move(slot, source)


async def test_pets_are_found_where_their_partition_comes_to_another_node_meanwhile(
    opens: Opens, client: ClusterClient, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
):
    """By the time the first page of keys is there."""
    _, before = await begun(opens, client, 2)
    monkeypatch.setattr("sploot_clusterd.store.pets_of._KEYS_A_PAGE", 10)
    slot, pets = slot_of(opens(2).layout.partitions[0].stream), Transfer.pets
    source = await cluster.primary_of(slot)
    to = next(node for node in await cluster.primaries() if node is not source)

    async def moved_meanwhile(*given: object) -> AsyncIterator[int]:
        async for some in pets(*given):
            yield some
            await cluster.move(slot, to)

    try:
        with monkeypatch.context() as patch:
            patch.setattr(Transfer, "pets", moved_meanwhile)
            await move(opens(2), 4)
        goes_to(client, before, await stored(client, (await arrived(opens, client, 4)).layout))
    finally:
        await cluster.move(slot, source)


async def test_a_node_that_goes_away_stops_a_move_which_goes_on_when_its_replica_has_taken_over(
    opens: Opens, client: ClusterClient, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
):
    stale, before = await begun(opens, client, 2)
    source = stale.layout.partitions[0]
    node = await cluster.primary_of(source.stream)
    letters = Transfer.letters

    async def dies_before(transfer: Transfer, of: object) -> None:
        await node.ask("SET", f"{source.tag}synced", 1)
        await node.ask("WAIT", 1, 1000)
        node.kill()
        await letters(transfer, of)

    try:
        with monkeypatch.context() as patch:
            patch.setattr(Transfer, "letters", dies_before)
            with pytest.raises(StoreUnavailableError, match=f"redis node {node.address}: does not answer"):
                await move(opens(2), 4)
        other = next(pet for pet in PETS if stale.layout.number(pet) == 1)
        assert await stale.views.view(other) is not None
    finally:
        await node.client.aclose()
        node.start()
        node.connect()
        await cluster.formed()
    in_motion = next(pet for pet in PETS if stale.layout.number(pet) == 0)
    with pytest.raises(PartitionMovedError):
        await stale.views.submit(in_motion, b"{}")
    assert stale.layout.placing == Placing(2, 1, 0, 4, 0, True)
    await move(opens(2), 4)
    goes_to(client, before, await stored(client, (await arrived(opens, client, 4)).layout))


async def test_a_daemon_reads_partitions_that_come_and_none_pauses(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    env = {**cluster.env, "CLUSTER_PARTITIONS": "2"}
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    daemon = Daemon(tmp_path, cluster.url, 0, ROOT, env)
    try:
        await daemon.start()
        async with aiohttp.ClientSession(daemon.url, headers={"X-Internal-Token": TOKEN}) as http:

            async def images(pet: str) -> int:
                answer = await http.get(f"/internal/pets/{pet}/clusters")
                return (await answer.json())["metrics"]["num_images"] if answer.status == 200 else 0

            async def is_taken(job: object) -> bool:
                answer = await http.post("/internal/cluster-jobs", json=job)
                assert answer.status in (202, 503)
                return answer.status == 202

            async def submit(n: int) -> None:
                """Each pet's image, again and again while its group is in motion."""
                for pet in PETS[:12]:
                    payload = {"images": [{"image_id": f"img-{n}", "embedding": [1.0, n / 100], "quality": 0.9}]}
                    job = {"pet_id": pet, "job_id": f"{pet}-{n}", "payload": payload}
                    await eventually(partial(is_taken, job), what="the job to be taken", timeout=20)

            await submit(0)
            moving = asyncio.create_task(asyncio.to_thread(main, ["partitions", "move", "4"]))
            for n in range(1, 6):
                await submit(n)
                await asyncio.sleep(0.3)
            assert await moving == 0
            await submit(6)

            async def all_applied() -> bool:
                return [await images(pet) for pet in PETS[:12]] == [7] * 12

            await eventually(all_applied, what="all jobs to be applied", timeout=20)

            async def metrics() -> str:
                return await (await http.get(f"{daemon.ops_url}/metrics")).text()

            async def is_measured() -> bool:
                return 'partition_backlog_jobs{partition="3"}' in await metrics()

            letters = [line for line in (await metrics()).splitlines() if "_dead_letters_total{" in line]
            assert letters
            assert all(line.endswith(" 0.0") for line in letters)
            await eventually(is_measured, what="a partition that came to have figures")
        assert daemon.stop() == 0
        assert "partition pauses" not in daemon.output()
    finally:
        daemon.kill()
