"""The shipped example documents every setting, and says of each what the code says."""

import dataclasses
import re
import tomllib
from pathlib import Path

from sploot_clusterd.config import Settings, load
from sploot_clusterd.config.schema import SCHEMA, environment_names, value_of

EXAMPLE = Path(__file__).parents[2] / "config.example.toml"
UNSET = re.compile(r"^#(?=\w+ = )", re.MULTILINE)


def test_example_is_the_defaults():
    shipped = load(EXAMPLE, environ={})
    assert {key: value_of(shipped, key) for key in SCHEMA} == {key: value_of(Settings(), key) for key in SCHEMA}


def test_example_names_every_setting_and_no_other():
    tree = tomllib.loads(UNSET.sub("", EXAMPLE.read_text()))

    def keys(table: dict, prefix: str) -> set[str]:
        found = set()
        for name, value in table.items():
            key = prefix + name
            found |= keys(value, f"{key}.") if isinstance(value, dict) else {key}
        return found

    assert keys(tree, "") == set(SCHEMA)


def test_settings_that_are_commented_out_are_the_ones_without_a_default(tmp_path):
    text = EXAMPLE.read_text()
    whole = re.sub(r"\n(\w+_)?tokens? = .*", "", UNSET.sub("", text)).replace("ssl = false", "ssl = true")
    whole = whole.replace("redis://127.0.0.1:6379/0", "redis+sentinel://127.0.0.1/mymaster")
    whole = re.sub(r"(?<=\n\[feed\]\n)(?s:(.*?\n))enabled = false", r"\1enabled = true", whole)
    whole = re.sub(r"/etc/ssl/\w+-ca.pem", __file__, whole)
    token = tmp_path / "token"
    token.write_text("a-token-of-some-length\n")
    services = ("INTERNAL", "WORKER_METRICS", "STORAGE_SERVICE")
    environ = {f"{service}_TOKEN_FILE": str(token) for service in services}
    for who in ("READER", "PRODUCER"):
        environ[f"{who}_TOKEN_FILE"] = str(tmp_path / who)
        (tmp_path / who).write_text(f"a-token-of-the-{who}\n")
    (tmp_path / "whole.toml").write_text(re.sub(r"\ncluster_addresses = .*", "", whole))
    over_sentinels = load(tmp_path / "whole.toml", environ=environ)
    in_cluster = re.sub(r"\nsentinel_\w+ = .*", "", whole).replace("redis+sentinel://127.0.0.1/mymaster", "redis://a,b")
    in_cluster = in_cluster.replace("cluster = false", "cluster = true").replace("partitions = 1", "partitions = 64")
    (tmp_path / "whole.toml").write_text(in_cluster)
    in_cluster = load(tmp_path / "whole.toml", environ=environ)
    unset = [key for key in SCHEMA if value_of(Settings(), key) is None]
    assert len(UNSET.findall(text)) == len(unset) > 0
    assert all({value_of(over_sentinels, key), value_of(in_cluster, key)} != {None} for key in unset)


def test_each_key_is_explained_as_in_the_code():
    lines = EXAMPLE.read_text().splitlines()
    table, comment, explained = "", [], {}
    for line in lines:
        if line.startswith("["):
            table, comment = line.strip("[]"), []
        elif found := re.match(r"#?(\w+) = ", line):
            explained[f"{table}.{found[1]}"] = " ".join(comment)
            comment = []
        elif line.startswith("# "):
            comment.append(line[2:])
        else:
            comment = []
    for key, setting in SCHEMA.items():
        names = ", ".join(environment_names(key))
        assert explained[key] == f"{setting.explanation} Allowed: {setting.allowed}. [{names}]", key


def test_every_field_is_declared_with_an_explanation():
    for section in dataclasses.fields(Settings):
        if section.name in {"file", "sources", "overrides", "warnings"}:
            continue
        assert section.default_factory.__doc__
        assert any(key.startswith(f"{section.name}.") for key in SCHEMA)
    assert all(setting.explanation.endswith((".", ".)")) for setting in SCHEMA.values())
