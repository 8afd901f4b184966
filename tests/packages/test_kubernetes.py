"""The Kubernetes example against the schemas that Kubernetes publishes, strictly: no field that it does not know."""

import copy

import kubernetes_validate
import pytest
import yaml

from tests.packages.building import ROOT

pytestmark = pytest.mark.system

VERSIONS = ("1.33", "1.37")
"""The oldest that the example is for, and the newest."""
OBJECTS = [
    pytest.param(document, id=f"{file.stem}-{document['kind']}-{document['metadata']['name']}")
    for file in sorted((ROOT / "docs/kubernetes").glob("*.yaml"))
    for document in yaml.safe_load_all(file.read_text())
]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("document", OBJECTS)
def test_kubernetes_would_take_it(document, version):
    kubernetes_validate.validate(document, version, strict=True)


def test_a_field_that_kubernetes_does_not_know_is_seen():
    [deployment] = [one.values[0] for one in OBJECTS if one.id.startswith("api-Deployment")]
    spoilt = copy.deepcopy(deployment)
    spoilt["spec"]["template"]["spec"]["containers"][0]["readynessProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError, match="readynessProbe"):
        kubernetes_validate.validate(spoilt, VERSIONS[-1], strict=True)
