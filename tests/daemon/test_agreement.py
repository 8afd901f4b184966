"""Daemons that disagree: what endangers data is no start, and the one that was there goes on."""

import contextlib

from tests.faults.fleet import Fleet
from tests.support.api import Api
from tests.support.waiting import eventually


async def test_a_second_namespace_over_the_stream_ends_with_its_reason(fleet: Fleet, api: Api):
    for env in ({"NAMESPACE": "another"}, {"NAMESPACE": "another", "CLUSTER_CONSUMERS": "0"}):
        daemon = fleet.add_daemon(env)
        with contextlib.suppress(AssertionError):  # it may have ended before it is seen to listen
            await daemon.start()
        await eventually(lambda daemon=daemon: not daemon.alive(), what="the daemon to end")
        assert daemon.exit_code == 1
        assert "over one stream: a pet would be split in two" in daemon.output().splitlines()[-1]
        fleet.daemons.remove(daemon)
    await api.submit({"pet_id": "p", "payload": {"image_ids": ["i"]}})
    await api.seen("p")


async def test_another_limit_is_a_warning_of_both(fleet: Fleet):
    daemon = fleet.add_daemon({"CLUSTERD_LIMITS_VECTOR_LENGTH": "8"})
    await daemon.start()

    async def told() -> bool:
        async with fleet.http.get(daemon.ops_url + "/readyz") as answer:
            warnings = (await answer.json())["warnings"]
        return any("limits.vector_length is 8 here and 4096 at" in warning for warning in warnings)

    await eventually(told, what="the warning")
