"""What deploy/kubernetes promises: as kubectl renders it, by Kubernetes' own schemas and by what must not be."""

import re
from typing import Any

import kubernetes_validate
import pytest
import yaml

from tests.composition import DOCKERFILE, settings
from tests.manifests import (
    FOLDERS,
    KUBERNETES,
    LONG_RUNNING,
    VERSIONS,
    WORKLOADS,
    configuration,
    containers,
    of_kind,
    rendered,
    selects,
    templates,
)
from tests.test_deploy import OUTSIDE, PAGE

# Parts of which the kubelet makes the URLs. They are no settings, but for REDIS_PASSWORD, which REDIS_URL overrules.
PARTS = {
    "POSTGRES_PASSWORD",
    "POSTGRES_POOLER",
    "POSTGRES_PRIMARY",
    "POSTGRES_REPLICA",
    "REDIS_PASSWORD",
    "REDIS_PRIMARY_NAME",
    "REDIS_SENTINELS",
}


# --- The files --------------------------------------------------------------------------------------------


def test_there_is_a_base_and_an_overlay_and_no_file_that_nothing_names() -> None:
    assert [str(folder.relative_to(KUBERNETES)) for folder in FOLDERS] == ["base", "overlays/example"]
    for folder in FOLDERS:
        kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text(encoding="utf-8"))
        named = [*kustomization["resources"], *(patch["path"] for patch in kustomization.get("patches", []))]
        for name in named:
            assert (folder / name).exists(), name
        files = {path.name for path in folder.glob("*.yaml")} - {"kustomization.yaml"}
        assert files == {name for name in named if not name.startswith("..")}
        assert named[: len(kustomization["resources"])] == sorted(
            kustomization["resources"], key=lambda n: (n[0] == ".", n)
        )


def test_every_patch_changes_something() -> None:
    base, overlay = (rendered(folder) for folder in FOLDERS)
    assert of_kind(base, "Ingress")["bcraftd"]["spec"] != of_kind(overlay, "Ingress")["bcraftd"]["spec"]
    for kind in ("HorizontalPodAutoscaler",):
        assert of_kind(base, kind)["bcraftd-api"]["spec"] != of_kind(overlay, kind)["bcraftd-api"]["spec"]
    assert {container["image"] for _, _, container in containers(overlay)} == {"registry.example.org/bcraftd:0.1.0"}
    assert {each["metadata"].get("namespace") for each in overlay if each["kind"] != "Namespace"} == {"bcraftd"}
    assert not any("namespace" in each["metadata"] for each in base)


@pytest.mark.parametrize("version", VERSIONS)
def test_every_object_follows_kubernetes_own_schema(objects: list[dict[str, Any]], version: str) -> None:
    for each in objects:
        # Strict: a name that the schema does not know, which a cluster may drop without a word, is an error.
        kubernetes_validate.validate(each, version, strict=True)


def test_the_schemas_find_a_misspelt_name() -> None:
    each = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}, "spec": {"port": []}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(each, VERSIONS[-1], strict=True)


# --- What runs --------------------------------------------------------------------------------------------


def test_api_worker_migration_and_backup_run_what_the_image_has(objects: list[dict[str, Any]]) -> None:
    commands = {name: " ".join(container["command"]) for name, _, container in containers(objects)}
    assert commands == {
        "bcraftd-api": "python -m bcraftd.role api",
        "bcraftd-worker": "python -m bcraftd.role worker",
        "bcraftd-migrate": "python -m bcraftd.role migrate",
        "bcraftd-backup": "python manage.py backup /backups --without-redis",
    }


def test_no_pod_has_privileges_that_it_does_not_need(objects: list[dict[str, Any]]) -> None:
    for name, pod, container in containers(objects):
        security = pod["securityContext"]
        assert security["runAsNonRoot"] is True, name
        assert f"USER {security['runAsUser']}:{security['runAsGroup']}\n" in DOCKERFILE
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }, name
        assert not pod.keys() & {"hostNetwork", "hostPID", "hostIPC"}, name
        assert not [port for port in container.get("ports", []) if "hostPort" in port], name
        assert not [volume for volume in pod["volumes"] if "hostPath" in volume], name
        tmp = next(volume for volume in pod["volumes"] if volume["name"] == "tmp")
        assert tmp["emptyDir"]["medium"] == "Memory", name
        assert "sizeLimit" in tmp["emptyDir"], name


