"""Jobs are counted in what people gave, also while items are running; the test is the worker."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from freeda_svc.captions.caption import Caption
from freeda_svc.jobs import cancel_job, job_items, job_summary, submit_ingest, submit_segment
from freeda_svc.jobs.claims import claim_next, fail_item, finish_item, hand_back_item, note_progress
from freeda_svc.jobs.units import Units
from freeda_svc.settings import Settings

if TYPE_CHECKING:
    from conftest import Outbox

both = pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True)


def _units(settings: Settings, job_id: str) -> tuple[str, int, int, int]:
    units = job_summary(settings, job_id).progress.units
    return units.name, units.total, units.ended, units.done


@both
def test_captions_are_counted_also_in_items_in_hand(
    settings: Settings, outbox: "Outbox", captions: Callable[[int], list[Caption]]
) -> None:
    settings = settings.model_copy(update={"captions_per_item": 4})
    job_id = submit_ingest(settings, captions(10), source="x", dispatcher=outbox)  # 4, 4 and 2
    assert _units(settings, job_id) == ("captions", 10, 0, 0)
    first = claim_next(settings, "worker")
    assert first is not None
    assert note_progress(settings, first, 3)
    assert _units(settings, job_id) == ("captions", 10, 3, 3)
    finish_item(settings, first, {"captions": 4})
    assert not note_progress(settings, first, 4)
    assert job_items(settings, job_id)[0].result == {"captions": 4}
    assert _units(settings, job_id) == ("captions", 10, 4, 4)
    second = claim_next(settings, "worker")
    assert second is not None
    note_progress(settings, second, 2)
    hand_back_item(settings, second, "stopped")
    assert _units(settings, job_id) == ("captions", 10, 4, 4)
    assert job_items(settings, job_id)[1].result is None
    second, last = claim_next(settings, "worker"), claim_next(settings, "another")
    assert second is not None
    assert last is not None
    finish_item(settings, last, {})
    assert _units(settings, job_id) == ("captions", 10, 6, 6)
    fail_item(settings, second, "broken", final=True)
    assert _units(settings, job_id) == ("captions", 10, 10, 6)


def test_what_failed_or_was_cancelled_is_not_done(
    settings: Settings, outbox: "Outbox", captions: Callable[[int], list[Caption]]
) -> None:
    settings = settings.model_copy(update={"captions_per_item": 4})
    job_id = submit_ingest(settings, captions(10), source="x", dispatcher=outbox)  # 4, 4 and 2
    first, second = claim_next(settings, "worker"), claim_next(settings, "another")
    assert first is not None
    assert second is not None
    finish_item(settings, first, {})
    cancel_job(settings, job_id)  # the last one
    note_progress(settings, second, 3)
    assert _units(settings, job_id) == ("captions", 10, 9, 7)
    fail_item(settings, second, "broken", final=True)
    assert _units(settings, job_id) == ("captions", 10, 10, 4)


def test_images_are_items_and_what_is_cancelled_has_ended(
    settings: Settings, outbox: "Outbox", image_file: Callable[..., Path]
) -> None:
    images = [image_file(f"{number}.png", number) for number in range(3)]
    job_id = submit_segment(settings, images, [{"name": "cat"}], dispatcher=outbox)
    assert job_summary(settings, job_id).progress.units == Units("images", 3, 0, 0)
    assert claim_next(settings, "worker") is not None
    cancel_job(settings, job_id)
    assert job_summary(settings, job_id).progress.units == Units("images", 3, 2, 0)
