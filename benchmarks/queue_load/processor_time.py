"""Processor time of the parts of an installation, each a process with those below it."""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

CLIENT = "client"
_TICKS = os.sysconf("SC_CLK_TCK")
_PARENT, _FIRST_TIME, _TIMES = 1, 11, 4  # of what follows the program's name in /proc/PID/stat; see proc(5)


@dataclass(frozen=True)
class _Process:
    parent: int
    seconds: float


def processor_seconds(parts: Mapping[str, int]) -> dict[str, float]:
    """Add up the processor time that each part has used so far, user and system.

    A process belongs to the nearest part above it. One that has ended counts with the one that waited for it.

    Args:
        parts: process ids by name.

    Returns:
        Seconds by name, and those of this process as ``CLIENT``.
    """
    processes = _processes()
    names = {process: name for name, process in parts.items()}
    seconds = dict.fromkeys(parts, 0.0)
    for process, found in processes.items():
        above = process
        while above in processes and above not in names:
            above = processes[above].parent
        if above in names:
            seconds[names[above]] += found.seconds
    return {**seconds, CLIENT: time.process_time()}


def _processes() -> dict[int, _Process]:
    found = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            fields = (folder / "stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        ticks = sum(int(field) for field in fields[_FIRST_TIME : _FIRST_TIME + _TIMES])
        found[int(folder.name)] = _Process(int(fields[_PARENT]), ticks / _TICKS)
    return found
