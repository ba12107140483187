from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import update

from freeda_svc.captions.caption import Caption
from freeda_svc.jobs import JobKind, cancel_job, submit_ingest
from freeda_svc.jobs import dispatch as dispatching
from freeda_svc.jobs.claims import claim_next, fail_item
from freeda_svc.jobs.database import writing
from freeda_svc.jobs.dispatch import FRESH_SECONDS, UnsentWatch, items_lacking_messages
from freeda_svc.jobs.tables import Job, now
from freeda_svc.settings import Settings

if TYPE_CHECKING:
    from conftest import Outbox

pytestmark = pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True)
Captions = Callable[[int], list[Caption]]


def _lacking(settings: Settings, messages: int = 0, *, watch: UnsentWatch | None = None) -> list[int]:
    young = watch.young() if watch else ()
    return items_lacking_messages(settings, JobKind.INGEST, messages=messages, young=young)


def _send_like_many(settings: Settings, job_id: str) -> None:
    """Let the messages of a job be on their way, as those of many items may be for a while."""
    with writing(settings) as session:
        session.execute(update(Job).where(Job.id == job_id).values(sent_at=None))


@pytest.mark.parametrize("clock_is_ahead", [timedelta(0), timedelta(hours=1), timedelta(hours=-1)])
def test_items_never_sent_lack_messages_at_start_and_when_their_job_was_seen_for_a_while(
    settings: Settings, outbox: "Outbox", captions: Captions, clock_is_ahead: timedelta
) -> None:
    outbox.keeps_messages = False
    job_id = submit_ingest(settings, captions(4), source="x", dispatcher=outbox)
    with writing(settings) as session:
        session.execute(update(Job).where(Job.id == job_id).values(created_at=now() + clock_is_ahead))
    _send_like_many(settings, job_id)
    moments = iter([1000.0, 1000.0 + FRESH_SECONDS - 1, 1000.0 + FRESH_SECONDS])
    watch = UnsentWatch(settings, clock=lambda: next(moments))
    assert _lacking(settings) == [1, 2]
    assert _lacking(settings, watch=watch) == []
    assert _lacking(settings, watch=watch) == []
    assert _lacking(settings, watch=watch) == [1, 2]
    assert items_lacking_messages(settings, JobKind.SEGMENT, messages=0) == []


def test_as_many_messages_as_waiting_items_are_enough(settings: Settings, outbox: "Outbox", captions: Captions) -> None:
    submit_ingest(settings, captions(6), source="x", dispatcher=outbox)
    assert _lacking(settings, 0) == [1, 2, 3]
    assert _lacking(settings, 2) == [3]
    assert _lacking(settings, 3) == _lacking(settings, 30) == []
    assert claim_next(settings, "worker") is not None
    assert _lacking(settings, 2) == []


def test_a_young_job_whose_messages_are_being_sent_does_not_hide_another(
    settings: Settings, outbox: "Outbox", captions: Captions
) -> None:
    submit_ingest(settings, captions(2), source="x", dispatcher=outbox)
    outbox.fails_while_sending = True
    _send_like_many(settings, submit_ingest(settings, captions(2), source="x", dispatcher=outbox))
    assert _lacking(settings, watch=UnsentWatch(settings)) == [1]


def test_an_item_to_be_tried_again_lacks_a_message(settings: Settings, outbox: "Outbox", captions: Captions) -> None:
    outbox.keeps_messages = False
    _send_like_many(settings, submit_ingest(settings, captions(4), source="x", dispatcher=outbox))
    claim = claim_next(settings, "worker")
    assert claim is not None
    fail_item(settings, claim, "broken", final=False)
    assert _lacking(settings, watch=UnsentWatch(settings)) == [1]


def test_ended_items_need_no_messages(settings: Settings, outbox: "Outbox", captions: Captions) -> None:
    outbox.keeps_messages = False
    job_id = submit_ingest(settings, captions(4), source="x", dispatcher=outbox)
    cancel_job(settings, job_id)
    assert _lacking(settings) == []


def test_never_more_than_a_limit_is_missing(
    settings: Settings, outbox: "Outbox", captions: Captions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatching, "MOST_MISSING", 3)
    submit_ingest(settings, captions(10), source="x", dispatcher=outbox)
    assert [item_id for _, item_id in outbox.sent] == [1, 2, 3]
    assert _lacking(settings, 0) == [1, 2, 3]
    assert _lacking(settings, 3) == []
