"""A disk that fills up under everything that a service keeps: bank, artifacts, database, broker, logs."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from freeda_svc.errors import UnavailableError
from freeda_svc.jobs.database import close_databases, reading
from freeda_svc.jobs.tables import Attempt
from tests.durability.halts import Halts, wait_until
from tests.durability.recovery import Recoveries
from tests.durability.services import one_machine
from tests.durability.workload import Outcome, check_done_once, ingest, segment, wait_for
from tests.small_disk import fill, mounted_disk

pytestmark = pytest.mark.end_to_end

MIB = 2**20
FULL_SECONDS = 2.0
"""Long enough for the broker to flush, the reconciler to look and the current item to fail several times."""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 MiB, in memory."""
    with mounted_disk(tmp_path / "disk", 256) as place:
        yield place


def test_a_full_disk_stops_the_work_until_there_is_room(  # noqa: PLR0917 - pytest passes them by name
    disk: Path, halts: Halts, tmp_path: Path, undisturbed: Outcome, images: list[Path], recoveries: Recoveries
) -> None:
    with one_machine(disk, halts) as worker:
        settings = worker.settings
        wait_for(settings, ingest(settings, range(4)))
        ballast = fill(disk, 40 * MIB)
        jobs = [ingest(settings, range(4, 12))]
        handed_back = select(Attempt.id).where(Attempt.outcome == "handed back")

        def is_put_back() -> bool:
            with reading(settings) as session:
                return session.scalars(handed_back).first() is not None

        wait_until(is_put_back, "the bank has no room, so the item waits")
        halts.want("segmenting")
        jobs.append(segment(settings, images[:4]))
        halts.wait("segmenting")
        fill(disk, 0)
        halts.let_go("segmenting")
        begun = time.monotonic()
        while time.monotonic() < begun + FULL_SECONDS:
            with pytest.raises(UnavailableError):
                segment(settings, images[4:6])
            fill(disk, 0)
            time.sleep(0.1)
        with recoveries.until_done(settings, "disk full, then room again"):
            ballast.unlink()
        jobs.append(segment(settings, images[4:6]))
        wait_for(settings, *jobs)
        check_done_once(settings, tmp_path / "copy", undisturbed)
    close_databases()  # their files are on the disk that goes
