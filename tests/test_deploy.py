"""What deploy/compose.ha.yml and the configurations beside it promise to whoever deploys them."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.composition import OUTSIDE_CONTAINERS, env_of, example, settings, variables
from tests.programs import ROOT
from tests.tools import tool

DEPLOY = ROOT / "deploy"
EXAMPLE = DEPLOY / ".env.example"
TEXT = (DEPLOY / "compose.ha.yml").read_text(encoding="utf-8")
DOCUMENT: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = DOCUMENT["services"]
OURS = ("api-1", "api-2", "worker-1", "worker-2", "migrate", "backup")
HAPROXY = (DEPLOY / "haproxy.cfg").read_text(encoding="utf-8")
PAGE = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")

# What docker-compose.yml has no use for, and two of everything have.
OUTSIDE = OUTSIDE_CONTAINERS - {"DATABASE_POOLED", "DATABASE_REPLICA_URLS", "REDIS_SENTINEL_PASSWORD"}

# What listens, at which port, and for whom. Only HAProxy's is published.
PORTS = {
    "haproxy": {8080: "clients, by the TLS proxy of this host", 8404: "its own health check, on its loopback"},
    "api-1": {8000: "HAProxy"},
    "api-2": {8000: "HAProxy"},
    "pgbouncer": {6432: "API and worker"},
    "postgres-primary": {5432: "pgbouncer, migrations, backups, the standby"},
    "postgres-replica": {5432: "the same, once it is promoted"},
    "redis-1": {6379: "API, worker, Sentinels, the other Redis"},
    "redis-2": {6379: "API, worker, Sentinels, the other Redis"},
    "sentinel-1": {26379: "API, worker, the other Sentinels, Redis when it starts"},
    "sentinel-2": {26379: "API, worker, the other Sentinels, Redis when it starts"},
    "sentinel-3": {26379: "API, worker, the other Sentinels, Redis when it starts"},
    "worker-1": {},
    "worker-2": {},
    "migrate": {},
    "backup": {},
}


def seconds(text: str) -> int:
    number, unit = re.fullmatch(r"(\d+)(s|m)", text).groups()  # type: ignore[union-attr]
    return int(number) * {"s": 1, "m": 60}[unit]


def directives(name: str) -> list[str]:
    """The lines of a file under deploy/ that are no comment."""
    lines = (line.strip() for line in (DEPLOY / name).read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line and line[0] not in "#;"]


# --- compose.ha.yml ---------------------------------------------------------------------------------------


def test_the_file_follows_the_compose_specification() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run([*command, DEPLOY / "compose.ha.yml"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_there_are_two_of_everything_that_answers_and_three_that_vote() -> None:
    assert set(SERVICES) == set(PORTS)
    for one, other in (("api-1", "api-2"), ("worker-1", "worker-2")):
        assert SERVICES[one] == SERVICES[other]
    quorum = re.search(r"sentinel monitor bcraftd \$primary 6379 (\d)", (DEPLOY / "redis" / "start.sh").read_text())
    assert quorum is not None
    assert int(quorum[1]) > sum(name.startswith("sentinel-") for name in SERVICES) / 2


def test_only_haproxy_publishes_a_port_and_only_on_the_loopback_address() -> None:
    assert {name for name, service in SERVICES.items() if "ports" in service} == {"haproxy"}
    assert SERVICES["haproxy"]["ports"] == ["127.0.0.1:${PORT:-8000}:8080"]
    assert not any("expose" in service for service in SERVICES.values())


def test_every_port_that_something_listens_on_is_in_the_table() -> None:
    listening: dict[str, set[int]] = {name: set() for name in SERVICES}
    listening["haproxy"] = {int(port) for port in re.findall(r"(?m)^ +bind \S*:(\d+)$", HAPROXY)}
    listening["pgbouncer"] = {
        int(line.split("=")[1]) for line in directives("pgbouncer/pgbouncer.ini") if "listen_port" in line
    }
    redis = (DEPLOY / "redis" / "start.sh").read_text()
    for name in SERVICES:
        if name.startswith("redis-"):
            listening[name] = {int(port) for port in re.findall(r"(?m)^port (\d+)$", redis)}
        elif name.startswith("sentinel-"):
            listening[name] = {
                int(line.split()[1]) for line in directives("redis/sentinel.conf") if line.startswith("port ")
            }
        elif name.startswith("postgres-"):
            listening[name] = {5432}
        elif SERVICES[name].get("command", [])[-1:] == ["api"]:
            listening[name] = {int(settings()["PORT"] or 0)}
    assert listening == {name: set(ports) for name, ports in PORTS.items()}


def test_whoever_comes_from_outside_reaches_haproxy_alone_and_nothing_else_reaches_outside() -> None:
    networks = DOCUMENT["networks"]
    assert {name for name, network in networks.items() if not network.get("internal")} == {"outside"}
    assert {name for name, service in SERVICES.items() if "outside" in service["networks"]} == {"haproxy"}
    assert {name for name, service in SERVICES.items() if "edge" in service["networks"]} == {
        "haproxy",
        "api-1",
        "api-2",
    }
    assert {name for name, service in SERVICES.items() if "data" not in service["networks"]} == {"haproxy"}


def test_the_api_believes_the_proxys_address_and_the_hosts_and_no_other() -> None:
    address = SERVICES["haproxy"]["networks"]["edge"]["ipv4_address"]
    outer = SERVICES["haproxy"]["environment"]["OUTER_PROXY"]
    assert SERVICES["api-1"]["environment"]["TRUSTED_PROXIES"] == f"{address},{outer}"
    outside = DOCUMENT["networks"]["outside"]["ipam"]["config"][0]
    assert outside["gateway"] == outer


def test_every_image_names_its_version() -> None:
    for name, service in SERVICES.items():
        if "build" in service:
            assert (service["image"], service["build"]) == ("bcraftd:local", ".."), name
        else:
            assert re.search(r":v?\d+(\.\d+)+(-\w+)?$|:18-alpine$", service["image"]), name
    assert SERVICES["redis-1"]["image"] == "redis:7.2-alpine"
    assert SERVICES["postgres-primary"]["image"] == SERVICES["postgres-replica"]["image"] == "postgres:18-alpine"


def test_no_service_has_privileges_that_it_does_not_need() -> None:
    for name, service in SERVICES.items():
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["read_only"] is True, name
        assert not service.keys() & {"privileged", "cap_add", "pid", "network_mode", "devices"}, name
        # The image of ours has a user of its own: tests/test_image.py.
        assert name in OURS or service["user"] in ("haproxy", "postgres", "redis", "70:70"), name
        for volume in service.get("volumes", []):
            assert "docker.sock" not in volume, name
            assert not volume.startswith((".", "/")) or volume.endswith(":ro"), name


def test_whatever_runs_for_long_is_watched_restarted_and_limited_in_its_logs() -> None:
    for name, service in SERVICES.items():
        if name == "migrate":
            assert service["restart"] == "no"
            continue
        assert service["restart"] == "unless-stopped", name
        assert service["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}, name
        assert {"interval", "timeout", "retries", "start_period"} <= service["healthcheck"].keys(), name
        assert {"max-size", "max-file"} <= service["logging"]["options"].keys(), name
        assert "stop_grace_period" in service, name


def test_an_instance_has_the_time_to_drain_and_to_end_its_requests() -> None:
    drains = int(settings()["DRAIN_SECONDS"] or 0)
    assert seconds(SERVICES["api-1"]["stop_grace_period"]) > drains + 20
    assert (
        seconds(SERVICES["haproxy"]["stop_grace_period"])
        > seconds(re.findall(r"hard-stop-after (\w+)", HAPROXY)[0])
        > seconds(re.findall(r"timeout server (\w+)", HAPROXY)[0])
    )


def test_every_password_is_required_from_env_and_none_is_written_down() -> None:
    secret = re.compile(r"\$\{[A-Z_]+:\?[^}]+\}")
    for service in SERVICES.values():
        for variable, value in service.get("environment", {}).items():
            if value is None:
                continue
            if re.search(r"(PASSWORD|KEY|TOKEN|AUTH)$", variable):
                assert secret.fullmatch(value), variable
            if "://" in value:
                assert re.search(r"://\w*:" + secret.pattern + "@", value), variable
    for variable, default in variables(TEXT).items():
        if re.search(r"(PASSWORD|KEY|TOKEN)$", variable):
            assert default is None, variable


def test_no_command_line_has_a_password() -> None:
    for name, service in SERVICES.items():
        for word in [*service.get("command", []), *service["healthcheck"].get("test", [])]:
            # The pooler's alone, in a builtin of its shell.
            assert not re.search(r"PASSWORD", word) or name == "pgbouncer", name
    assert 'printf \'"bcraftd" "%s"\\n\' "$$POSTGRES_PASSWORD"' in SERVICES["pgbouncer"]["command"][0]


def test_every_setting_reaches_the_containers() -> None:
    for name in OURS:
        assert SERVICES[name]["environment"].keys() == settings().keys() - OUTSIDE, name


def test_who_answers_and_works_goes_through_the_pooler_and_who_needs_a_session_past_it() -> None:
    for name in ("api-1", "worker-1"):
        environment = SERVICES[name]["environment"]
        assert "@pgbouncer:6432/bcraftd" in environment["DATABASE_URL"]
        assert environment["DATABASE_POOLED"] == "true"
        assert environment["DATABASE_REPLICA_URLS"].endswith(
            "@postgres-primary,postgres-replica:5432/bcraftd?target_session_attrs=standby"
        )
        assert environment["REDIS_URL"].endswith("@sentinel-1:26379,sentinel-2:26379,sentinel-3:26379/bcraftd/0")
    for name in ("migrate", "backup"):
        environment = SERVICES[name]["environment"]
        assert environment["DATABASE_URL"].endswith(
            "@postgres-primary,postgres-replica:5432/bcraftd?target_session_attrs=read-write"
        )
        assert environment["DATABASE_POOLED"] == "false"


def test_nothing_starts_before_what_it_can_not_do_without() -> None:
    for name in ("api-1", "api-2", "worker-1", "worker-2"):
        needs = SERVICES[name]["depends_on"]
        assert needs["migrate"]["condition"] == "service_completed_successfully"
        assert needs["pgbouncer"]["condition"] == "service_healthy"
    # The primary's commits wait for the standby, and the first ones are those of the migrations.
    assert SERVICES["migrate"]["depends_on"].keys() == {"postgres-primary", "postgres-replica"}


def test_data_is_in_named_volumes_of_their_own() -> None:
    mounted = [volume.split(":")[0] for service in SERVICES.values() for volume in service.get("volumes", [])]
    named = [volume for volume in mounted if not volume.startswith(".")]
    assert sorted(named) == sorted(DOCUMENT["volumes"])
    for volume in mounted:
        assert not volume.startswith(".") or (DEPLOY / volume).exists(), volume


# --- .env.example -----------------------------------------------------------------------------------------


def test_the_example_names_what_the_file_asks_for_and_shows_the_defaults_that_hold() -> None:
    shown, asked = example(EXAMPLE), variables(TEXT)
    assert shown.keys() == asked.keys()
    for name, default in asked.items():
        assert shown[name] == ((default, True) if default is not None else ("", False)), name


def test_the_command_in_the_example_draws_a_secret_for_every_empty_place(tmp_path: Path) -> None:
    made = re.findall(r"(?m)^([A-Z_]+)=([\w-]{64,})$", env_of(EXAMPLE, tmp_path).read_text())
    assert {name for name, _ in made} == {name for name, (_, comment) in example(EXAMPLE).items() if not comment}
    assert len({value for _, value in made}) == len(made)


# --- haproxy.cfg ------------------------------------------------------------------------------------------


def test_haproxy_takes_the_configuration_without_a_warning() -> None:
    command = [tool("haproxy"), "-c", "-f", str(DEPLOY / "haproxy.cfg")]
    environment = {"OUTER_PROXY": "172.30.90.1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not re.search(r"WARNING|ALERT", done.stdout + done.stderr), done.stderr


def test_haproxy_knows_every_instance_and_asks_each_whether_it_is_ready() -> None:
    servers = dict(re.findall(r"(?m)^ +server (\S+) (\S+)$", HAPROXY))
    assert servers == {name: f"{name}:8000" for name in SERVICES if name.startswith("api-")}
    # Django refuses a Host that is none of ALLOWED_HOSTS.
    host = re.findall(r"http-check send meth GET uri /readyz ver HTTP/1.1 hdr Host (\S+)", HAPROXY)
    assert SERVICES["api-1"]["environment"]["ALLOWED_HOSTS"].endswith(f",{host[0]}")


def test_haproxy_notices_an_instance_that_drains_before_it_stops() -> None:
    match = re.search(r"default-server check inter (\d+s) fall (\d) ", HAPROXY)
    assert match is not None
    assert seconds(match[1]) * (int(match[2]) + 1) < int(settings()["DRAIN_SECONDS"] or 0)


def test_only_what_may_be_sent_twice_is_sent_again() -> None:
    lines = directives("haproxy.cfg")
    assert "retry-on conn-failure empty-response 503" in lines
    # HAProxy's METH_GET is true of GET and of HEAD. What it switches off is every retry but that of a connection which
    # did not come about.
    assert "http-request disable-l7-retry if !METH_GET" in lines
    assert "option redispatch 1" in lines


def test_the_clients_address_is_handed_on_and_made_up_ones_are_not() -> None:
    lines = directives("haproxy.cfg")
    assert "http-request set-header X-Forwarded-For %[src] unless handed_on" in lines
    for header in ("X-Forwarded-For", "X-Forwarded-Proto"):
        assert f"http-request del-header {header} unless from_outer_proxy" in lines
    assert 'acl from_outer_proxy src "${OUTER_PROXY}"' in lines


# --- pgbouncer --------------------------------------------------------------------------------------------


def pgbouncer() -> dict[str, str]:
    pairs = (line.split("=", 1) for line in directives("pgbouncer/pgbouncer.ini") if "=" in line)
    return {name.strip(): value.strip() for name, value in pairs}


def test_the_pooler_lends_a_connection_for_one_transaction_and_has_enough_of_them() -> None:
    ini = pgbouncer()
    assert ini["pool_mode"] == "transaction"
    assert ini["auth_type"] == "scram-sha-256"
    assert "admin_users" not in ini
    threads = 2 * 5 * int(settings()["WEB_WORKERS"] or 0)
    assert int(ini["max_client_conn"]) > threads
    # PostgreSQL's own max_connections, less what goes past the pooler.
    assert int(ini["default_pool_size"]) + int(ini["reserve_pool_size"]) <= int(ini["max_db_connections"]) < 100
    assert int(ini["query_wait_timeout"]) < 7


def test_no_line_of_the_poolers_files_has_a_comment_behind_its_value() -> None:
    for name in ("pgbouncer.ini", "primary.ini"):
        assert not [line for line in directives(f"pgbouncer/{name}") if re.search(r"\s[;#]", line)]


def test_the_pooler_is_pointed_at_the_primary_by_a_file_of_its_own() -> None:
    section, database = directives("pgbouncer/primary.ini")
    assert section == "[databases]"
    assert database.startswith("bcraftd = host=postgres-primary port=5432 dbname=bcraftd ")
    assert directives("pgbouncer/pgbouncer.ini")[0] == "%include /etc/pgbouncer/primary.ini"
    # The folder, since an editor replaces a file, and a container would go on seeing the old one.
    assert "./pgbouncer:/etc/pgbouncer:ro" in SERVICES["pgbouncer"]["volumes"]


# --- docs/deploy.md ---------------------------------------------------------------------------------------


def test_the_page_names_only_services_and_files_that_are_there() -> None:
    used = re.findall(r"(?m)^\$ ha (?:exec|up -d|stop|restart|kill|rm|run|logs|start) (.*)$", PAGE)
    assert used
    for line in used:
        names = [word for word in line.split() if re.fullmatch(r"[a-z]+(-[a-z0-9]+)?", word)]
        assert [name for name in names if name in SERVICES], line
    for made in re.findall(r"bcraftd-ha_([a-z0-9-]+)", PAGE):
        assert made in {**DOCUMENT["volumes"], **DOCUMENT["networks"]}, made
    for name in re.findall(r"`(deploy/[\w./-]+)`", PAGE):
        assert (ROOT / name).exists() or name == "deploy/.env", name


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_the_page_says_what_each_part_is_for(name: str) -> None:
    assert re.search(rf"(?m)^\| .*`{name}`", PAGE), name
