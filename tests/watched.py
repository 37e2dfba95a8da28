"""Two Redis and three Sentinels by the scripts of deploy/redis."""

import shutil
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import redis
from redis.sentinel import Sentinel

from bcraftd.embedded import valkey
from bcraftd.embedded.process import Child, free_port
from tests.deployed import ADDRESSES, ONCE, PASSWORDS, placed
from tests.test_deploy import DEPLOY, SERVICES
from tests.tools import tool


class Watched:
    """Two Redis and three Sentinels, by name, as compose.ha.yml starts them."""

    def __init__(self, folder: Path, running: ExitStack) -> None:
        self.port, self.sentinel_port = free_port(), free_port()
        self._folder = folder
        self.children: dict[str, Child] = {}
        self._running = running
        # A promotion has Redis write its configuration anew. In the container it can't, and here neither: what it
        # writes first would have a longer name than this one, and no file may.
        self._configuration = folder / "redis.conf".ljust(250, "-")
        shutil.copy(valkey.CONFIGURATION, self._configuration)
        (folder / "bin").mkdir()
        (folder / "bin" / "redis-server").symlink_to(valkey.program())
        (folder / "bin" / "redis-cli").symlink_to(tool("redis-cli"))

    def start(self, name: str) -> None:
        role, own_name = SERVICES[name]["command"]
        assert own_name == name
        home = self._folder / name
        (home / "sentinel").mkdir(parents=True, exist_ok=True)
        pairs = [
            ("26379", str(self.sentinel_port)),
            ("6379", str(self.port)),
            ("/etc/redis/sentinel.conf", str(home / "template.conf")),
            ("/etc/redis/redis.conf", str(self._configuration)),
            ("/run/sentinel", str(home / "sentinel")),
            ("dir /data", f"dir {home}"),
            ("bind * -::*", f"bind {ADDRESSES[name]}"),
        ]
        (home / "start.sh").write_text(placed((DEPLOY / "redis" / "start.sh").read_text(), *pairs))
        template = placed(
            (DEPLOY / "redis" / "sentinel.conf").read_text(), ("port 26379", f"port {self.sentinel_port}")
        )
        (home / "template.conf").write_text(f"{template}bind {ADDRESSES[name]}\n")
        self.children[name] = Child(
            name, ["/bin/sh", home / "start.sh", role, ADDRESSES[name]], log=home / "log",
            env={"PATH": f"{self._folder / 'bin'}:/usr/bin:/bin", **PASSWORDS},
        )  # fmt: skip
        self.children[name].start()
        self._running.callback(self.children[name].stop)

    def untouched(self) -> bool:
        return self._configuration.read_bytes() == valkey.CONFIGURATION.read_bytes()

    def redis(self, name: str) -> "redis.Redis":
        return redis.Redis(
            ADDRESSES[name], self.port, password=PASSWORDS["REDIS_PASSWORD"], decode_responses=True, retry=ONCE,
            socket_timeout=2,
        )  # fmt: skip

    def role(self, name: str) -> str:
        """master or slave; "" where it does not answer."""
        with closing(self.redis(name)) as client, suppress(redis.RedisError):
            return str(client.role()[0])
        return ""

    def follows(self, name: str) -> bool:
        """Whether it is a replica that has all that the primary has."""
        with closing(self.redis(name)) as client, suppress(redis.RedisError):
            return bool(client.info("replication").get("master_link_status") == "up")
        return False

    def primary(self) -> str:
        """Which one the Sentinels say is the primary, asked as a client of theirs asks."""
        sentinels = Sentinel(
            [(ADDRESSES[f"sentinel-{number}"], self.sentinel_port) for number in (1, 2, 3)],
            sentinel_kwargs={"password": PASSWORDS["REDIS_SENTINEL_PASSWORD"], "socket_timeout": 2, "retry": ONCE},
        )
        with suppress(redis.RedisError):
            address, _ = sentinels.discover_master("bcraftd")
            return next(name for name, known in ADDRESSES.items() if known == address)
        return ""

    def whole(self) -> bool:
        """Whether every Sentinel knows the others and the replica."""
        for number in (1, 2, 3):
            client = redis.Redis(
                ADDRESSES[f"sentinel-{number}"], self.sentinel_port, decode_responses=True, retry=ONCE,
                password=PASSWORDS["REDIS_SENTINEL_PASSWORD"],
            )  # fmt: skip
            try:
                state = client.execute_command("SENTINEL", "MASTER", "bcraftd")
            except redis.RedisError:
                return False
            finally:
                client.close()
            if (int(state["num-other-sentinels"]), int(state["num-slaves"])) != (2, 1):
                return False
        return True