def test_no_pod_can_speak_to_the_cluster_or_is_told_of_its_services(objects: list[dict[str, Any]]) -> None:
    assert set(templates(objects)) == WORKLOADS
    for name, pod, _ in containers(objects):
        assert pod["automountServiceAccountToken"] is False, name
        assert pod["serviceAccountName"] == "bcraftd", name
        # A service called redis would set REDIS_PORT, which is a setting, to a URL, which stops the start.
        assert pod["enableServiceLinks"] is False, name
    assert of_kind(objects, "ServiceAccount")["bcraftd"]["automountServiceAccountToken"] is False
    assert not of_kind(objects, "Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding")


def test_every_image_names_its_version_and_every_container_its_limits(objects: list[dict[str, Any]]) -> None:
    for name, _, container in containers(objects):
        assert re.search(r":\d+\.\d+\.\d+$", container["image"]), name
        assert container["resources"]["requests"].keys() == {"cpu", "memory"}, name
        assert container["resources"]["limits"].keys() == {"cpu", "memory"}, name


def test_what_runs_for_long_is_asked_whether_it_started_lives_and_is_ready(objects: list[dict[str, Any]]) -> None:
    probed = {name: container for name, _, container in containers(objects) if name in LONG_RUNNING}
    for container in probed.values():
        assert {"startupProbe", "readinessProbe", "livenessProbe"} <= container.keys()
    api = probed["bcraftd-api"]
    paths = {kind: api[f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "readiness", "liveness")}
    assert paths == {"startup": "/healthz", "readiness": "/readyz", "liveness": "/healthz"}
    # The kubelet would send the pod's own address, and Django refuses a Host that is none of ALLOWED_HOSTS.
    hosts = configuration(objects, "bcraftd-settings")[1]["ALLOWED_HOSTS"].split(",")
    for kind in ("startup", "readiness", "liveness"):
        assert api[f"{kind}Probe"]["httpGet"]["httpHeaders"] == [{"name": "Host", "value": hosts[0]}]
        compile(probed["bcraftd-worker"][f"{kind}Probe"]["exec"]["command"][-1], "probe", "exec")
        assert "manage.py\\0qcluster" in probed["bcraftd-worker"][f"{kind}Probe"]["exec"]["command"][-1]


def test_a_pod_has_the_time_to_drain_and_to_end_its_requests(objects: list[dict[str, Any]]) -> None:
    drains = int(configuration(objects, "bcraftd-settings")[1]["DRAIN_SECONDS"])
    deployments = of_kind(objects, "Deployment")
    api = deployments["bcraftd-api"]["spec"]["template"]["spec"]
    assert api["terminationGracePeriodSeconds"] > drains + 20
    readiness = api["containers"][0]["readinessProbe"]
    assert readiness["periodSeconds"] * readiness["failureThreshold"] < drains
    for name in LONG_RUNNING:
        strategy = deployments[name]["spec"]["strategy"]
        assert strategy == {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}


def test_pods_are_spread_and_taken_one_at_a_time(objects: list[dict[str, Any]]) -> None:
    deployments, budgets = of_kind(objects, "Deployment"), of_kind(objects, "PodDisruptionBudget")
    assert set(deployments) == set(budgets) == set(LONG_RUNNING)
    for name, deployment in deployments.items():
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        others = [each["spec"]["template"]["metadata"]["labels"] for key, each in deployments.items() if key != name]
        spreads = deployment["spec"]["template"]["spec"]["topologySpreadConstraints"]
        selectors = [each["labelSelector"] for each in spreads]
        assert {each["topologyKey"] for each in spreads} == {"kubernetes.io/hostname", "topology.kubernetes.io/zone"}
        for selector in [deployment["spec"]["selector"], budgets[name]["spec"]["selector"], *selectors]:
            assert selects(selector, labels), name
            assert not any(selects(selector, other) for other in others), name
        assert budgets[name]["spec"]["maxUnavailable"] == 1


def test_the_autoscaler_has_the_say_over_the_api_alone(objects: list[dict[str, Any]]) -> None:
    deployments = of_kind(objects, "Deployment")
    (scaler,) = of_kind(objects, "HorizontalPodAutoscaler").values()
    target = scaler["spec"]["scaleTargetRef"]
    assert (target["kind"], target["name"]) == ("Deployment", "bcraftd-api")
    # With a number of its own, each apply would take the autoscaler's back.
    assert "replicas" not in deployments["bcraftd-api"]["spec"]
    assert deployments["bcraftd-worker"]["spec"]["replicas"] >= 2
    assert 2 <= scaler["spec"]["minReplicas"] < scaler["spec"]["maxReplicas"]


