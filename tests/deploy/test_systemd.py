"""The unit files, held against the daemon that they start and, where marked, against systemd itself."""

import re
import subprocess
import sys

import pytest

from sploot_clusterd import config
from sploot_clusterd.errors import ConfigError
from tests.deploy.units import UNITS, directives, environment, only, values

EXECUTABLE = "/opt/sploot-clusterd/bin/clusterd"


@pytest.fixture(params=UNITS)
def unit(request, root):
    return directives((root / "systemd" / request.param).read_text())


def seconds(text):
    return float(text.removesuffix("s"))


@pytest.fixture
def credentials(tmp_path):
    (tmp_path / "token").write_text("a-token-of-more-than-16-bytes\n")
    return tmp_path


def test_the_daemon_starts_with_the_units_environment(unit, credentials):
    settings = config.load(environ=environment(unit, credentials), directory=credentials)
    assert settings.service.environment == "production"
    assert [token.reveal() for token in settings.http.tokens] == ["a-token-of-more-than-16-bytes"]
    assert set(settings.sources) >= {"http.token_files", "service.environment"}


def test_the_credential_is_the_token_that_the_daemon_reads(unit):
    name, _, path = only(unit, "LoadCredential").partition(":")
    assert (name, path) == ("token", "/etc/sploot-clusterd/token")
    assert f"INTERNAL_TOKEN_FILE=%d/{name}" in values(unit, "Environment")


def test_every_variable_of_the_units_is_a_setting(unit, credentials):
    given = environment(unit, credentials)
    assert len(config.load(environ=given, directory=credentials).sources) == len(given)


def test_instances_share_the_http_port_and_have_a_metrics_port_each(root, credentials):
    unit = directives((root / "systemd/clusterd@.service").read_text())
    loaded = [config.load(environ=environment(unit, credentials, str(i)), directory=credentials) for i in range(10)]
    assert [settings.service.instance for settings in loaded] == list(range(10))
    assert [settings.metrics.port for settings in loaded] == list(range(9120, 9130))
    assert {(settings.http.reuse_port, settings.http.port) for settings in loaded} == {(True, 9007)}
    with pytest.raises(ConfigError, match=r"metrics\.port"):
        config.load(environ=environment(unit, credentials, "10"), directory=credentials)


def test_both_units_differ_in_what_an_instance_needs_only(root):
    single, template = (directives((root / "systemd" / name).read_text()) for name in UNITS)
    only_single = {key for key, _ in set(single) - set(template)}
    only_template = {key for key, _ in set(template) - set(single)}
    assert only_single == {"Description"}
    assert only_template == {"Description", "Environment"}


def test_systemd_waits_for_a_stop_and_the_watchdog_does_not_interrupt_it(unit, longest_stop):
    assert longest_stop + 5 <= seconds(only(unit, "TimeoutStopSec")) < seconds(only(unit, "WatchdogSec"))


def test_start_reload_and_restart_follow_the_daemons_contract(unit):
    assert only(unit, "Type") == "notify"
    assert only(unit, "ExecStart") == EXECUTABLE
    assert only(unit, "ExecReload") == "/bin/kill -HUP $MAINPID"
    assert only(unit, "Restart") == "on-failure"
    assert only(unit, "RestartPreventExitStatus") == "2"  # the exit code of a wrong configuration


def test_the_hardening_leaves_what_the_daemon_needs(unit):
    assert only(unit, "RestrictAddressFamilies").split() == ["AF_UNIX", "AF_INET", "AF_INET6"]
    assert not any("execve" in value for value in values(unit, "SystemCallFilter"))  # it would not start at all
    assert int(only(unit, "LimitNOFILE")) > 2 * config.Settings().http.max_connections


def test_no_core_file_keeps_what_was_in_memory_and_memory_is_bounded(unit):
    settings = config.Settings()
    assert only(unit, "LimitCORE") == "0"
    needed = settings.albums.cache_bytes + 16 * settings.http.max_body_bytes
    assert 2 * needed <= int(only(unit, "MemoryMax").removesuffix("G")) * 2**30


def runnable(root, directory, name):
    """A copy of a unit whose executable exists."""
    copy = directory / name.replace("@.", "@1.")
    text = (root / "systemd" / name).read_text()
    assert text.count(EXECUTABLE + "\n") == 1
    copy.write_text(text.replace(EXECUTABLE + "\n", sys.executable + "\n"))
    return copy


@pytest.mark.system
@pytest.mark.parametrize("name", UNITS)
def test_systemd_finds_no_fault(root, tmp_path, name):
    command = ["systemd-analyze", "verify", "--man=no", str(runnable(root, tmp_path, name))]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    about_us = [line for line in (done.stdout + done.stderr).splitlines() if "clusterd" in line]
    assert (done.returncode, about_us) == (0, [])


@pytest.mark.system
@pytest.mark.parametrize("name", UNITS)
def test_systemd_rates_the_exposure_at_two_or_less(root, tmp_path, name):
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", str(runnable(root, tmp_path, name))]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found = re.search(r"Overall exposure level for \S+: (\d+\.\d+)", done.stdout)
    assert float(found[1]) <= 2.0


UNDER_W_XOR_X = """
import ctypes, threading
PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN = 65, 1
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0) == 0, "needs Linux 6.3"
import aiohttp, hiredis, msgspec, numpy, prometheus_client, scipy.optimize, uvloop
squared = []
thread = threading.Thread(target=lambda: squared.append((numpy.ones((300, 300)) @ numpy.ones((300, 300))).sum()))
thread.start()
thread.join()
assert squared == [300.0 ** 3]
"""


@pytest.mark.system
def test_the_libraries_and_a_thread_run_without_memory_both_writable_and_executable():
    done = subprocess.run([sys.executable, "-c", UNDER_W_XOR_X], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
