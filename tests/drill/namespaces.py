"""Two hosts and the network between them, as network namespaces of this machine's kernel.

Each side has an address of its own and reaches this process; what goes from one side to the other passes through a
third namespace, which forwards, and whose routes make a split. Needs root and iproute2.
"""

import os
import secrets
import subprocess

import pytest

from tests.drill.cluster import Place
from tests.tools import tool


def _ip(*words: str) -> None:
    done = subprocess.run([tool("ip"), *words], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"ip {' '.join(words)}: {done.stderr}")


class Network:
    """Sides 0 and 1. A context manager that takes away what it has made."""

    def __init__(self) -> None:
        name = secrets.token_hex(2)
        self._router, self._names = f"bc-{name}-r", [f"bc-{name}-0", f"bc-{name}-1"]
        # 10.213.N.0/30 is between us and a side, 10.214.N.0/30 between a side and the router.
        self._number = 4 * (os.getpid() % 50)

    def _between(self, side: int) -> str:
        return f"10.214.{self._number + side}"

    def _outside(self, side: int) -> str:
        return f"10.213.{self._number + side}"

    def places(self) -> list[Place]:
        """The two sides; an address is reached from everywhere, from the other side by the router."""
        return [
            Place(f"{self._between(side)}.2", ["ip", "netns", "exec", name]) for side, name in enumerate(self._names)
        ]

    def __enter__(self) -> "Network":
        if os.geteuid() != 0:
            pytest.skip("only root makes network namespaces")
        try:
            self._make()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _make(self) -> None:
        _ip("netns", "add", self._router)
        for side, name in enumerate(self._names):
            _ip("netns", "add", name)
            _ip("-n", name, "link", "set", "lo", "up")
            inner, outer = self._between(side), self._outside(side)
            self._pair(f"{name}-a", f"{name}-b", name, self._router, inner)
            self._pair(f"{name}-c", f"{name}-d", name, "", outer)
            # We answer from the address beside theirs, so that their way back to us is the direct one.
            _ip("route", "add", f"{inner}.2/32", "via", f"{outer}.2", "src", f"{outer}.1")
        for side, name in enumerate(self._names):
            _ip("-n", name, "route", "add", f"{self._between(1 - side)}.0/30", "via", f"{self._between(side)}.1")
        _ip("netns", "exec", self._router, "sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward")

    def _pair(self, here: str, there: str, namespace: str, other: str, prefix: str) -> None:
        """A cable: .2 on the side's end, .1 on the other's."""
        _ip("link", "add", here, "type", "veth", "peer", "name", there)
        _ip("link", "set", here, "netns", namespace)
        if other:
            _ip("link", "set", there, "netns", other)
        far = ["-n", other] if other else []
        _ip("-n", namespace, "addr", "add", f"{prefix}.2/30", "dev", here)
        _ip("-n", namespace, "link", "set", here, "up")
        _ip(*far, "addr", "add", f"{prefix}.1/30", "dev", there)
        _ip(*far, "link", "set", there, "up")

    def split(self) -> None:
        """From now on nothing passes between the sides, and nobody is told: packets vanish."""
        for side in (0, 1):
            _ip("-n", self._router, "route", "replace", "blackhole", f"{self._between(side)}.2/32")

    def heal(self) -> None:
        """The sides reach each other again."""
        for side in (0, 1):
            _ip("-n", self._router, "route", "del", "blackhole", f"{self._between(side)}.2/32")

    def __exit__(self, *error: object) -> None:
        for name in self._names:
            # The kernel takes a namespace's own ends away in its own time; with this one its route goes at once.
            subprocess.run(["ip", "link", "del", f"{name}-d"], capture_output=True, check=False)
        for name in (*self._names, self._router):
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
