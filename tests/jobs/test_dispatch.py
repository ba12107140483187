import time
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import update

from freeda_svc.captions.caption import Caption
from freeda_svc.jobs import JobKind, cancel_job, submit_ingest
from freeda_svc.jobs.claims import claim_item, fail_item
from freeda_svc.jobs.database import writing
from freeda_svc.jobs.dispatch import FRESH, items_owed_a_message
from freeda_svc.jobs.tables import WorkItem, now
from freeda_svc.settings import Settings

if TYPE_CHECKING:
    from conftest import Outbox

Captions = Callable[[int], list[Caption]]


def _owed(settings: Settings, *, queue_is_empty: bool = False, at_start: bool = False) -> list[int]:
    return items_owed_a_message(settings, JobKind.INGEST, queue_is_empty=queue_is_empty, at_start=at_start)


def test_items_never_sent_are_owed_at_start_and_when_they_are_old(
    settings: Settings, outbox: "Outbox", captions: Captions
) -> None:
    outbox.keeps_messages = False
    submit_ingest(settings, captions(4), source="x", dispatcher=outbox)
    assert _owed(settings) == []
    assert _owed(settings, at_start=True) == [1, 2]
    with writing(settings) as session:
        session.execute(
            update(WorkItem).where(WorkItem.id == 2).values(created_at=now() - FRESH - timedelta(seconds=1))
        )
    assert _owed(settings) == [2]
    assert items_owed_a_message(settings, JobKind.SEGMENT, queue_is_empty=True, at_start=True) == []


def test_sent_items_are_owed_again_when_the_queue_is_empty(
    settings: Settings, outbox: "Outbox", captions: Captions
) -> None:
    quick = settings.model_copy(update={"reconcile_seconds": 0.05})
    submit_ingest(quick, captions(4), source="x", dispatcher=outbox)
    assert _owed(settings, queue_is_empty=True) == []
    time.sleep(0.1)
    assert _owed(quick) == []
    assert _owed(quick, queue_is_empty=True) == [1, 2]


def test_an_item_to_be_tried_again_is_owed_a_message(settings: Settings, outbox: "Outbox", captions: Captions) -> None:
    submit_ingest(settings, captions(4), source="x", dispatcher=outbox)
    claim = claim_item(settings, 1, "worker")
    assert claim is not None
    assert _owed(settings) == []
    fail_item(settings, claim, "broken", final=False)
    assert _owed(settings) == [1]


def test_ended_items_are_owed_nothing(settings: Settings, outbox: "Outbox", captions: Captions) -> None:
    outbox.keeps_messages = False
    job_id = submit_ingest(settings, captions(4), source="x", dispatcher=outbox)
    cancel_job(settings, job_id)
    assert _owed(settings, queue_is_empty=True, at_start=True) == []
