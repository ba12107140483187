"""Images that are done in the midst of an item of captions, and what becomes of both when something happens."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from freeda_svc.jobs.database import reading
from freeda_svc.jobs.tables import Attempt, WorkItem
from freeda_svc.settings import Settings
from tests.durability.halts import Halts
from tests.durability.services import Worker, one_machine
from tests.durability.workload import Outcome, check_done_once, ingest, segment, wait_for

pytestmark = pytest.mark.end_to_end

CAPTIONS = 4
"""Of one item."""


@pytest.fixture(scope="module")
def stack(homes: Callable[[str], Path]) -> Iterator[tuple[Worker, Halts]]:
    folder = homes("pauses")
    halts = Halts(folder / "halts")
    with one_machine(folder, halts, captions_per_item=CAPTIONS, lease_seconds=60.0) as worker:
        yield worker, halts


def outcomes(settings: Settings, job: str) -> list[str]:
    """How the attempts at the one item of a job ended."""
    query = select(Attempt.outcome).join(WorkItem).where(WorkItem.job_id == job)
    with reading(settings) as session:
        return list(session.scalars(query.order_by(Attempt.number)))


def test_an_image_is_done_before_the_item_ends_that_was_begun_before_it_came(
    stack: tuple[Worker, Halts], images: list[Path], tmp_path: Path, undisturbed: Outcome
) -> None:
    worker, halts = stack
    settings = worker.settings
    halts.want("generating")
    captions = ingest(settings, range(CAPTIONS))
    halts.wait("generating")
    image = segment(settings, images[:1])
    halts.want("generating")  # of the item's second caption
    halts.let_go("generating")
    wait_for(settings, image)
    assert (outcomes(settings, captions), outcomes(settings, image)) == (["running"], ["done"])
    halts.wait("generating")
    halts.let_go("generating")
    wait_for(settings, captions)
    assert outcomes(settings, captions) == ["done"]
    check_done_once(settings, tmp_path / "copy", undisturbed)


KILLED_AT = [("segmenting", False), ("placing result", False), ("committing", False), ("segmenting", True)]
"""Points in an image, and whether the whole worker is killed there."""


@pytest.mark.parametrize("number", range(len(KILLED_AT)))
def test_what_is_killed_in_an_image_in_the_midst_of_captions_loses_and_repeats_nothing(
    stack: tuple[Worker, Halts], images: list[Path], tmp_path: Path, undisturbed: Outcome, *, number: int
) -> None:
    worker, halts = stack
    settings = worker.settings
    point, whole = KILLED_AT[number]
    first = CAPTIONS * (number + 1)
    halts.want("generating")
    captions = ingest(settings, range(first, first + CAPTIONS))
    halts.wait("generating")
    image = segment(settings, [images[number + 1]])
    halts.want(point)
    halts.let_go("generating")
    killed = halts.wait(point)
    assert (outcomes(settings, captions), outcomes(settings, image)) == (["running"], ["running"])
    if whole:
        worker.kill()
    else:
        os.kill(killed, signal.SIGKILL)
    halts.let_go(point)
    if whole:
        worker.start()
    wait_for(settings, captions, image)
    assert outcomes(settings, captions) == ["handed back", "done"]  # what it paused for has counted
    assert outcomes(settings, image) == ["lost", "done"]
    check_done_once(settings, tmp_path / "copy", undisturbed)
