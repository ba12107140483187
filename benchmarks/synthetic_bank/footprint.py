"""What a process takes that opens a bank and answers: run in a process of its own, so that nothing else counts.

``python -m benchmarks.synthetic_bank.footprint BANK QUERIES K`` prints one line of JSON.
"""

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter

import numpy as np
import numpy.typing as npt
import torch

from benchmarks.synthetic_bank.keys import THREADS
from freeda_svc.bank import open_folder

ROOT = Path(__file__).parents[2]

_BYTES_A_MB = 1e6


@dataclass(frozen=True)
class Footprint:
    """What one process took.

    Attributes:
        open_seconds: to open the bank.
        first_answer_seconds: from then to the answer for one category.
        peak_rss_mb: the most that was resident, in 10^6 bytes, pages of mapped files and libraries among it.
        anonymous_mb: what of it was not of files when all was answered, so that the system cannot take it back.
    """

    open_seconds: float
    first_answer_seconds: float
    peak_rss_mb: float
    anonymous_mb: float


def measure_footprint(folder: Path, queries: npt.NDArray[np.float32], k: int, scratch: Path) -> Footprint:
    """Have another process open a bank and answer the first query alone, then all of them at once.

    Args:
        folder: of the bank.
        queries: (C, Dt) float32.
        k: how many neighbours.
        scratch: a folder to hand the queries over in.
    """
    path = scratch / "queries.npy"
    np.save(path, queries)
    command = [
        sys.executable,
        "-m",
        "benchmarks.synthetic_bank.footprint",
        str(folder.resolve()),
        str(path.resolve()),
        str(k),
    ]
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    return Footprint(**json.loads(answer.stdout))


def forget_cached_pages(folder: Path) -> None:
    """Have the system read a folder's files from the disk again when they are next used."""
    os.sync()
    for path in folder.rglob("*"):
        if path.is_file():
            descriptor = os.open(path, os.O_RDONLY)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(descriptor)


def _answer(folder: Path, queries: npt.NDArray[np.float32], k: int) -> Footprint:
    torch.set_num_threads(THREADS)
    started = perf_counter()
    store = open_folder(folder)
    opened = perf_counter()
    store.nearest(queries[:1], k)
    answered = perf_counter()
    store.nearest(queries, k)
    # Not getrusage, whose maximum begins with that of the process that started this one.
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    peak, anonymous = (int(status[name].split()[0]) * 1024 / _BYTES_A_MB for name in ("VmHWM", "RssAnon"))
    store.close()
    return Footprint(opened - started, answered - opened, peak, anonymous)


if __name__ == "__main__":
    bank, given, wanted = sys.argv[1:]
    print(json.dumps(asdict(_answer(Path(bank), np.load(given), int(wanted)))))
