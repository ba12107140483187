import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.durability.halts import Halts
from tests.durability.recovery import Recoveries
from tests.durability.services import one_machine
from tests.durability.workload import CAPTIONS, Outcome, copied_bank, ingest, outcome, segment, wait_for, write_images

IMAGES = 60
ROOM = 2**30

_recoveries = Recoveries()


@pytest.fixture(scope="session")
def recoveries() -> Recoveries:
    """Where tests note how long the service took to go on."""
    return _recoveries


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if not _recoveries.seconds:
        return
    path = Path(os.environ.get("FREEDA_RECOVERY_REPORT") or config.rootpath / "build" / "recovery.json")
    _recoveries.write(path)
    terminalreporter.section(f"seconds until work went on (in {path})")
    for what, measured in _recoveries.summary().items():
        values = f"{measured['median_seconds']:8.2f} median {measured['longest_seconds']:8.2f} longest"
        terminalreporter.write_line(f"{what:60} {values}  of {measured['times']:g}")


@pytest.fixture(scope="session")
def homes() -> Iterator[Callable[[str], Path]]:
    """Makes folders for homes, in memory where the system has room: most of the time would go to waiting for a disk."""
    memory = Path("/dev/shm")
    usable = os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > ROOM  # in containers it is often tiny
    with tempfile.TemporaryDirectory(prefix="freeda-", dir=memory if usable else None) as folder:
        yield lambda name: Path(tempfile.mkdtemp(prefix=f"{name}-", dir=folder))


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_images(tmp_path_factory.mktemp("images"), IMAGES)


@pytest.fixture(scope="session")
def undisturbed(homes: Callable[[str], Path], images: list[Path]) -> Outcome:
    """What comes of all captions and images that the tests submit when nothing happens."""
    folder = homes("undisturbed")
    with one_machine(folder, Halts(folder / "halts"), captions_per_item=50) as worker:
        settings = worker.settings
        wait_for(settings, ingest(settings, range(CAPTIONS)), segment(settings, images))
    with closing(copied_bank(settings, folder / "copy")) as bank:
        return outcome(settings, bank)


@pytest.fixture
def halts(tmp_path: Path) -> Halts:
    return Halts(tmp_path / "halts")
