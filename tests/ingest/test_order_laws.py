"""Any interleaving of a pet's entries over consumers and processes ends as one consumer in order does."""

import asyncio

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sploot_clusterd.store import ClaimKind
from tests.ingest.any_jobs import NAMES, PET, corrections, payloads
from tests.support.side import Side

FIRST_MS = 1_760_000_000_000
SEED = {
    "payload": {
        "model_version": "v1",
        "images": [
            {"image_id": name, "embedding": [1.0, 0.0, 0.1] if n % 2 else [0.0, 1.0, 0.1]}
            for n, name in enumerate(NAMES)
        ],
    }
}
"""Two clusters, for corrections to be about something."""

corrected = st.fixed_dictionaries({"corrections": st.lists(corrections(), min_size=1, max_size=2)})
contents = st.lists(payloads | corrected, min_size=1, max_size=6)
"""Each with a job id of its own."""
hands = st.tuples(st.integers(0, 1), st.integers(1, 3), st.integers(0, 5), st.integers(0, 6))
"""Which process takes how many entries, when it begins, and how many turns of the loop later the next one does."""


@given(contents, st.lists(st.integers(0, 5), min_size=2, max_size=9), st.lists(hands, min_size=3, max_size=6))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_however_entries_are_spread_they_end_as_in_their_order(sides: list[Side], contents, picked, hands):
    jobs = [{"job_id": f"job-{n % len(contents)}", "payload": contents[n % len(contents)]} for n in picked]

    await begin(sides[0], jobs)
    while entries := await sides[0].read("one", count=1):
        await sides[0].process(entries, "one")
    expected = await outcome(sides[0])

    await begin(sides[0], jobs)
    batches = []
    for process, count, start, turns in hands:
        batches.append(
            (start, turns, sides[process], await sides[process].read(f"c{len(batches)}", count), len(batches))
        )
    batches.append((0, 0, sides[0], await sides[0].read("rest"), len(batches)))
    running = []
    for _, turns, side, entries, number in sorted(batches, key=lambda batch: (batch[0], -batch[-1])):
        name = f"c{number}" if number < len(hands) else "rest"
        running.append(asyncio.create_task(side.process(entries, name)))
        for _ in range(turns):
            await asyncio.sleep(0)
    await asyncio.gather(*running)
    for side in sides:
        await side.processor.drained()
    while await sides[0].pending():  # on a slow machine some wait so long that they are put off
        async for entries in sides[0].stream.claim("rest", ClaimKind.DUE):
            await sides[0].process(entries, "rest")
    assert await sides[0].redis.xlen("jobs") == 0
    assert await outcome(sides[0]) == expected


async def begin(side: Side, jobs: list[dict]) -> None:
    """A stream of these jobs behind one that was applied, with the same ids at each call."""
    await side.redis.flushall()
    await side.stream.ensure_group()
    for n, job in enumerate([{"job_id": "seed", **SEED}, *jobs]):
        payload = msgspec.json.encode({"pet_id": PET, **job})
        await side.redis.xadd("jobs", {"payload": payload}, id=f"{FIRST_MS + n}-0")
    await side.process(await side.read("one", count=1), "one")


async def outcome(side: Side) -> tuple[dict, list]:
    """What readers see, but for when and in how many steps it came to be; and what was set aside."""
    view = await side.view(PET)
    for where, name in ((view, "version"), (view, "updated_at"), (view["metrics"], "processed_at")):
        del where[name]
    letters = [(letter[b"entry_id"], letter[b"reason"], letter[b"error"]) for letter in await side.letters()]
    return view, sorted(letters)
