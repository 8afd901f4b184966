"""Who may change a path: by owners, modes and links, from the root down."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from sploot_clusterd import ownership
from sploot_clusterd.errors import ConfigError


def test_what_is_missing_is_made_for_its_user_alone(tmp_path):
    before = os.umask(0)
    try:
        ownership.make_ours(tmp_path / "a" / "b")
        os.close(ownership.open_ours(tmp_path / "a" / "b" / "file"))
    finally:
        os.umask(before)
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "a", tmp_path / "a" / "b")} == {0o700}
    assert (tmp_path / "a" / "b" / "file").stat().st_mode & 0o777 == 0o600
    ownership.make_ours(tmp_path / "a" / "b")


@pytest.mark.parametrize("which", ["", "a", "a/b"])
@pytest.mark.parametrize("mode", [0o777, 0o757])
def test_a_directory_or_one_above_it_that_everybody_can_change_is_refused(tmp_path, which, mode):
    ownership.make_ours(tmp_path / "a" / "b")
    (tmp_path / which).chmod(mode)
    with pytest.raises(ConfigError) as refused:
        ownership.make_ours(tmp_path / "a" / "b" / "c")
    place = tmp_path / which
    assert str(refused.value) == (
        f"{place} can be changed by everybody, so it is not trusted: chmod go-w {place}, "
        "or choose a place that is yours alone"
    )
    assert not (tmp_path / "a" / "b" / "c").exists()


def test_a_directory_like_tmp_is_fine_above_and_not_as_the_place_itself(tmp_path):
    (tmp_path / "tmp").mkdir()
    (tmp_path / "tmp").chmod(0o1777)
    ownership.make_ours(tmp_path / "tmp" / "d")
    with pytest.raises(ConfigError, match="can be changed by everybody"):
        ownership.make_ours(tmp_path / "tmp")


@pytest.mark.parametrize("which", ["a", "a/b"])
def test_somebody_elses_is_refused(tmp_path, which, give_away):
    ownership.make_ours(tmp_path / "a" / "b")
    give_away(tmp_path / which)
    with pytest.raises(ConfigError, match=r"belongs to user \w+, so it is not trusted: run as that user, or choose"):
        ownership.require_ours(tmp_path / "a" / "b")


def test_a_group_of_the_users_own_is_nobody_else_and_others_are(tmp_path, monkeypatch):
    ownership.make_ours(tmp_path / "a")
    (tmp_path / "a").chmod(0o770)
    monkeypatch.setattr(ownership.pwd, "getpwuid", lambda _: SimpleNamespace(pw_name="me"))
    for name, members, is_own in (("me", ["me"], True), ("me", [], True), ("me", ["you"], False), ("us", [], False)):
        group = SimpleNamespace(gr_name=name, gr_mem=members)
        monkeypatch.setattr(ownership.grp, "getgrgid", lambda _, group=group: group)
        if is_own:
            ownership.require_ours(tmp_path / "a")
            continue
        with pytest.raises(ConfigError, match=f"can be changed by group {name}"):
            ownership.require_ours(tmp_path / "a")


def test_own_links_are_followed_and_a_neighbours_are_not(tmp_path, give_away):
    ownership.make_ours(tmp_path / "real" / "d")
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "again").symlink_to(tmp_path / "link" / "d")
    ownership.require_ours(tmp_path / "link" / "d")
    ownership.require_ours(tmp_path / "again")

    give_away(tmp_path / "link")

    for path in (tmp_path / "link" / "d", tmp_path / "again"):
        with pytest.raises(ConfigError, match="belongs to user"):
            ownership.require_ours(path)


def test_what_a_link_leads_to_is_checked_on_its_way_too(tmp_path):
    ownership.make_ours(tmp_path / "open" / "d")
    (tmp_path / "link").symlink_to(tmp_path / "open" / "d")
    (tmp_path / "open").chmod(0o777)
    with pytest.raises(ConfigError, match=f"{tmp_path}/open can be changed by everybody"):
        ownership.require_ours(tmp_path / "link")


def test_links_in_a_circle_end(tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OSError, match="Too many levels"):
        ownership.make_ours(tmp_path / "a")


def hard_link(file: Path, target: Path) -> None:
    file.hardlink_to(target)


@pytest.mark.parametrize(
    ("plant", "told"),
    [
        (Path.symlink_to, "is a link, which is not followed here"),
        (hard_link, "has another name as well"),
        (lambda file, _: os.mkfifo(file), "is no ordinary file"),
        (lambda file, _: (file.touch(), file.chmod(0o666)), "can be changed by everybody"),
    ],
)
def test_a_file_that_may_not_be_ours_is_not_opened(tmp_path, plant, told):
    target = tmp_path / "precious"
    target.write_text("precious")
    plant(tmp_path / "file", target)
    with pytest.raises(ConfigError, match=told):
        ownership.open_ours(tmp_path / "file")
    assert target.read_text() == "precious"


def test_a_link_to_nothing_makes_nothing(tmp_path):
    (tmp_path / "file").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="is a link"):
        ownership.open_ours(tmp_path / "file")
    assert not (tmp_path / "elsewhere").exists()


def test_a_neighbours_file_is_not_opened(tmp_path, give_away):
    (tmp_path / "file").touch()
    give_away(tmp_path / "file")
    with pytest.raises(ConfigError, match="belongs to user"):
        ownership.open_ours(tmp_path / "file")
