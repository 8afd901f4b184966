"""The Dockerfile and the compose file, held against the package; tests/packages builds and runs the image."""

import fnmatch
import json
import re
import shlex
import subprocess
import sys
import tomllib
from urllib.parse import urlsplit

import pytest
import yaml

from sploot_clusterd import __version__, config
from sploot_clusterd.errors import ConfigError
from tests.deploy.dockerfile import TOKEN, environment, of


@pytest.fixture(scope="module")
def compose(root):
    return yaml.safe_load((root / "docs/compose.yaml").read_text())


@pytest.fixture(scope="module")
def project(root):
    return tomllib.loads((root / "pyproject.toml").read_text())["project"]


def settings_of(image, tmp_path, **more):
    """The daemon's settings in such a container."""
    variables = {name: value for name, value in environment(image).items() if name != "PATH"}
    return config.load(environ=variables | more, directory=tmp_path), variables


def copied(stage):
    """(sources, destination) of what comes from the build context."""
    for line in of(stage, "COPY"):
        if not line.startswith("--from"):
            *sources, destination = line.split()
            yield sources, destination


def test_what_is_copied_exists_and_is_not_ignored(root, stages):
    patterns = [line for line in (root / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    sources = [source for stage in stages for sources, _ in copied(stage) for source in sources]
    assert sources
    for source in sources:
        assert (root / source).exists()
        last = [pattern for pattern in patterns if fnmatch.fnmatch(source, pattern.lstrip("!"))][-1]
        assert last.startswith("!"), f"{source} is ignored"


def test_all_that_the_build_needs_is_copied(stages, project):
    sources = {source for found, _ in copied(stages[0]) for source in found}
    assert sources == {"pyproject.toml", project["readme"], "docs/man", "sploot_clusterd"}


def test_the_final_stage_takes_what_the_first_one_built(stages, image):
    build = stages[0]
    name = re.search(r" AS (\w+)", of(build, "FROM")[0])[1]
    [line] = of(image, "COPY")
    source, _, path = line.removeprefix(f"--from={name} ").partition(" ")
    assert source == path == "/opt/sploot-clusterd"
    assert any(f"{path}/bin/pip install" in run for run in of(build, "RUN"))
    assert environment(image)["PATH"].startswith(f"{path}/bin:")


def test_both_stages_have_one_interpreter_that_the_package_supports(stages, project):
    [base] = {of(stage, "FROM")[0].split()[0] for stage in stages}
    major, minor = map(int, re.match(r"python:(\d+)\.(\d+)-", base).groups())
    assert project["requires-python"] == ">=3.11"
    assert (major, minor) >= (3, 11)


def test_the_image_runs_the_console_script_directly(image, project):
    [entry] = map(json.loads, of(image, "ENTRYPOINT"))  # the exec form: a shell would keep SIGTERM to itself
    assert entry == ["clusterd"]
    assert entry[0] in project["scripts"]
    assert of(image, "STOPSIGNAL") == []  # SIGTERM is the default, and what the daemon drains on


def test_the_probe_is_a_command_that_exists(image):
    [line] = of(image, "HEALTHCHECK")
    probe = json.loads(line.partition("CMD ")[2])
    assert probe == ["clusterd", "--check"]
    usage = subprocess.run(
        [sys.executable, "-m", "sploot_clusterd", "--help"], check=True, capture_output=True, text=True
    )
    assert "--check" in usage.stdout


def test_the_image_does_not_run_as_root(image):
    [user] = of(image, "USER")
    uid, _ = user.split(":")
    assert int(uid) > 0  # a name would not do for Kubernetes' runAsNonRoot
    assert any("useradd" in run and f"--uid {uid} " in run for run in of(image, "RUN"))
    names = [name for name, _ in image]
    assert names.index("RUN") < names.index("USER") < names.index("ENTRYPOINT")


def test_the_labels_are_what_the_package_says(stages, image, project):
    words = dict(pair.split("=", 1) for pair in shlex.split(of(image, "LABEL")[0]))
    labels = {name.removeprefix("org.opencontainers.image."): value for name, value in words.items()}
    assert of(image, "ARG") == [f"VERSION={__version__}"]
    assert (labels["title"], labels["description"]) == (project["name"], project["description"])
    assert labels["version"] == "$VERSION"
    assert labels["base.name"] == f"docker.io/library/{of(stages[-1], 'FROM')[0]}"


def test_every_variable_of_the_image_is_a_setting(image, tmp_path):
    settings, variables = settings_of(image, tmp_path, **TOKEN)
    assert len(settings.sources) == len(variables) + len(TOKEN)
    assert settings.http.host == settings.metrics.host == "0.0.0.0"


def test_the_exposed_ports_are_the_defaults(image, tmp_path):
    settings, _ = settings_of(image, tmp_path, **TOKEN)
    defaults = config.Settings()
    exposed = [int(port) for line in of(image, "EXPOSE") for port in line.split()]
    assert exposed == [settings.http.port, settings.metrics.port] == [defaults.http.port, defaults.metrics.port]


def test_the_image_refuses_to_start_without_a_real_token(image, tmp_path):
    with pytest.raises(ConfigError, match="token"):
        settings_of(image, tmp_path)


def test_compose_configures_the_daemon(compose, image, tmp_path):
    service = compose["services"]["clusterd"]
    assert re.match(r"\$\{INTERNAL_TOKEN:\?.+\}", service["environment"]["INTERNAL_TOKEN"])  # refused where unset
    settings, variables = settings_of(image, tmp_path, **(service["environment"] | TOKEN))
    assert len(settings.sources) == len(variables | service["environment"])
    assert urlsplit(settings.redis.url.reveal()).hostname in compose["services"]
    host, outside, inside = service["ports"][0].split(":")
    assert (host, int(outside), int(inside)) == ("127.0.0.1", settings.http.port, settings.http.port)


def test_compose_builds_from_the_root_and_mounts_what_exists(compose, root):
    docs = root / "docs"
    services = compose["services"]
    assert (docs / services["clusterd"]["build"] / "Dockerfile").resolve() == root / "Dockerfile"
    mounts = [mount.split(":")[0] for service in services.values() for mount in service.get("volumes", ())]
    files = [mount for mount in mounts if mount.startswith(".")]
    assert files
    assert all((docs / file).is_file() for file in files)
    assert set(mounts) - set(files) == set(compose["volumes"])


def test_compose_keeps_no_core_files_and_bounds_memory(compose):
    service = compose["services"]["clusterd"]
    assert (service["ulimits"]["core"], service["mem_limit"]) == (0, "2g")


def test_compose_lets_a_stop_drain(compose, longest_stop):
    assert longest_stop + 5 <= float(compose["services"]["clusterd"]["stop_grace_period"].removesuffix("s"))


def test_composes_redis_keeps_what_it_acknowledged(compose):
    redis = compose["services"]["redis"]
    command = redis["command"]
    options = dict(zip(command[1::2], command[2::2], strict=True))
    assert command[0] == "redis-server"
    assert options == {"--appendonly": "yes", "--appendfsync": "everysec", "--maxmemory-policy": "noeviction"}
    assert float(re.fullmatch(r"redis:(\d+\.\d+)", redis["image"])[1]) >= 7.0
    assert redis["volumes"] == ["redis:/data"]
    assert compose["services"]["clusterd"]["depends_on"] == {"redis": {"condition": "service_healthy"}}


def test_prometheus_asks_the_metrics_port_of_the_daemon(compose, root):
    settings = yaml.safe_load((root / "docs/prometheus.yml").read_text())
    [scrape] = settings["scrape_configs"]
    [found] = scrape["dns_sd_configs"]
    assert set(found["names"]) <= set(compose["services"])
    assert found["port"] == config.Settings().metrics.port
    mounted = [mount.split(":")[1] for mount in compose["services"]["prometheus"]["volumes"]]
    assert {f"/etc/prometheus/{name}" for name in ["prometheus.yml", *settings["rule_files"]]} <= set(mounted)
