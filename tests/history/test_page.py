"""docs/history.md, held against the tables, the answers and the limits that it tells of."""

import re
from pathlib import Path

from msgspec import json
from sqlalchemy import text

from sploot_clusterd.config import HistorySettings
from sploot_clusterd.history import weeks
from sploot_clusterd.history.database import READERS
from sploot_clusterd.history.schema import metadata
from sploot_clusterd.past import PastClusters, PastVersions
from tests.history.rows import add_stay

PAGE = (Path(__file__).parents[2] / "docs/history.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def test_every_table_is_explained_and_no_other():
    section = PAGE.partition("## What is kept")[2].partition("\n## ")[0]
    cells = "".join(re.findall(r"^\|([^|]*`[^|]*)\|", section, re.MULTILINE))
    assert set(re.findall(r"`(\w+)`", cells)) == set(metadata.tables)


def test_its_answers_have_every_member():
    version, versions = blocks("json")[:2]
    for body, struct in ((version, PastClusters), (versions, PastVersions)):
        assert list(json.decode(body)) == list(struct.__struct_fields__)
        found = json.decode(body, type=struct)
    assert list(json.decode(versions)["versions"][0]) == list(found.versions[0].__struct_fields__)


def test_its_query_gives_a_version_of_either_database(database):
    with database.write() as connection:
        add_stay(connection, "a", "pet_123-cluster-0", 1, 21, pet_id="pet_123")
        add_stay(connection, "a", "pet_123-cluster-1", 21, None, pet_id="pet_123")
        add_stay(connection, "b", "pet_123-cluster-1", 20, None, pet_id="pet_123")
        add_stay(connection, "c", "pet_123-cluster-1", 3, 20, pet_id="pet_123")
    [query] = [each for each in blocks("sql") if "SELECT" in each]
    with database.read() as connection:
        rows = sorted(map(tuple, connection.execute(text(query))))
    assert rows == [("pet_123-cluster-0", "a"), ("pet_123-cluster-1", "b")]


def test_its_figures_are_those_of_the_code():
    settings = HistorySettings()
    assert READERS == 3
    assert "three by which it reads" in PAGE
    assert weeks.AHEAD == 4
    assert "made four weeks ahead" in PAGE
    assert f"`history.retention_days` ({settings.retention_days})" in PAGE
    assert f"`history.lookups_per_second` ({settings.lookups_per_second:g})" in PAGE
