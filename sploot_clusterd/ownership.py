"""Who may change a file: what neighbours on this machine can change is not trusted, and not written to.

A path is checked from the root down. Once nobody else can change what its first parts lead to, the rest is looked up in
a directory that stays the same, so nothing can be put in its place between the check and the use.
"""

import contextlib
import errno
import grp
import os
import pwd
import stat
from pathlib import Path
from typing import Final

from sploot_clusterd.errors import ConfigError

_NEW: Final = 0o700
_FLAGS: Final = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def others_who_change(info: os.stat_result) -> str:
    """Who else than this process's user and root may change what `info` is of, for people; empty if nobody may.

    A group of the user's name without other members, as many systems give to each user, is nobody else.
    """
    if info.st_uid not in _trusted():
        return f"belongs to {_user(info.st_uid)}"
    if info.st_mode & stat.S_IWOTH:
        return "can be changed by everybody"
    if info.st_mode & stat.S_IWGRP and not _is_own_group(info.st_gid):
        return f"can be changed by {_group(info.st_gid)}"
    return ""


def owner_else(info: os.stat_result) -> str:
    """As `others_who_change`, for what only its owner can change: a link, or what is in a directory like /tmp."""
    return "" if info.st_uid in _trusted() else f"belongs to {_user(info.st_uid)}"


def require_ours(directory: Path) -> None:
    """`directory`, an absolute path, leads to one that nobody else can change, and by nothing that somebody else can.

    Raises ConfigError if not, OSError if it is not there.
    """
    directory.stat()  # links in a circle end here
    _require_unchangeable(directory, is_last=True)


def make_ours(directory: Path) -> None:
    """Makes `directory`, and what is missing above it, for this user alone. Raises as `require_ours`."""
    missing = [each for each in (directory, *directory.parents) if not os.path.lexists(each)]
    existing = missing[-1].parent if missing else directory
    existing.stat()
    _require_unchangeable(existing, is_last=not missing)
    for each in reversed(missing):
        each.mkdir(_NEW, exist_ok=True)
    require_ours(directory)


def require_ours_within(directory: Path) -> None:
    """Nothing in `directory` is a link, or can be changed by somebody else. Raises ConfigError, OSError."""
    for each in directory.iterdir():
        info = each.lstat()
        if stat.S_ISLNK(info.st_mode):
            raise ConfigError(f"{each} is a link, which is not followed here: move it away")
        _require(each, "" if stat.S_ISSOCK(info.st_mode) and not owner_else(info) else others_who_change(info))


def open_ours(file: Path, flags: int = 0) -> int:
    """A descriptor to read and write an ordinary file that nobody else can change; made for this user alone if missing.

    Raises ConfigError, OSError.
    """
    try:
        opened = os.open(file, _FLAGS | flags, 0o600)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise ConfigError(f"{file} is a link, which is not followed here") from None
        raise
    try:
        _require_file(file, os.fstat(opened))
    except BaseException:
        os.close(opened)
        raise
    return opened


def _require_unchangeable(path: Path, *, is_last: bool) -> None:
    for each in (*reversed(path.parents), path):
        info = each.lstat()
        if stat.S_ISLNK(info.st_mode):
            _require(each, owner_else(info))
            _require_unchangeable(each.parent / each.readlink(), is_last=is_last and each == path)
        elif info.st_mode & stat.S_ISVTX and not (is_last and each == path):
            _require(each, owner_else(info))
        else:
            _require(each, others_who_change(info))


def _require_file(file: Path, info: os.stat_result) -> None:
    if not stat.S_ISREG(info.st_mode):
        raise ConfigError(f"{file} is no ordinary file")
    if info.st_nlink > 1:
        raise ConfigError(f"{file} has another name as well (a hard link), and so may be another program's")
    _require(file, others_who_change(info))


def _require(path: Path, others: str) -> None:
    if not others:
        return
    mend = "run as that user" if others.startswith("belongs") else f"chmod go-w {path}"
    raise ConfigError(f"{path} {others}, so it is not trusted: {mend}, or choose a place that is yours alone")


def _trusted() -> set[int]:
    """The owner of / is root, whatever number root has here (a user namespace may show another)."""
    return {0, os.geteuid(), Path("/").stat().st_uid}


def _is_own_group(gid: int) -> bool:
    names = {"root"}
    with contextlib.suppress(KeyError):
        names.add(pwd.getpwuid(os.geteuid()).pw_name)
    try:
        group = grp.getgrgid(gid)
    except KeyError:
        return False
    return group.gr_name in names and names.issuperset(group.gr_mem)


def _user(uid: int) -> str:
    try:
        return f"user {pwd.getpwuid(uid).pw_name}"
    except KeyError:
        return f"user {uid}"


def _group(gid: int) -> str:
    try:
        return f"group {grp.getgrgid(gid).gr_name}"
    except KeyError:
        return f"group {gid}"
