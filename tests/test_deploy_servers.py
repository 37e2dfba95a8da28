"""All that deploy/ runs, run together: its own scripts and files, real servers, and the API as it is composed."""

import http.client
import http.server
import json
import os
import re
import secrets
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any

from bcraftd.embedded.process import Child, free_port
from tests.deployed import ADDRESSES, PASSWORDS, placed
from tests.haproxy import OUTER_PROXY, HAProxy
from tests.processes import wait_until
from tests.replicated import Replicated
from tests.test_deploy import DEPLOY, SERVICES
from tests.watched import Watched


def composed(name: str, secrets_of_env: Mapping[str, str], *pairs: tuple[str, str]) -> dict[str, str]:
    """The environment that a service of ours gets, with its servers where they are here."""

    def value(match: "re.Match[str]") -> str:
        return secrets_of_env[match[1]] if match[2] == "?" else match[3]

    given = {key: text for key, text in SERVICES[name]["environment"].items() if text is not None}
    whole = {key: re.sub(r"\$\{([A-Z_]+):([-?])([^}]*)\}", value, text) for key, text in given.items()}
    for theirs, ours in pairs:
        whole = {key: text.replace(theirs, ours) for key, text in whole.items()}
    # Of the shell that runs the tests nothing is handed on. A busy machine is slower than the default has it.
    kept = {"PATH": os.environ["PATH"], "BCRAFTD_ENV_FILES": "off", "REDIS_TIMEOUT": "1"}
    return {key: placed(text) for key, text in whole.items()} | kept


def test_the_api_serves_as_it_is_composed_and_an_instance_that_stops_costs_no_request(folder: Path) -> None:
    for name in ("data", "cache"):
        (folder / name).mkdir()
    keys = {name: secrets.token_urlsafe(48) for name in ("SECRET_KEY", "JWT_SIGNING_KEY")}
    with ExitStack() as running:
        data, watched = Replicated(folder / "data", running), Watched(folder / "cache", running)
        for name in ("redis-1", "redis-2", "sentinel-1", "sentinel-2", "sentinel-3"):
            watched.start(name)
        data.start("postgres-primary")
        data.start("postgres-replica")
        data.start_pooler()
        port = free_port()
        pairs = (
            ("pgbouncer:6432", f"127.0.0.1:{data.pooler_port}"),
            (":5432", f":{data.port}"),
            (":26379", f":{watched.sentinel_port}"),
        )

        def role(name: str, **more: str) -> Child:
            environment = {**composed(name, {**PASSWORDS, **keys}, *pairs), "PORT": str(port), **more}
            words = [sys.executable, *SERVICES[name]["command"][1:]]
            child = Child(name, words, log=folder / f"{name}.log", cwd=DEPLOY.parent, env=environment, grace=40)
            child.start()
            running.callback(child.stop)
            return child

        migrate = role("migrate")
        assert migrate.wait(240) == 0, migrate.tail()
        trusted = {"BIND": "", "TRUSTED_PROXIES": f"127.0.0.1,{OUTER_PROXY}"}
        apis = [role(name, **{**trusted, "BIND": ADDRESSES[name]}) for name in ("api-1", "api-2")]
        haproxy = HAProxy(folder, {name: f"{ADDRESSES[name]}:{port}" for name in ("api-1", "api-2")})
        haproxy.start()
        running.callback(haproxy.stop)

        def ask(method: str, path: str, body: dict[str, Any] | None = None) -> tuple[int, str]:
            """As the proxy that ends TLS asks for a client."""
            with closing(
                http.client.HTTPConnection("127.0.0.1", haproxy.port, timeout=30, source_address=(OUTER_PROXY, 0))
            ) as connection:
                headers = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.9", "Host": "localhost"}
                headers |= {"Content-Type": "application/json"} if body else {}
                connection.request(method, path, json.dumps(body) if body else None, headers)
                answer = connection.getresponse()
                return answer.status, answer.read().decode()

        def ready() -> bool:
            assert all(child.running for child in apis), "\n".join(child.tail() for child in apis)
            with suppress(OSError):
                return ask("GET", "/readyz")[0] == 200
            return False

        wait_until(ready, "an instance is ready")
        state = json.loads(ask("GET", "/readyz")[1])["checks"]
        assert state["database"]["state"] == "ok"
        player = {"login": "ada", "email": "ada@example.org", "password": "correct horse battery"}
        assert ask("POST", "/api/auth/register", player)[0] == 201
        wait_until(lambda: json.loads(ask("GET", "/readyz")[1])["checks"]["cache"]["state"] == "ok", "Redis counts")

        def is_up(name: str) -> bool:
            with suppress(OSError), closing(http.client.HTTPConnection(ADDRESSES[name], port, timeout=10)) as one:
                one.request("GET", "/readyz", headers={"Host": "localhost"})
                return one.getresponse().status == 200
            return False

        wait_until(lambda: is_up("api-1") and is_up("api-2"), "both are ready")
        stopping = threading.Thread(target=apis[0].stop)
        stopping.start()
        answers = []
        while stopping.is_alive():
            answers.append(ask("GET", "/api/environment/current")[0])
            answers.append(ask("POST", "/api/auth/login", {"login": "ada", "password": "wrong"})[0])
            time.sleep(0.2)
        # Refused by the rules of the game, and by nothing else.
        assert set(answers) <= {200, 401, 429}, answers
        assert len(answers) > 10
