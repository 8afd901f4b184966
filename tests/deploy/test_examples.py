"""What the pages show for Prometheus, read by its own tool."""

import subprocess
from pathlib import Path

import pytest
import yaml

from tests.docs.fences import unmarked

TOKEN_FILE = "/etc/prometheus/clusterd-token"


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
def test_a_scraper_with_a_token_is_a_scraper(tmp_path: Path):
    [fence] = unmarked("yaml")
    token = tmp_path / "token"
    token.write_text("a-token")
    shown = yaml.safe_load(fence.text.replace(TOKEN_FILE, str(token)))
    scrape = {"job_name": "clusterd", "static_configs": [{"targets": ["127.0.0.1:9105"]}], **shown}
    file = tmp_path / "prometheus.yml"
    file.write_text(yaml.safe_dump({"scrape_configs": [scrape]}))
    assert "SUCCESS" in promtool("check", "config", file)
    token.unlink()
    with pytest.raises(AssertionError, match="token"):
        promtool("check", "config", file)
