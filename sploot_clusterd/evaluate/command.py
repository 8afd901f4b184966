"""`clusterd eval`: how well the engine clusters labelled albums, an algorithm a column."""

# ruff: noqa: T201 - a command prints

import dataclasses
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec

from sploot_clusterd import stdio
from sploot_clusterd.engine import Params
from sploot_clusterd.errors import ClusterdError, ConfigError
from sploot_clusterd.evaluate.albums import LabelledAlbum, read_albums
from sploot_clusterd.evaluate.answers import AskedReplay, GuessedReplay
from sploot_clusterd.evaluate.figures import Measured, as_json, figures, gains_tables, notes, table
from sploot_clusterd.evaluate.gains import Gains
from sploot_clusterd.evaluate.modes import Mode, Ran, mode
from sploot_clusterd.evaluate.replay import Replay
from sploot_clusterd.evaluate.user import CorrectedReplay, UserReplay
from sploot_clusterd.progress import Progress


class Asked(NamedTuple):
    """What to measure, and where to write it besides the terminal. None: all albums; no file."""

    file: Path
    composition: Path | None
    algorithms: Sequence[str]
    profile: str | Path
    """`none`, `online`, `folds` or a file."""
    sizes: range | None
    first: int | None
    most: int
    """Images a job."""
    seed: int
    shuffles: int
    corrections: int
    """Of a simulated user, at most so many an album; 0: there is none."""
    questions: int
    """That one answers, as `corrections`; and as many of pairs at random."""
    json: Path | None
    report: Path | None


def evaluate(asked: Asked, params: Params) -> int:
    """Prints the table and writes the files. Raises ConfigError for a file it cannot use."""
    report = _reporter() if asked.report else None
    for path in filter(None, (asked.json, asked.report)):
        if path.is_dir() or not os.access(path.parent, os.W_OK):
            raise ConfigError(f"{path}: cannot be written: name a file in a directory that is there and yours")
    albums = _chosen(asked)
    by = mode(asked.profile, asked.file, asked.composition, albums)
    columns = [_measured(algorithm, albums, params, asked, by) for algorithm in dict.fromkeys(asked.algorithms)]
    title = f"{len(albums)} albums, {sum(map(len, albums))} images, jobs of 1 to {asked.most} images, {by.about}"
    print(f"{title}\n\n{table(columns)}")
    for corrected in gains_tables(columns):
        print(f"\n{corrected}")
    if said := [note for column in columns for note in notes(column)]:
        print("", *said, sep="\n")
    if asked.json:
        _write(asked.json, msgspec.json.format(msgspec.json.encode(as_json(albums, columns))))
    if report and asked.report:
        _write(asked.report, report(title, albums, columns).encode())
        print(f"\nreport: {asked.report}")
    return 0


def _reporter() -> Callable[[str, Sequence[LabelledAlbum], Sequence[Measured]], str]:
    """Found out before anything is measured. Raises ConfigError without the extra that draws."""
    try:
        from sploot_clusterd.evaluate.report import report  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ConfigError(f"--report: {error}; pip install matplotlib") from None
    return report


def _write(file: Path, content: bytes) -> None:
    try:
        file.write_bytes(content)
    except OSError as error:
        raise ClusterdError(f"{file}: cannot be written: {error.strerror}") from None


def _chosen(asked: Asked) -> list[LabelledAlbum]:
    albums = read_albums(asked.file, asked.composition)
    fitting = [album for album in albums if asked.sizes is None or len(album) in asked.sizes]
    if not fitting:
        least, most = min(map(len, albums)), max(map(len, albums))
        raise ConfigError(f"--sizes: no album is of such a size; those of {asked.file} have {least} to {most} images")
    return fitting[: asked.first]


def _measured(algorithm: str, albums: Sequence[LabelledAlbum], params: Params, asked: Asked, by: Mode) -> Measured:
    def replays(albums: Sequence[LabelledAlbum]) -> list[Replay]:
        return [Replay(album, chosen, asked.most, asked.seed + album.number) for album in albums]

    def run(replays: Iterable[Replay], seed: int, what: str) -> Ran:
        with _progress(what, sum(map(len, albums))) as came:
            return by.run(replays, seed, came)

    chosen = dataclasses.replace(params, algorithm=algorithm)
    results, learning = run(replays(albums), asked.seed, algorithm)
    shuffled = []
    for number in range(1, asked.shuffles + 1):
        order = [album.shuffled(asked.seed + number) for album in albums]
        found = run(replays(order), asked.seed + number, f"{algorithm}, order {number} of {asked.shuffles}")
        shuffled.append(figures(found.results)["bcubed_f1"] or 0.0)
    gains: dict[str, Gains] = {}
    for what, user, most in _users(asked):
        with_user = [user(album, chosen, asked.most, asked.seed + album.number, most) for album in albums]
        gains[what] = Gains.of(results, with_user, run(with_user, asked.seed, f"{algorithm}, with {what}").results)
    return Measured(algorithm, results, shuffled, learning, gains)


def _users(asked: Asked) -> Iterator[tuple[str, type[UserReplay], int]]:
    """What each says, its kind, and how much."""
    if asked.corrections:
        yield "corrections", CorrectedReplay, asked.corrections
    if asked.questions:
        yield "questions", AskedReplay, asked.questions
        yield "random pairs", GuessedReplay, asked.questions


@contextmanager
def _progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Tells how many images have come: a terminal all the time, else at an interruption. Gives what is to be called
    with those of each job.
    """
    done, progress = 0, Progress()

    def came(images: int) -> None:
        nonlocal done
        done += images
        progress.show(so_far())

    def so_far() -> str:
        return f"{what}: {done:,} of {total:,} images"

    try:
        yield came
    except KeyboardInterrupt:
        progress.clear()
        stdio.say(so_far())
        raise
    progress.clear()
