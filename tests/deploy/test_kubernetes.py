"""The Kubernetes example, held against the daemon; tests/packages holds it against Kubernetes' own schemas."""

import tomllib
from typing import Any

import pytest
import yaml

from sploot_clusterd import config
from sploot_clusterd.config import Settings
from sploot_clusterd.metrics import Metrics
from tests.deploy.dockerfile import TOKEN, environment, of

HTTP, METRICS = Settings().http.port, Settings().metrics.port


@pytest.fixture(scope="module")
def objects(root) -> dict[tuple[str, str], dict[str, Any]]:
    """Every object of the example by its kind and name."""
    files = sorted((root / "docs/kubernetes").glob("*.yaml"))
    found = [document for file in files for document in yaml.safe_load_all(file.read_text())]
    by_name = {(document["kind"], document["metadata"]["name"]): document for document in found}
    assert len(by_name) == len(found) >= 9
    return by_name


@pytest.fixture(scope="module", params=["clusterd-api", "clusterd-consumer"])
def deployment(request, objects):
    return objects["Deployment", request.param]


@pytest.fixture
def pod(deployment):
    return deployment["spec"]["template"]["spec"]


@pytest.fixture
def container(pod):
    [only] = pod["containers"]
    return only


@pytest.fixture
def settings(root, pod, container, image, tmp_path):
    """What the daemon makes of the image's variables, the pod's, and the secrets with the modes of their mounts."""
    file = tmp_path / "config.toml"
    file.write_text((root / "docs/kubernetes/config.toml").read_text())
    (tmp_path / "token").write_text(TOKEN["INTERNAL_TOKEN"])
    [mode] = {volume["secret"]["defaultMode"] for volume in pod["volumes"]}
    for secret in (file, tmp_path / "token"):
        secret.chmod(mode)
    given = {entry["name"]: entry["value"] for entry in container["env"]}
    names = set(environment(image)) - {"PATH"} | set(given)
    variables = {name: value for name, value in (environment(image) | given).items() if name != "PATH"}
    for name in given.keys() & {"INTERNAL_TOKEN_FILE"}:
        variables[name] = variables[name].replace("/run/secrets/clusterd", str(tmp_path))
    loaded = config.load(file, environ=variables, directory=tmp_path)
    in_the_file = sum(map(len, tomllib.loads(file.read_text()).values()))
    assert len(loaded.sources) == len(names) + in_the_file
    return loaded


def test_each_process_is_what_its_name_says(deployment, settings):
    serves, consumes = settings.http.enabled, settings.stream.consumers > 0
    assert (serves, consumes) == {"clusterd-api": (True, False), "clusterd-consumer": (False, True)}[
        deployment["metadata"]["name"]
    ]
    assert settings.service.environment == "production"
    assert settings.warnings == ()


def test_what_is_mounted_is_where_the_daemon_looks(pod, container, settings):
    secrets = {volume["name"]: volume["secret"]["secretName"] for volume in pod["volumes"]}
    mounts = {mount["mountPath"]: secrets[mount["name"]] for mount in container["volumeMounts"]}
    assert mounts["/etc/sploot-clusterd"] == "clusterd-config"  # config.toml there is read without being named
    assert ("/run/secrets/clusterd" in mounts) == settings.http.enabled
    assert all(mount["readOnly"] for mount in container["volumeMounts"])
    assert not any("valueFrom" in entry for entry in container["env"])


def test_ports_are_the_daemons_and_probes_ask_its_paths(container, settings):
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {"metrics": METRICS} | ({"http": HTTP} if settings.http.enabled else {})
    assert (settings.metrics.host, settings.metrics.port) == ("0.0.0.0", METRICS)
    asked = {name: container[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")}
    assert {name: probe["path"] for name, probe in asked.items()} == {
        "startup": "/healthz",
        "liveness": "/healthz",
        "readiness": "/readyz",
    }
    assert {probe["port"] for probe in asked.values()} == {"metrics"}


def test_a_stop_may_drain(pod, container, longest_stop):
    before = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
    assert before + longest_stop + 5 <= pod["terminationGracePeriodSeconds"]


def test_pods_meet_the_restricted_standard_and_write_nowhere(pod, container, image):
    uid, gid = map(int, of(image, "USER")[0].split(":"))
    assert pod["securityContext"] == {
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
        "fsGroup": gid,
    }
    assert uid > 0
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert not pod["automountServiceAccountToken"]


def test_selectors_find_the_pods(deployment, objects):
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert deployment["spec"]["selector"]["matchLabels"] == labels == deployment["metadata"]["labels"]
    budget = objects["PodDisruptionBudget", deployment["metadata"]["name"]]["spec"]
    assert (budget["selector"]["matchLabels"], budget["maxUnavailable"]) == (labels, 1)


def test_the_service_and_the_policies_lead_to_the_daemons_ports(objects):
    api = objects["Deployment", "clusterd-api"]["spec"]["template"]["metadata"]["labels"]
    service = objects["Service", "clusterd"]["spec"]
    assert (service["selector"], service["ports"]) == (api, [{"name": "http", "port": HTTP, "targetPort": "http"}])
    every, only_api = (objects["NetworkPolicy", name]["spec"] for name in ("clusterd", "clusterd-api"))
    assert every["podSelector"]["matchLabels"].items() < api.items()
    assert only_api["podSelector"]["matchLabels"] == api
    assert every["policyTypes"] == ["Ingress", "Egress"]
    opened = [[port["port"] for rule in policy["ingress"] for port in rule["ports"]] for policy in (every, only_api)]
    assert opened == [[METRICS], [HTTP]]


def test_it_scales_by_a_metric_that_the_daemon_has_to_as_many_as_share_the_partitions(objects, settings):
    scaler = objects["HorizontalPodAutoscaler", "clusterd-consumer"]["spec"]
    target = scaler["scaleTargetRef"]
    assert "replicas" not in objects[target["kind"], target["name"]]["spec"]
    [metric] = scaler["metrics"]
    name = metric["external"]["metric"]["name"]
    assert name in {family.name for family in Metrics().registry.collect()}
    [rule] = yaml.safe_load(objects["ConfigMap", "adapter-config"]["data"]["config.yaml"])["externalRules"]
    assert rule["seriesQuery"] == name
    assert 1 < scaler["minReplicas"] < scaler["maxReplicas"] <= settings.stream.partitions // 2
    refused_at = settings.stream.maxlen
    assert int(metric["external"]["target"]["averageValue"]) * scaler["maxReplicas"] < refused_at
