"""The audit trail on the real server: one list of all partitions, capped, and forgetful of erased pets."""

import pytest
from redis.asyncio import Redis

from sploot_clusterd.audit import AuditEntry
from sploot_clusterd.errors import BadJobError
from sploot_clusterd.store import Store, audit_trail
from tests.support.moves import Opens

PETS = [f"pet-{n}" for n in range(12)]


async def filled(opens: Opens, count: int) -> Store:
    store = opens(count)
    await store.look()
    for n, pet in enumerate(PETS):
        await store.audit.add(AuditEntry(f"{n}", "people/ann", "correct", pet, "accepted"))
    await store.audit.add(AuditEntry("last", "token 0", "pause", None, "paused"))
    return store


async def told(store: Store, limit: int) -> list[str | None]:
    """Whom the entries are about, page by page."""
    found: list[str | None] = []
    before: str | None = ""
    while before is not None:
        page = await store.audit.entries(before, limit)
        assert len(page.entries) <= limit
        found += [each.pet_id for each in page.entries]
        before = page.next
    return found


@pytest.mark.parametrize("limit", [1, 5, 100])
@pytest.mark.parametrize("count", [1, 4])
async def test_it_is_one_list_the_newest_first(opens: Opens, count: int, limit: int):
    store = await filled(opens, count)
    found = await told(store, limit)
    assert sorted(found, key=str) == sorted([None, *PETS], key=str)
    if count == 1:
        assert found == [None, *reversed(PETS)]


@pytest.mark.parametrize("count", [1, 4])
async def test_an_erased_pets_id_goes_from_it(opens: Opens, redis: Redis, count: int):
    store = await filled(opens, count)
    await store.audit.add(AuditEntry("x", "people/ann", "invalidate", PETS[3], "noop"))
    await store.views.erase(PETS[3])
    assert sorted(await told(store, 100), key=str) == sorted([None, *PETS[:3], *PETS[4:]], key=str)
    async for key in redis.scan_iter("*audit*"):
        assert PETS[3].encode() not in await redis.dump(key)


async def test_the_oldest_go_with_what_the_index_has_of_them(
    opens: Opens, redis: Redis, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(audit_trail, "MOST_ENTRIES", 4)
    store = await filled(opens, 1)
    assert await told(store, 100) == [None, *reversed(PETS[-3:])]
    assert await redis.zcard(store.layout.plain.audit_pets) == 3


async def test_what_another_hand_added_is_passed_over(opens: Opens, redis: Redis):
    store = await filled(opens, 1)
    await redis.xadd(store.layout.plain.audit, {"nonsense": "1"})
    assert len(await told(store, 100)) == 13


@pytest.mark.parametrize("place", ["x", "1-2", "1-2-3-4", f"{2**64}-0-0", "-1-0-0"])
async def test_what_is_no_place_is_refused(opens: Opens, place: str):
    with pytest.raises(BadJobError, match=r"^before: expected what an answer had for `next`$"):
        await opens(1).audit.entries(place, 1)