# --- Settings and secrets ---------------------------------------------------------------------------------


def test_every_variable_is_a_setting_or_a_part_of_one(objects: list[dict[str, Any]]) -> None:
    known = settings().keys() - OUTSIDE
    whole, given = configuration(objects, "bcraftd-settings")
    assert given.keys() <= known
    for name, _, container in containers(objects):
        assert container["envFrom"] == [{"configMapRef": {"name": whole}}], name
        variables = {variable["name"] for variable in container["env"]}
        assert variables <= known | PARTS, name
        assert {"SECRET_KEY", "JWT_SIGNING_KEY", "DATABASE_URL", "REDIS_URL"} <= variables, name


def test_secrets_come_from_one_secret_that_is_in_no_file(objects: list[dict[str, Any]]) -> None:
    assert not of_kind(objects, "Secret")
    readme = (KUBERNETES / "README.md").read_text(encoding="utf-8")
    described = dict(re.findall(r"(?m)^\| `([A-Z_]+)` \|.*\| (required|optional) \|$", readme))
    used = {}
    for name, _, container in containers(objects):
        for variable in container["env"]:
            if re.search(r"(PASSWORD|KEY|TOKEN)$", variable["name"]):
                reference = variable["valueFrom"]["secretKeyRef"]
                assert (reference["name"], reference["key"]) == ("bcraftd", variable["name"]), name
                used[variable["name"]] = "optional" if reference.get("optional") else "required"
    assert used == described
    for _, data in (configuration(objects, name) for name in ("bcraftd-settings", "bcraftd-servers")):
        for key, value in data.items():
            assert not re.search(r"(PASSWORD|KEY|TOKEN|SECRET)", key)
            assert "@" not in value, key


def test_urls_are_made_of_parts_that_are_named_before_them(objects: list[dict[str, Any]]) -> None:
    servers, data = configuration(objects, "bcraftd-servers")
    for name, _, container in containers(objects):
        before: set[str] = set()
        for variable in container["env"]:
            parts = set(re.findall(r"\$\(([A-Z_]+)\)", variable.get("value", "")))
            # The kubelet leaves one that it does not know as it stands.
            assert parts <= before, f"{name}: {variable}"
            if "://" in variable.get("value", ""):
                assert re.search(r"://\w*:\$\([A-Z]+_PASSWORD\)@", variable["value"]), name
            if reference := variable.get("valueFrom", {}).get("configMapKeyRef"):
                assert reference["name"] == servers
                assert reference["key"] in data
            before.add(variable["name"])


def test_who_answers_and_works_goes_through_the_pooler_and_who_needs_a_session_past_it(
    objects: list[dict[str, Any]],
) -> None:
    pooled = configuration(objects, "bcraftd-settings")[1]["DATABASE_POOLED"]
    for name, _, container in containers(objects):
        variables = {variable["name"]: variable.get("value") for variable in container["env"]}
        through = name in LONG_RUNNING
        assert ("$(POSTGRES_POOLER)" in variables["DATABASE_URL"]) is through, name
        assert variables.get("DATABASE_POOLED", pooled) == ("true" if through else "false"), name
        assert ("$(POSTGRES_REPLICA)" in variables.get("DATABASE_REPLICA_URLS", "")) is through, name


# --- Backups ----------------------------------------------------------------------------------------------


def test_a_backup_is_made_each_hour_alone_onto_a_volume_that_stays(objects: list[dict[str, Any]]) -> None:
    job = of_kind(objects, "CronJob")["bcraftd-backup"]["spec"]
    assert re.fullmatch(r"\d+ \* \* \* \*", job["schedule"])
    assert job["concurrencyPolicy"] == "Forbid"
    pod = job["jobTemplate"]["spec"]["template"]["spec"]
    (claimed,) = [volume for volume in pod["volumes"] if "persistentVolumeClaim" in volume]
    assert claimed["persistentVolumeClaim"]["claimName"] in of_kind(objects, "PersistentVolumeClaim")
    mounts = {mount["name"]: mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]}
    assert mounts[claimed["name"]] == "/backups"


def test_the_page_names_every_kind_of_object_and_the_versions(objects: list[dict[str, Any]]) -> None:
    for kind in {each["kind"] for each in objects} - {"Namespace", "ServiceAccount"}:
        assert kind in PAGE or kind.replace("Policy", "Policies") in PAGE, kind
    assert f"Kubernetes {VERSIONS[0]} or later" in PAGE
