"""The Kubernetes manifests, without a cluster: their form, and what they promise."""

from typing import Any

import kubernetes_validate
import pytest
from click.testing import CliRunner
from sqlalchemy import text

from freeda_svc.api.access import keys_needed
from freeda_svc.cli.main import freeda
from freeda_svc.jobs.database import writing
from freeda_svc.jobs.states import ItemState, JobKind
from freeda_svc.jobs.tables import Job, WorkItem
from freeda_svc.settings import Settings, load_settings
from freeda_svc.workers.app import check_queues
from freeda_svc.workers.messages import QUEUES
from tests.deploy.documents import COMPOSE, KUBERNETES, Document, read_compose, read_yaml, settings_named

VERSION = "1.31"
DOCUMENTS = [
    document
    for path in sorted(KUBERNETES.glob("*.yaml"))
    if path.stem != "kustomization"
    for document in read_yaml(path)
]
KUSTOMIZATION = read_yaml(KUBERNETES / "kustomization.yaml")[0]
DEPLOYMENTS = {document["metadata"]["name"]: document for document in DOCUMENTS if document["kind"] == "Deployment"}
WORKERS = {name: one for name, one in DEPLOYMENTS.items() if name != "freeda-api"}
API = DEPLOYMENTS["freeda-api"]["spec"]["template"]
SCALED = {
    document["spec"]["scaleTargetRef"]["name"]: document for document in DOCUMENTS if document["kind"] == "ScaledObject"
}
SETTINGS = next(document["data"] for document in DOCUMENTS if document["kind"] == "ConfigMap")


def _name(document: Document) -> str:
    return f"{document['kind']} {document['metadata']['name']}"


def _pods() -> list[tuple[str, dict[str, Any]]]:
    return [(_name(one), one["spec"]["template"]["spec"]) for one in DOCUMENTS if one["kind"] in {"Deployment", "Job"}]


@pytest.mark.parametrize("document", [one for one in DOCUMENTS if "keda" not in one["apiVersion"]], ids=_name)
def test_every_manifest_is_of_the_form_that_kubernetes_publishes(document: Document) -> None:
    kubernetes_validate.validate(document, VERSION, strict=True)


def test_every_file_is_applied_and_none_says_where() -> None:
    assert sorted(KUSTOMIZATION["resources"]) == sorted(
        path.name for path in KUBERNETES.glob("*.yaml") if path.stem != "kustomization"
    )
    assert "namespace" not in KUSTOMIZATION
    assert all("namespace" not in document["metadata"] for document in DOCUMENTS)
    assert not [document for document in DOCUMENTS if document["kind"] == "Secret"]


@pytest.mark.parametrize(("name", "pod"), _pods())
def test_every_pod_is_locked_up(name: str, pod: dict[str, Any]) -> None:
    assert pod["automountServiceAccountToken"] is False
    security = pod["securityContext"]
    assert security["runAsNonRoot"] is True
    assert security["runAsUser"] > 0
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in [*pod["containers"], *pod.get("initContainers", [])]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert "memory" in container["resources"]["limits"]
        assert {mount["name"] for mount in container["volumeMounts"]} <= {volume["name"] for volume in pod["volumes"]}


@pytest.mark.parametrize(("name", "pod"), _pods())
def test_images_have_one_version(name: str, pod: dict[str, Any]) -> None:
    [image] = KUSTOMIZATION["images"]
    assert {container["image"] for container in pod["containers"]} == {image["name"]}
    assert f":-{image['newTag']}}}" in read_compose(COMPOSE)["services"]["generation"]["image"]


def test_settings_that_are_named_exist_and_secrets_come_as_files() -> None:
    named = settings_named(list(SETTINGS))
    assert {"broker_url", "database_url", "qdrant_api_key", "qdrant_url", "artifacts", "packs"} <= named
    values = {
        name.removeprefix("FREEDA_").lower(): value for name, value in SETTINGS.items() if not name.endswith("_FILE")
    }
    Settings(**values)
    for _, pod in _pods():
        mounts = {mount["mountPath"] for container in pod["containers"] for mount in container["volumeMounts"]}
        for name, value in SETTINGS.items():
            if name.endswith("_FILE"):
                assert value.rpartition("/")[0] in mounts
        assert {"secretName": "freeda", "defaultMode": 0o440} in [volume.get("secret") for volume in pod["volumes"]]
        variables = [given for container in pod["containers"] for given in container.get("env", [])]
        settings_named([given["name"] for given in variables])


