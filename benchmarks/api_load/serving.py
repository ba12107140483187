"""A state of the code whose service answers over HTTP."""

import os
import socket
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

from benchmarks.commands_load.states import State

READY_SECONDS = 120.0
WORDS = "ball, sky, grass"
_KB = 1024


def free_port() -> int:
    """Return a port that nobody listens at."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


@dataclass(frozen=True)
class Serving(State):
    """A state with an API at a port of this machine."""

    def client(self) -> httpx.Client:
        """Return a client; close it."""
        return httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=600, trust_env=False)


def wait_until_ready(asking: httpx.Client) -> None:
    """Wait until the API says that a worker takes items.

    Raises:
        RuntimeError: it does not in time.
    """
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        try:
            if asking.get("/health/ready").status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise RuntimeError("the API does not become ready")


def segment(asking: httpx.Client, image: bytes) -> float:
    """Submit an image and wait for its result; return the seconds that took.

    Raises:
        RuntimeError: it was not segmented.
    """
    began = time.perf_counter()
    answer = asking.post(
        "/v1/segmentations",
        files={"image": ("one.png", image, "image/png")},
        data={"categories": WORDS},
        headers={"Prefer": "wait=300"},
    )
    took = time.perf_counter() - began
    if answer.status_code != httpx.codes.OK or answer.json()["state"] != "done":
        raise RuntimeError(f"the image was not segmented: {answer.status_code} {answer.text[:200]}")
    return took


def median_of(asking: httpx.Client, image: bytes, requests: int) -> float:
    """Return the median seconds of some requests, one after another."""
    return statistics.median(segment(asking, image) for _ in range(requests))


def server_process(service: int) -> int:
    """Return the process of the API below that of a service.

    Raises:
        RuntimeError: there is none.
    """
    for process in _below(service):
        if b"freeda_svc.api" in (Path("/proc") / str(process) / "cmdline").read_bytes():
            return process
    raise RuntimeError("no process of the service answers HTTP requests")


def _below(process: int) -> Sequence[int]:
    """Return the processes that a process started, and those that they did."""
    children = [
        int(child)
        for task in Path(f"/proc/{process}/task").iterdir()
        for child in (task / "children").read_text().split()
    ]
    return [*children, *(deeper for child in children for deeper in _below(child))]


def resident_bytes(process: int, field: str = "VmRSS") -> int:
    """Return the memory of a process that is in use now, or was at most (``VmHWM``)."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    found = next(line for line in lines if line.startswith(f"{field}:"))
    return int(found.split()[1]) * _KB


def forget_peak(process: int) -> None:
    """Let ``VmHWM`` begin again with what is in use now."""
    with Path(f"/proc/{process}/clear_refs").open("w") as file:
        os.write(file.fileno(), b"5")
