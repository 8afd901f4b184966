"""What docs/tracing.md shows is so."""

import shlex
import subprocess
import sys
from asyncio import Event
from dataclasses import replace

from sploot_clusterd.config import SecretUrl, Settings, TracingSettings
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.tracing.recorder import Recorder
from tests.docs.pages import ROOT, only_block

PAGE = ROOT / "docs/tracing.md"


def test_a_pets_traces_are_found_by_the_command_of_the_page():
    _, *arguments = shlex.split(only_block(PAGE, "run").text)
    told = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=True).stdout
    settings = replace(Settings(), tracing=TracingSettings(endpoint=SecretUrl("http://127.0.0.1:4318")))
    assert told == only_block(PAGE, "answer").text == Recorder(settings, Metrics(), Event()).pet("pet_123") + "\n"
