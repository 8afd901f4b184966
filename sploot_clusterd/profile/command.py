"""`clusterd profile`: looks at encoder profiles, freezes them, takes them from one installation to another."""

# ruff: noqa: T201 - a command prints

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from sploot_clusterd import stdio
from sploot_clusterd.config import Settings
from sploot_clusterd.encoder_words import told
from sploot_clusterd.engine import Profile, decode_profile, decode_sampled, encode_profile
from sploot_clusterd.errors import ClusterdError
from sploot_clusterd.profile.file import read_profile
from sploot_clusterd.store import ProfileStore, State, Store, session

_COLUMNS: Final = (("generation", 10), ("state", 8), ("learned from", 12), ("sampled", 7), ("drift", 6))
_CONFLICT: Final = "another profile of {!r} was published at this moment: run it again"


def run(settings: Settings, args: argparse.Namespace) -> int:
    """What the command line asks for; the exit code. Raises ClusterdError, where Redis cannot be reached too."""

    async def work(store: Store) -> int:
        await _act(store.profiles, args)
        return 0

    return session.run(settings, work)


async def _act(store: ProfileStore, args: argparse.Namespace) -> None:
    match args.action:
        case "list":
            await list_profiles(store, as_json=args.json)
        case "show":
            await show(store, args.model, as_json=args.json)
        case "freeze":
            await freeze(store, args.model)
        case "drop":
            await drop(store, args.model, dry_run=args.dry_run)
        case "export":
            await export(store, args.model, args.file)
        case "import":
            await import_profile(store, args.file)


async def list_profiles(store: ProfileStore, *, as_json: bool) -> None:
    """Print a line for each model version: a table for people, or a JSON object a line."""
    states, _, unreadable = await store.poll()
    for text in unreadable:
        stdio.say(text)
    if not states:
        stdio.say("no model version was sampled yet")
    elif not as_json:
        print(" ".join(f"{name:<{width}}" for name, width in _COLUMNS) + " model version")
    for version, state in sorted(states.items()):
        about = await _about(store, version, state)
        print(json.dumps(about) if as_json else _row(about))


async def show(store: ProfileStore, version: str, *, as_json: bool) -> None:
    """Print what there is of one. Raises ClusterdError if there is nothing."""
    state = await _state(store, version)
    profile = await _current(store, version, state)
    about = await _about(store, version, state)
    found = profile.summary() if profile else {"kinds": {}, "scale": 1.0, "likeness": None}
    kinds: dict[str, Any] = found["kinds"]
    if as_json:
        print(json.dumps({**about, "scale": found["scale"], "likeness": found["likeness"], "kinds": kinds}))
        return
    for name, value in about.items():
        print(f"{name.replace('_', ' ')}: {'-' if value is None else value}")
    for kind, figures in kinds.items():
        plain = {name: figure for name, figure in figures.items() if name != "spectrum"}
        print(f"{kind}: " + ", ".join(f"{name.replace('_', ' ')} {figure}" for name, figure in plain.items()))
    if profile is not None:
        print("", *told(profile), sep="\n")


async def freeze(store: ProfileStore, version: str) -> None:
    """Make the profile final as it is: the same one as the next generation, settled. Raises ClusterdError."""
    state = await _state(store, version)
    if state.settled:
        print(f"{version!r} is settled already, at generation {state.generation}")
        return
    profile = await _current(store, version, state)
    if profile is None:
        new, raw = State(0, settled=True), b""
    else:
        new = State(state.generation + 1, settled=True)
        raw = encode_profile(replace(profile, generation=new.generation, settled=True, drift=0.0))
    if not await store.publish(version, state, new, raw):
        raise ClusterdError(_CONFLICT.format(version))
    print(f"{version!r} is settled, at generation {new.generation}" + ("" if profile else ": it gets no profile"))


