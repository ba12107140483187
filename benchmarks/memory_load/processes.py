"""Memory of a service, process by process, as Linux counts it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_PARENT = 1  # of what follows the program's name in /proc/PID/stat; see proc(5)
_MODEL_LIBRARIES = re.compile(r"/(torch|torchvision|numba|llvmlite|scipy|spacy|tokenizers|safetensors|openvino)/")


@dataclass(frozen=True)
class Memory:
    """Memory of a process, or of several, MB (10^6 bytes).

    Attributes:
        proportional: resident, with each page that several processes share counted in equal parts (PSS).
        own: of that, what is no file's: it does not depend on which other processes use the same libraries.
    """

    proportional: float = 0.0
    own: float = 0.0

    def __add__(self, other: "Memory") -> "Memory":
        """Return the memory of both together."""
        return Memory(self.proportional + other.proportional, self.own + other.own)


def processes_below(process: int) -> Iterator[int]:
    """Yield a process and all that descend from it, parents first."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                stat = (folder / "stat").read_text(encoding="ascii", errors="replace")
            except OSError:  # it has just ended
                continue
            parent = int(stat.rpartition(")")[2].split()[_PARENT])
            children.setdefault(parent, []).append(int(folder.name))
    found = [process]
    while found:
        yield found[0]
        found = [*found[1:], *children.get(found[0], [])]


def memory_of(process: int) -> Memory:
    """Return the memory of a process."""
    text = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="ascii", errors="replace")
    kilobytes = {name: int(value) for name, value in re.findall(r"^(Pss\w*):\s+(\d+) kB$", text, re.MULTILINE)}
    proportional, of_files = kilobytes.get("Pss", 0), kilobytes.get("Pss_File", 0)
    return Memory(proportional * 1024 / 1e6, (proportional - of_files) * 1024 / 1e6)


def memory_by_role(top: int) -> dict[str, Memory]:
    """Return the memory of a service by role; the processes of one role are added up."""
    taken: dict[str, Memory] = {}
    for process in processes_below(top):
        try:
            role, memory = _role_of(process, top), memory_of(process)
        except OSError:  # it has just ended
            continue
        taken[role] = taken.get(role, Memory()) + memory
    return taken


def model_libraries(process: int) -> set[str]:
    """Return the names of those libraries of models of which a process has compiled parts in memory."""
    return set(_MODEL_LIBRARIES.findall(Path(f"/proc/{process}/maps").read_text(encoding="utf-8", errors="replace")))


def _role_of(process: int, top: int) -> str:
    """Return what a process of a service does, by its command line."""
    if process == top:
        return "supervisor"
    line = Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    if "valkey" in line or "redis" in line:
        return "broker"
    if "billiard.spawn" in line or "multiprocessing.spawn" in line:
        return "worker"
    return "tracker" if "tracker" in line else "api"
