"""One run of a command: wall-clock time, processor time, and instructions where valgrind can count them."""

import os
import re
import resource
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_COUNTED = re.compile(r"I\s+refs:\s+([\d,]+)")


@dataclass(frozen=True)
class Run:
    """What a command took.

    Attributes:
        wall: seconds until it had ended.
        processor: seconds of processors, of the command and of what it started and waited for.
    """

    wall: float
    processor: float


def run(arguments: Sequence[str], environment: Mapping[str, str], folder: Path) -> Run:
    """Run a command that must succeed.

    Raises:
        CalledProcessError: it did not.
    """
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(arguments, env=environment, cwd=folder, check=True, capture_output=True)
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return Run(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def instructions(arguments: Sequence[str], environment: Mapping[str, str], folder: Path) -> float | None:
    """Count a command's instructions, in millions; None where there is no valgrind, or it cannot run the command."""
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        return None
    counting = [valgrind, "--tool=cachegrind", "--cache-sim=no", f"--cachegrind-out-file={os.devnull}"]
    ran = subprocess.run(
        [*counting, *arguments], env=environment, cwd=folder, capture_output=True, text=True, check=False
    )
    found = _COUNTED.search(ran.stderr)
    return int(found[1].replace(",", "")) / 1e6 if ran.returncode == 0 and found else None


def busy_seconds() -> float:
    """Seconds that all processors of this machine were busy since it was started; 0 where that is not told."""
    stat = Path("/proc/stat")
    if not stat.is_file():
        return 0.0
    user, nice, system, _idle, _waiting, *others = map(int, stat.read_text().splitlines()[0].split()[1:])
    return (user + nice + system + sum(others[:2])) / os.sysconf("SC_CLK_TCK")
