"""What the working process measures of each item, and sends to the worker above it, which answers Prometheus.

The working process may be killed and started again at any time, so it keeps no counters: when an item has ended it
sends one datagram with what it measured, and the worker adds that up. A datagram that cannot be sent is lost, and work
goes on.
"""

import json
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass, field
from typing import Any

from freeda_svc.errors import FreedaError
from freeda_svc.jobs.states import MOVES
from freeda_svc.loggers import logger

SEND_SECONDS = 0.2
LARGEST_REPORT = 16384
CLAIM, PERFORM, STORE, RECORD = "claim", "perform", "store", "record"
STAGES = (CLAIM, PERFORM, STORE, RECORD)
"""Of an item: claiming it, doing it, which includes storing its result in bank or artifacts, and recording its end."""

OUTCOMES = DONE, LATE, FAILED, HANDED_BACK = "done", "late", "failed", "handed back"
"""How an attempt ends; late is an item that was done after another worker had claimed it."""

log = logger(__name__)


@dataclass
class Report:
    """What was measured of one item, or the start of a working process.

    Attributes:
        process: id of the working process.
        kind: of the item; empty for a process that has begun.
        again: whether the item was tried before.
        outcome: how the attempt ended.
        seconds: how long each of ``STAGES`` took.
        renewals: how often the lease was renewed.
        renewals_failed: how often it could not be.
        prototypes: how many new ones the bank has.
        images: how many were made, or segmented.
        banks: how many prototypes the banks that were written to hold.
        gpu_bytes: memory of each graphics card that the process uses: in use by anybody, and in all.
    """

    process: int = field(default_factory=os.getpid)
    kind: str = ""
    again: bool = False
    outcome: str = ""
    seconds: dict[str, float] = field(default_factory=dict)
    renewals: int = 0
    renewals_failed: int = 0
    prototypes: int = 0
    images: int = 0
    banks: dict[str, int] = field(default_factory=dict)
    gpu_bytes: dict[str, list[int]] = field(default_factory=dict)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Add the time that something takes to a stage, however it ends."""
        begun = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - begun

    def count_result(self, result: Mapping[str, Any]) -> None:
        """Count what an item's result says was made."""
        if self.kind in MOVES:
            self.prototypes = int(result.get("added", 0))
            return
        self.prototypes = int(result.get("new prototypes", 0))
        self.images = int(result.get("images", result.get("exemplars", 1)))


_current: ContextVar[Report | None] = ContextVar("report of the current item", default=None)


@contextmanager
def measured_item(report: Report | None) -> Iterator[None]:
    """Make an item's report the one that `stage` and `note_bank` add to; None where no metrics are collected."""
    token = _current.set(report)
    try:
        yield
    finally:
        _current.reset(token)


def note_bank(bank: str, count: Callable[[], int]) -> None:
    """Note how many prototypes a bank holds that the current item wrote to.

    Args:
        bank: name and version.
        count: returns it; called only where metrics are collected; it may raise a ``FreedaError``.
    """
    report = _current.get()
    if report is None:
        return
    try:
        report.banks[bank] = count()
    except FreedaError as error:
        log.warning("the size of the bank is not known", bank=bank, reason=str(error))


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Time a stage of the current item."""
    report = _current.get()
    if report is None:
        yield
        return
    with report.timed(name):
        yield


@contextmanager
def not_counted(name: str) -> Iterator[None]:
    """Leave the time that something else takes out of a stage of the current item."""
    report, begun = _current.get(), time.perf_counter()
    try:
        yield
    finally:
        if report is not None:
            report.seconds[name] = report.seconds.get(name, 0.0) - (time.perf_counter() - begun)


def send_report(address: str, report: Report) -> None:
    """Send the worker what was measured.

    Args:
        address: path of the worker's socket; empty where no metrics are collected.
        report: what was measured.
    """
    if not address:
        return
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.settimeout(SEND_SECONDS)
            sender.sendto(json.dumps(asdict(report)).encode(), address)
    except OSError as error:
        log.warning("measurements of an item are lost", reason=str(error))


def read_report(content: bytes) -> Report:
    """Read what `send_report` sent."""
    return Report(**json.loads(content))


def gpu_memory() -> dict[str, list[int]]:
    """Measure the memory of the graphics cards that this process uses: bytes in use, and in all."""
    torch = sys.modules.get("torch")  # a process that has not read a model uses no card
    if torch is None or not torch.cuda.is_available() or not torch.cuda.is_initialized():
        return {}
    measured = {}
    try:
        for device in range(torch.cuda.device_count()):
            if torch.cuda.memory_reserved(device):
                free, total = torch.cuda.mem_get_info(device)
                measured[str(device)] = [total - free, total]
    except RuntimeError as error:  # a card that has failed must not keep the worker from saying so
        log.warning("the memory of the graphics cards is not known", reason=str(error))
    return measured
