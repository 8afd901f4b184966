"""Servers that reply what they should not: real ones set up wrongly, and one that replies the same error to all."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager

import hiredis

from sploot_clusterd.entry_ids import LetterId
from sploot_clusterd.errors import BadStateError, StoreUnavailableError
from sploot_clusterd.store import ClaimKind, Commit, Letter, Retry, State, Store, Wanted

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def answer_all(reply: bytes, *, unasked: bool = False) -> Answer:
    """Replies this to each command; `unasked`: once, and hangs up."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        commands = hiredis.Reader()
        try:
            if unasked:
                writer.write(reply)
            while not unasked and (data := await reader.read(65536)):
                commands.feed(data)
                while commands.gets() is not False:
                    writer.write(reply)
        except ConnectionError:
            pass
        finally:
            writer.close()

    return answer


@asynccontextmanager
async def replying(reply: bytes, *, unasked: bool = False) -> AsyncIterator[str]:
    """The URL of a server that answers so."""
    async with await asyncio.start_server(answer_all(reply, unasked=unasked), "127.0.0.1", 0) as server:
        yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}"


Call = Callable[[], Awaitable[object]]


def calls(store: Store) -> Iterator[tuple[str, Call]]:
    """All that the rooms above ask of the store."""
    _, _, stream, _, albums = store.partitions[0]
    views, profiles, letters = store.views, store.profiles, store.letters

    async def page(pages: AsyncIterator[object]) -> object:
        return await anext(pages, None)

    async def first(replies: Awaitable[list[object]]) -> object:
        """What a commit is told for each pet is raised by who asked for it."""
        (reply,) = await replies
        if isinstance(reply, Exception):
            raise reply
        return reply

    async def opens() -> None:
        reader = store.reader("me")
        try:
            await reader.open()
        finally:
            await reader.close()

    yield "look", store.look
    yield "reader", opens
    yield "group", stream.ensure_group
    yield "claim", lambda: page(stream.claim("me", ClaimKind.IDLE))
    yield "alone", lambda: stream.begin_alone("me", b"1-1", harmless=False)
    yield "renew", lambda: stream.renew("me", [b"1-1"])
    yield "retry", lambda: stream.retry("me", [Retry(b"1-1", 1, 0)])
    letter = Letter(b"1-1", b"{}", "invalid", "why", 1, "1-1", "pet", "job", "now")
    yield "dead letter", lambda: stream.dead_letter("me", letter)
    yield "stats", store.stats
    yield "marks", stream.sweep_erase_marks
    yield "consumers", lambda: stream.forget_idle_consumers(1, [])
    yield "load", lambda: albums.load([Wanted("pet", b"", ["img"])])
    yield "rows", lambda: albums.all_rows("pet", b"t.1")
    yield "commit", lambda: first(albums.commit("me", [Commit("pet", [], b"", None, 1, {b"head": b"h"}, view=b"v")]))
    yield "view", lambda: views.view("pet")
    yield "album", lambda: views.has_album("pet")
    yield "submit", lambda: views.submit("pet", b"{}")
    yield "invalidate", lambda: views.invalidate("pet")
    yield "erase", lambda: views.erase("pet")
    yield "ping", views.ping
    yield "poll", profiles.poll
    yield "profile", lambda: profiles.fetch("v1", 1)
    yield "sample", lambda: profiles.sample("v1")
    yield "learning", profiles.may_learn
    yield "publish", lambda: profiles.publish("v1", None, State(1), b"p")
    yield "letters", lambda: page(letters.pages())
    yield "letter", lambda: letters.whole(LetterId.parse("1-1"))
    yield "replay", lambda: letters.replay(LetterId.parse("1-1"))
    yield "drop", lambda: letters.drop([LetterId.parse("1-1")])


async def reasons(store: Store) -> dict[str, str]:
    """Why each call was not done, by its name; those that were done are left out. Any other error is raised."""
    found = {}
    for name, call in calls(store):
        try:
            await call()
        except StoreUnavailableError as error:
            found[name] = error.detail
        except BadStateError:  # of a value, not of the server
            continue
    return found
