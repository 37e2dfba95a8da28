"""What processes take of the machine, and how much they may take. Linux alone."""

import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
# Where the kernel's first kind of control groups stands; the second has cpu.max instead.
_GROUPS = Path("/sys/fs/cgroup/cpu")
# Microseconds. A process that has used up its share of one waits for the next.
_PERIOD = 100_000


def _stat(pid: int) -> tuple[int, float] | None:
    """Parent, and CPU seconds of a process and of its children that have ended; None once it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return int(fields[1]), sum(int(ticks) for ticks in fields[11:15]) / _TICKS


def _all() -> dict[int, tuple[int, float]]:
    found = {int(path.name): _stat(int(path.name)) for path in Path("/proc").iterdir() if path.name.isdecimal()}
    return {pid: stat for pid, stat in found.items() if stat is not None}


def family(root: int) -> list[int]:
    """A process and all below it, the process first."""
    known = _all()
    found = [root]
    for pid in found:
        found += [child for child, (parent, _) in known.items() if parent == pid]
    return found


def cpu_seconds(root: int) -> float:
    """What a process, all below it and those of them that have ended have taken of the processors."""
    return sum(cpu_by_process(root).values())


def cpu_by_process(root: int) -> dict[int, float]:
    """The same of each of them that still runs, by its pid; with what ended below it and was waited for."""
    known = _all()
    return {pid: known[pid][1] for pid in family(root) if pid in known}


def resident_mib(pid: int) -> float:
    """A process's resident set."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 2**20, 1)


def can_limit() -> bool:
    """Whether limited() works here: it needs root, and control groups of the first kind."""
    return os.access(_GROUPS, os.W_OK) and (_GROUPS / "cpu.shares").exists()


@contextmanager
def limited(pids: Sequence[int], share: float) -> Iterator[None]:
    """For the duration each of the processes has at most this share of one core, whatever is free."""
    groups = [_GROUPS / f"bcraftd-{secrets.token_hex(4)}" for _ in pids]
    try:
        for pid, group in zip(pids, groups, strict=True):
            group.mkdir()
            (group / "cpu.cfs_period_us").write_text(str(_PERIOD))
            (group / "cpu.cfs_quota_us").write_text(str(int(_PERIOD * share)))
            (group / "cgroup.procs").write_text(str(pid))
        yield
    finally:
        for pid, group in zip(pids, groups, strict=True):
            if group.exists():
                (_GROUPS / "cgroup.procs").write_text(str(pid))
                group.rmdir()
