"""HAProxy, Debian's, with the deployment's own configuration, in front of two instances of the API."""

import signal
from collections.abc import Sequence
from pathlib import Path

from bcraftd.embedded.process import Child, free_port
from tests.programs import ROOT
from tests.tools import tool

CONFIGURATION = ROOT / "deploy" / "haproxy.cfg"
# Who may say on whose behalf it asks: the proxy that ends TLS.
OUTER_PROXY = "127.0.0.9"


class Balancer:
    """`instances` are the addresses, as host:port, of api-1 and api-2."""

    def __init__(self, folder: Path, instances: Sequence[str]) -> None:
        self.folder, self.instances = folder, instances
        self.port, self.alive_port = free_port(), free_port()
        self.child = Child("HAProxy", [], log=folder / "log")

    @property
    def url(self) -> str:
        """Where clients ask."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Starts it. It takes its instances for ready until it has looked."""
        text = CONFIGURATION.read_text(encoding="utf-8")
        names = {f"api-{number}:8000": address for number, address in enumerate(self.instances, 1)}
        ports = {"bind :8080": f"bind 127.0.0.1:{self.port}", "127.0.0.1:8404": f"127.0.0.1:{self.alive_port}"}
        for theirs, ours in {**names, **ports}.items():
            assert theirs in text, theirs
            text = text.replace(theirs, ours)
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self.folder / "haproxy.cfg"
        file.write_text(text, encoding="utf-8")
        # SIGTERM, because a soft stop waits for clients that keep their connections.
        self.child = Child(
            "HAProxy", [tool("haproxy"), "-f", file], log=self.folder / "log", env={"OUTER_PROXY": OUTER_PROXY},
            stop_signal=signal.SIGTERM,
        )  # fmt: skip
        self.child.start()

    def stop(self) -> None:
        self.child.stop()
