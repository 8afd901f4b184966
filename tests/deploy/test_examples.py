"""What the pages show for Prometheus, read by its own tool."""

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.docs.fences import unmarked
from tests.docs.pages import ROOT


def promtool(*arguments: object) -> str:
    done = subprocess.run(["promtool", *map(str, arguments)], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.system
def test_queries_are_queries(tmp_path: Path):
    rules = [
        {"record": f"shown:{number}", "expr": fence.text.strip()} for number, fence in enumerate(unmarked("promql"))
    ]
    assert rules
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "shown", "rules": rules}]}))
    assert f"{len(rules)} rules found" in promtool("check", "rules", file)


@pytest.mark.system
def test_its_settings_are_settings(tmp_path: Path):
    settings, authorization = (yaml.safe_load(fence.text) for fence in unmarked("yaml"))
    for file in settings["rule_files"]:
        shutil.copy(ROOT / "docs" / file, tmp_path)
    file = tmp_path / "prometheus.yml"
    file.write_text(yaml.safe_dump(settings))
    assert "SUCCESS" in promtool("check", "config", file)

    # A token's file is looked for, so this is where promtool reads that line.
    [job] = settings["scrape_configs"]
    token = tmp_path / Path(authorization["authorization"]["credentials_file"]).name
    job |= {"authorization": {"credentials_file": str(token)}}
    file.write_text(yaml.safe_dump(settings))
    with pytest.raises(AssertionError, match=token.name):
        promtool("check", "config", file)
    token.write_text("a-token")
    assert "SUCCESS" in promtool("check", "config", file)
