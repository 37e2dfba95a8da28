"""deploy/haproxy.cfg, run on free ports of the loopback in front of whatever a test has for instances."""

import signal
from collections.abc import Mapping
from pathlib import Path

from bcraftd.embedded.process import Child, free_port
from tests.programs import ROOT
from tests.tools import tool

CONFIGURATION = ROOT / "deploy" / "haproxy.cfg"
# The proxy that ends TLS: whoever comes from here may say who the client is.
OUTER_PROXY = "127.0.0.9"


class HAProxy:
    """Its configuration and log live in `folder`; `instances` says where api-1 and api-2 are, as `host:port`."""

    def __init__(self, folder: Path, instances: Mapping[str, str]) -> None:
        self.port, self.alive_port = free_port(), free_port()
        text = CONFIGURATION.read_text(encoding="utf-8")
        pairs = {f"{name} {name}:8000": f"{name} {place}" for name, place in instances.items()}
        pairs |= {"bind :8080": f"bind 127.0.0.1:{self.port}", "127.0.0.1:8404": f"127.0.0.1:{self.alive_port}"}
        for theirs, ours in pairs.items():
            assert theirs in text, theirs
            text = text.replace(theirs, ours)
        file = folder / "haproxy.cfg"
        file.write_text(text, encoding="utf-8")
        self.child = Child(
            "HAProxy", [tool("haproxy"), "-f", file], log=folder / "haproxy.log", env={"OUTER_PROXY": OUTER_PROXY},
            stop_signal=signal.SIGTERM,
        )  # fmt: skip

    @property
    def url(self) -> str:
        """What clients ask."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Returns at once; whoever needs an instance waits for it."""
        self.child.start()

    def stop(self) -> None:
        self.child.stop()