async def drop(store: ProfileStore, version: str, *, dry_run: bool) -> None:
    """Forget profile and sample: the next generation knows nothing, and learning begins anew. Raises ClusterdError.

    Generations are never removed: albums that were computed with one need it until they move.
    """
    state = await _state(store, version)
    size = (await store.poll([version])).samples.get(version)
    what = f"generation {state.generation} of {version!r} and {size.images if size else 0} sampled images"
    if dry_run:
        print(f"would forget {what}")
        return
    new = State(state.generation + 1)
    empty = Profile(version, new.generation, 0, settled=False, drift=None, kinds={})
    if not await store.start_again(version, state, new, encode_profile(empty)):
        raise ClusterdError(_CONFLICT.format(version))
    print(f"forgot {what}; learning begins anew, and albums leave the profile with their next jobs")


async def export(store: ProfileStore, version: str, file: Path) -> None:
    """Write the current profile to the file. Raises ClusterdError if there is none, or where it cannot be written."""
    state = await _state(store, version)
    profile = await _current(store, version, state)
    if profile is None:
        raise ClusterdError(f"{version!r} has no profile yet; `clusterd profile show` says how far its sample has come")
    _write(file, encode_profile(profile))
    print(f"generation {state.generation} of {version!r} is in {file}")


async def import_profile(store: ProfileStore, file: Path) -> None:
    """Publish the file's profile as the next generation of its model version, settled.

    Raises ClusterdError if the file holds none, or one for vectors of other lengths than those that are known.
    """
    profile = read_profile(file)
    version = profile.model_version
    state = (await store.poll()).states.get(version)
    await _check_lengths(store, profile, state)
    new = State(state.generation + 1 if state else 1, settled=True)
    raw = encode_profile(replace(profile, generation=new.generation, settled=True, drift=None))
    if not await store.publish(version, state, new, raw):
        raise ClusterdError(_CONFLICT.format(version))
    print(f"{version!r} has generation {new.generation} now, settled; albums move to it with their next jobs")


def _write(file: Path, raw: bytes) -> None:
    try:
        file.write_bytes(raw)
    except OSError as error:
        raise ClusterdError(f"{file}: {error.strerror}: give a file that can be written") from None


async def _check_lengths(store: ProfileStore, profile: Profile, state: State | None) -> None:
    """Albums whose vectors have other lengths could never move to it, and new ones would refuse their images."""
    version = profile.model_version
    current = await _current(store, version, state) if state else None
    known = {kind: each.length for kind, each in current.kinds.items()} if current else {}
    for image in (await store.sample(version)).values():
        known |= {kind: len(raw) // 2 for kind, raw in decode_sampled(image).vectors.items() if kind not in known}
    for kind, each in profile.kinds.items():
        if known.get(kind, each.length) != each.length:
            raise ClusterdError(
                f"{kind}: the file's profile is for {each.length} values, and {version!r} has {known[kind]} here: "
                "import it where the same encoder is used"
            )


async def _state(store: ProfileStore, version: str) -> State:
    state = (await store.poll()).states.get(version)
    if state is None:
        raise ClusterdError(
            f"{version!r} is no model version that is known; `clusterd profile list` shows those that are"
        )
    return state


async def _current(store: ProfileStore, version: str, state: State) -> Profile | None:
    return decode_profile(await store.fetch(version, state.generation)) if state.generation else None


async def _about(store: ProfileStore, version: str, state: State) -> dict[str, Any]:
    profile = await _current(store, version, state)
    return {
        "model_version": version,
        "generation": state.generation,
        "state": "settled" if state.settled else "learning",
        "learned_from": profile.sampled if profile else 0,
        "sampled": size.images if (size := (await store.poll([version])).samples.get(version)) else 0,
        "drift": profile.drift if profile else None,
    }


def _row(about: dict[str, Any]) -> str:
    drift = "-" if about["drift"] is None else f"{about['drift']:.4f}"
    cells = (about["generation"], about["state"], about["learned_from"], about["sampled"], drift)
    start = " ".join(f"{cell!s:<{width}}" for cell, (_, width) in zip(cells, _COLUMNS, strict=True))
    return f"{start} {about['model_version']!r}"
