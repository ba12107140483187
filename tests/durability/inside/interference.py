"""What a test can do inside a process of the service: halt it at a certain point, and set its clock.

The test makes files in the folder that ``DISTURBED_FOLDER`` names, see ``tests/durability/halts.py``. A process that is
halted goes on with everything else, such as renewing its lease; it waits to be killed, frozen or let go.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from types import ModuleType

FOLDER = Path(os.environ["DISTURBED_FOLDER"])
LOOK_SECONDS = 0.05


def reach(point: str) -> None:
    """Halt when a test waits for this point; one process is halted for each time that it was named."""
    reached = FOLDER / f"{point}.reached.{os.getpid()}"
    try:
        (FOLDER / f"{point}.wanted").rename(reached)
    except FileNotFoundError:
        return
    while reached.exists():
        time.sleep(0.005)


def halt_between_writing_and_placing(module: ModuleType) -> None:
    """Halt at ``placing result`` when a file of a result is written, but is not in its place yet."""
    placed_whole = module.placed_whole

    @contextmanager
    def placing(path: Path) -> Iterator[Path]:
        with placed_whole(path) as aside:
            yield aside
            if "results" in path.parts:
                reach("placing result")

    module.placed_whole = placing


def halt_before_a_batch_is_written(module: ModuleType) -> None:
    """Halt at ``adding`` when an embedded bank is about to write a batch."""
    _before(module.EdgeEngine, "write", "adding", lambda points: any(point.vectors for point in points))


def halt_before_a_batch_is_announced(module: ModuleType) -> None:
    """Halt at ``adding`` when a batch is on the server, but readers are not told yet that there is another version."""
    _before(module.ServerEngine, "write", "adding", lambda points: not any(point.vectors for point in points))


def halt_amid_denoising(module: ModuleType) -> None:
    """Halt at ``generating`` after a step of the diffusion model."""
    recording = module.recording

    @contextmanager
    def halting(unet, recorder):  # noqa: ANN001, ANN202 - torch is not imported here
        handle = unet.register_forward_hook(lambda *_: reach("generating"))
        try:
            with recording(unet, recorder):
                yield
        finally:
            handle.remove()

    module.recording = halting


def halt_around_recording(module: ModuleType) -> None:
    """Halt before, in and after the transaction that records a result: ``recording``, ``committing``, ``recorded``."""
    finish_item, settle_job = module.finish_item, module.settle_job

    def finishing(*given: object) -> bool:
        reach("recording")
        finished = finish_item(*given)
        reach("recorded")
        return finished

    def settling(*given: object) -> None:
        settle_job(*given)
        reach("committing")

    module.finish_item, module.settle_job = finishing, settling


def halt_before_sending(module: ModuleType) -> None:
    """Halt at ``sending`` when a job is accepted, but none of its messages is sent."""
    _before(module, "send_job", "sending")


def _before(owner: object, name: str, point: str, concerns: Callable[..., bool] = lambda *_: True) -> None:
    """Halt before a call; of a method, only where what it is given concerns the test."""
    call: Callable[..., object] = getattr(owner, name)

    def halting(*given: object, **named: object) -> object:
        if not isinstance(owner, type) or concerns(*given[1:]):
            reach(point)
        return call(*given, **named)

    setattr(owner, name, halting)


class Clock:
    """How far the clock of this worker's machine is off, as its file says."""

    def __init__(self) -> None:
        self._file = FOLDER / f"{os.environ.get('FREEDA_WORKER_NAME', '')}.clock"
        self._read = float("-inf")
        self._seconds = 0.0

    def seconds(self) -> float:
        if time.monotonic() > self._read + LOOK_SECONDS:
            self._read = time.monotonic()
            try:
                self._seconds = float(self._file.read_text() or 0)
            except FileNotFoundError:
                self._seconds = 0.0
        return self._seconds


CLOCK = Clock()


def shift_clock() -> None:
    """Make ``time.time`` tell what the machine's clock would, before anybody takes it."""
    tell = time.time
    time.time = lambda: tell() + CLOCK.seconds()


def shift_recorded_times(module: ModuleType) -> None:
    """Do the same to the times that are written to the database."""

    class Shifted(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = UTC) -> datetime:
            return datetime.now(tz) + timedelta(seconds=CLOCK.seconds())

    module.datetime = Shifted
