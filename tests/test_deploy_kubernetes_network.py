"""Who may talk to whom in the namespace that deploy/kubernetes makes, and the way in."""

import re
from typing import Any

from tests.composition import settings
from tests.manifests import KUBERNETES, configuration, of_kind, rendered, selects, templates

# The ports that are open, and why. Whoever is not here reaches nothing, and is reached by nobody.
INTO = {
    ("api", "http"): "players, by the ingress controller; Prometheus, with METRICS_TOKEN",
}
OUT_OF = {
    (who, port): why
    for who in ("api", "worker", "migrate", "backup")
    for port, why in {
        53: "names",
        5432: "PostgreSQL itself: the standby's reads, or a session of one's own",
        6379: "Redis",
        26379: "the Sentinels, who say which Redis",
    }.items()
} | {(who, 6432): "the pooler, for who needs no session" for who in ("api", "worker")}


def policies(objects: list[dict[str, Any]], direction: str) -> set[tuple[str, Any]]:
    """Every pod and port that the policies open in that direction."""
    key = {"Ingress": "ingress", "Egress": "egress"}[direction]
    peers = {"Ingress": "from", "Egress": "to"}[direction]
    opened = set()
    for policy in of_kind(objects, "NetworkPolicy").values():
        spec = policy["spec"]
        for rule in spec.get(key, []):
            assert direction in spec["policyTypes"]
            # No peers would be everybody, no ports all of them.
            assert rule[peers]
            assert all(
                peer.get("namespaceSelector") or peer.get("podSelector") or peer.get("ipBlock") for peer in rule[peers]
            )
            for port in rule["ports"]:
                for template in templates(objects).values():
                    labels = template["metadata"]["labels"]
                    if selects(spec["podSelector"], labels):
                        opened.add((labels["app.kubernetes.io/name"], port["port"]))
    return opened


def test_nobody_talks_to_anybody_but_for_the_table(objects: list[dict[str, Any]]) -> None:
    denied = of_kind(objects, "NetworkPolicy")["bcraftd-default-deny"]["spec"]
    assert denied == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert policies(objects, "Ingress") == set(INTO)
    assert policies(objects, "Egress") == set(OUT_OF)


def test_what_is_let_in_is_what_listens_and_what_is_let_out_is_where_the_servers_are(
    objects: list[dict[str, Any]],
) -> None:
    listening = {
        (template["metadata"]["labels"]["app.kubernetes.io/name"], port["name"]): port["containerPort"]
        for template in templates(objects).values()
        for container in template["spec"]["containers"]
        for port in container.get("ports", [])
    }
    assert listening == {("api", "http"): int(settings()["PORT"] or 0)}
    assert set(listening) == set(INTO)
    servers = configuration(objects, "bcraftd-servers")[1]
    named = {int(port) for value in servers.values() for port in re.findall(r":(\d+)", value)}
    assert named | {53, 6379} == {port for _, port in OUT_OF}
    namespaces = {namespace for value in servers.values() for namespace in re.findall(r"\.([a-z]+)\.svc\.", value)}
    for name in ("bcraftd-databases", "bcraftd-pooler"):
        for rule in of_kind(objects, "NetworkPolicy")[name]["spec"]["egress"]:
            (peer,) = rule["to"]
            assert peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"] in namespaces


def test_the_way_in_is_the_ingress_by_tls_to_the_service_to_the_pods(objects: list[dict[str, Any]]) -> None:
    (service,) = of_kind(objects, "Service").values()
    assert service["spec"].get("type", "ClusterIP") == "ClusterIP"
    chosen = [
        name for name, each in templates(objects).items()
        if service["spec"]["selector"].items() <= each["metadata"]["labels"].items()
    ]  # fmt: skip
    assert chosen == ["bcraftd-api"]
    assert [port["targetPort"] for port in service["spec"]["ports"]] == ["http"]
    (ingress,) = of_kind(objects, "Ingress").values()
    hosts = [rule["host"] for rule in ingress["spec"]["rules"]]
    assert [host for tls in ingress["spec"]["tls"] for host in tls["hosts"]] == hosts
    # Neither the figures nor the state of what is behind it.
    for rule in ingress["spec"]["rules"]:
        assert {path["path"] for path in rule["http"]["paths"]} == {"/api", "/admin", "/static"}
        for path in rule["http"]["paths"]:
            target = path["backend"]["service"]
            assert (target["name"], target["port"]) == (service["metadata"]["name"], {"name": "http"})


def test_the_overlays_public_name_is_one_that_the_api_answers_to() -> None:
    overlay = rendered(KUBERNETES / "overlays" / "example")
    (ingress,) = of_kind(overlay, "Ingress").values()
    given = configuration(overlay, "bcraftd-settings")[1]
    assert ingress["spec"]["rules"][0]["host"] in given["ALLOWED_HOSTS"].split(",")
    assert given["TRUSTED_PROXIES"]