@pytest.mark.parametrize("name", WORKERS)
def test_workers_are_given_longer_to_stop_than_they_take(name: str) -> None:
    pod = DEPLOYMENTS[name]["spec"]["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] >= float(SETTINGS["FREEDA_STOP_GRACE_SECONDS"]) + 30


@pytest.mark.parametrize("name", WORKERS)
def test_workers_are_probed_where_they_answer(name: str) -> None:
    template = DEPLOYMENTS[name]["spec"]["template"]
    [worker] = template["spec"]["containers"]
    [port] = worker["ports"]
    assert str(port["containerPort"]) == SETTINGS["FREEDA_METRICS_PORT"]
    assert template["metadata"]["annotations"]["prometheus.io/port"] == SETTINGS["FREEDA_METRICS_PORT"]
    for probe, path in (("startupProbe", "ready"), ("readinessProbe", "ready"), ("livenessProbe", "live")):
        assert worker[probe]["httpGet"] == {"path": f"/health/{path}", "port": port["name"]}


def test_all_queues_are_served_and_one_process_has_one_card() -> None:
    served: list[str] = []
    for deployment in WORKERS.values():
        [worker] = deployment["spec"]["template"]["spec"]["containers"]
        assert worker["args"][:1] == ["worker"]
        served += check_queues(worker["args"][2::2])
        assert worker["resources"]["limits"]["nvidia.com/gpu"] == 1
        assert "replicas" not in deployment["spec"]
    assert sorted(served) == sorted(QUEUES)


def test_the_api_asks_for_keys_and_is_probed_where_it_answers() -> None:
    [server] = API["spec"]["containers"]
    assert CliRunner().invoke(freeda, [*server["args"], "--help"]).exit_code == 0
    given = {one["name"]: one["value"] for one in server["env"]}
    assert keys_needed(Settings(api_host=given["FREEDA_API_HOST"]))
    [port] = server["ports"]
    assert port["containerPort"] == Settings.model_fields["api_port"].default
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert server[probe]["httpGet"] == {"path": "/health/live", "port": port["name"]}
    assert "nvidia.com/gpu" not in server["resources"]["limits"]
    assert DEPLOYMENTS["freeda-api"]["spec"]["replicas"] > 1  # so that one can be replaced
    home = next(mount["name"] for mount in server["volumeMounts"] if mount["mountPath"] == SETTINGS["FREEDA_HOME"])
    room = next(volume["emptyDir"]["sizeLimit"] for volume in API["spec"]["volumes"] if volume["name"] == home)
    assert int(room.removesuffix("Gi")) << 30 > 4 * Settings.model_fields["api_max_body_bytes"].default


def test_the_service_finds_the_api_under_a_name_that_it_answers_to() -> None:
    [service] = [document for document in DOCUMENTS if document["kind"] == "Service"]
    assert service["spec"]["selector"] == API["metadata"]["labels"]
    [port] = service["spec"]["ports"]
    assert port["targetPort"] == API["spec"]["containers"][0]["ports"][0]["name"]
    assert service["metadata"]["name"] in SETTINGS["FREEDA_API_NAMES"].split(",")


@pytest.mark.parametrize(("name", "pod"), _pods())
def test_what_kubernetes_says_of_services_is_not_taken_for_settings(name: str, pod: dict[str, Any]) -> None:
    assert "api_port" in Settings.model_fields  # which a Service called freeda-api would set to an address
    assert pod["enableServiceLinks"] is False


def test_what_selects_pods_finds_those_of_one_deployment() -> None:
    budgets = [document for document in DOCUMENTS if document["kind"] == "PodDisruptionBudget"]
    assert {budget["metadata"]["name"] for budget in budgets} == set(DEPLOYMENTS)
    assert set(SCALED) == set(WORKERS)
    for document in [*budgets, *DEPLOYMENTS.values()]:
        labels = DEPLOYMENTS[document["metadata"]["name"]]["spec"]["template"]["metadata"]["labels"]
        assert document["spec"]["selector"]["matchLabels"] == labels


def test_claims_that_are_used_can_be_shared() -> None:
    claims = {one["metadata"]["name"]: one["spec"] for one in DOCUMENTS if one["kind"] == "PersistentVolumeClaim"}
    used = {
        volume["persistentVolumeClaim"]["claimName"]
        for _, pod in _pods()
        for volume in pod["volumes"]
        if "persistentVolumeClaim" in volume
    }
    assert used == set(claims)
    assert all(claim["accessModes"] == ["ReadWriteMany"] for claim in claims.values())


@pytest.mark.parametrize("name", SCALED)
def test_autoscaling_counts_what_its_workers_do(name: str, postgres_url: str) -> None:
    spec = SCALED[name]["spec"]
    assert 0 <= spec["minReplicaCount"] <= spec["maxReplicaCount"]
    [trigger] = spec["triggers"]
    assert trigger["type"] == "postgresql"
    assert int(trigger["metadata"]["targetQueryValue"]) > 0
    [authentication] = [one for one in DOCUMENTS if one["kind"] == "TriggerAuthentication"]
    assert trigger["authenticationRef"]["name"] == authentication["metadata"]["name"]
    assert [target["parameter"] for target in authentication["spec"]["secretTargetRef"]] == ["connection"]

    [worker] = DEPLOYMENTS[name]["spec"]["template"]["spec"]["containers"]
    kinds = set(worker["args"][2::2]) & set(JobKind)
    job = Job(id="j", kind="", state="", source="", pack="", fingerprint="", parameters={})
    items = [
        WorkItem(job_id="j", number=number, kind=kind, state=state, input={})
        for number, (kind, state) in enumerate((kind, state) for kind in JobKind for state in ItemState)
    ]
    with writing(load_settings(database_url=postgres_url)) as session:
        session.add(job)
        session.flush()
        session.add_all(items)
        session.flush()
        assert session.execute(text(trigger["metadata"]["query"])).scalar_one() == 2 * len(kinds)
