"""The format that every benchmark's result is written in."""

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from freeda_svc.whole_files import write_whole

FOLDER = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Result:
    """One measured number.

    Attributes:
        name: what was measured.
        value: the number.
        unit: its unit.
        against: what it is compared with, measured in the same run; empty when nothing.
        ratio: value over that of ``against``; None when nothing is compared.
    """

    name: str
    value: float
    unit: str
    against: str = ""
    ratio: float | None = None


def describe_machine() -> dict[str, str | int]:
    """Return the facts about this machine that a timing depends on."""
    processor = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        names = [line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        processor = names[0] if names else processor
    return {
        "processor": processor,
        "cores": os.cpu_count() or 1,
        "system": platform.system(),
        "python": platform.python_version(),
    }


def write_results(name: str, results: Sequence[Result]) -> Path:
    """Write ``benchmarks/results/NAME.json`` whole and return its path."""
    FOLDER.mkdir(exist_ok=True)
    content = {
        "machine": describe_machine(),
        "command": f"python -m benchmarks {name}",
        "results": [asdict(result) for result in results],
    }
    path = FOLDER / f"{name}.json"
    write_whole(path, f"{json.dumps(content, indent=2)}\n".encode())
    return path
