"""The manifests of deploy/kubernetes, as kubectl renders them, and what the tests ask of them."""

import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.programs import ROOT

KUBERNETES = ROOT / "deploy" / "kubernetes"
FOLDERS = sorted(path.parent for path in KUBERNETES.rglob("kustomization.yaml"))
# The oldest that docs/deploy.md names, and the newest whose schemas there are.
VERSIONS = ("1.32", "1.37")
WORKLOADS = {"bcraftd-api", "bcraftd-worker", "bcraftd-migrate", "bcraftd-backup"}
LONG_RUNNING = ("bcraftd-api", "bcraftd-worker")


@cache
def rendered(folder: Path) -> list[dict[str, Any]]:
    """What `kubectl apply -k` would send. kubectl is the development environment's own; it talks to nobody here."""
    kubectl = Path(sys.executable).with_name("kubectl")
    done = subprocess.run([kubectl, "kustomize", folder], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    # It says there what it takes for outdated.
    assert done.stderr == ""
    return list(yaml.safe_load_all(done.stdout))


def of_kind(objects: list[dict[str, Any]], *kinds: str) -> dict[str, dict[str, Any]]:
    return {each["metadata"]["name"]: each for each in objects if each["kind"] in kinds}


def templates(objects: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The pod template of each workload, by the workload's name."""
    found = {}
    for name, each in of_kind(objects, "Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "Pod").items():
        spec = each["spec"]["jobTemplate"]["spec"] if each["kind"] == "CronJob" else each["spec"]
        found[name] = spec["template"]
    return found


def containers(objects: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Workload, pod and container, of all."""
    for name, template in templates(objects).items():
        pod = template["spec"]
        for container in [*pod["containers"], *pod.get("initContainers", [])]:
            yield name, pod, container


def configuration(objects: list[dict[str, Any]], name: str) -> tuple[str, dict[str, str]]:
    """The name with its hash, and the data, of a ConfigMap."""
    ((whole, each),) = [pair for pair in of_kind(objects, "ConfigMap").items() if pair[0].startswith(f"{name}-")]
    return whole, each["data"]


def selects(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    """Whether a label selector takes these labels; an empty one takes all."""
    for expression in selector.get("matchExpressions", []):
        assert expression["operator"] == "In", "no other is used here"
        if labels.get(expression["key"]) not in expression["values"]:
            return False
    wanted: dict[str, str] = selector.get("matchLabels", {})
    return wanted.items() <= labels.items()
