from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import update

from freeda_svc.captions.caption import Caption
from freeda_svc.jobs import JobKind, Priority, item_errors, queue_state, submit_ingest, submit_segment
from freeda_svc.jobs.claims import claim_next, fail_item, finish_item
from freeda_svc.jobs.database import writing
from freeda_svc.jobs.queues import THROUGHPUT_MINUTES
from freeda_svc.jobs.tables import WorkItem, now
from freeda_svc.settings import Settings

if TYPE_CHECKING:
    from conftest import Outbox

pytestmark = pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True)


def test_what_waits_and_what_runs_is_reported_by_kind(
    settings: Settings, outbox: "Outbox", captions: Callable[[int], list[Caption]], image_file: Callable[..., Path]
) -> None:
    ingest = submit_ingest(settings, captions(6), source="x", dispatcher=outbox)
    submit_ingest(settings, captions(2), source="x", dispatcher=outbox, priority=Priority.LOW)
    segment = submit_segment(settings, [image_file("a.png")], [{"name": "cat"}], dispatcher=outbox)
    with writing(settings) as session:
        session.execute(update(WorkItem).where(WorkItem.number == 3).values(created_at=now() - timedelta(hours=1)))
    done = claim_next(settings, "first", (JobKind.INGEST,))
    assert done is not None
    finish_item(settings, done, {})
    claim_next(settings, "second", (JobKind.INGEST,))
    claim_next(settings, "third", (JobKind.SEGMENT,))

    state = {found.kind: found for found in queue_state(settings)}
    assert set(state) == set(JobKind)
    found = state[JobKind.INGEST]
    assert found.items == {"queued": 2, "running": 1}
    assert found.waiting == {Priority.NORMAL: 1, Priority.LOW: 1}
    assert found.oldest_seconds == pytest.approx(3600, abs=60)
    assert [(item.job_id, item.number, item.name, item.worker) for item in found.running] == [
        (ingest, 2, "2 captions", "second")
    ]
    assert found.done_per_minute == 1 / THROUGHPUT_MINUTES
    [running] = state[JobKind.SEGMENT].running
    assert (running.job_id, running.name, running.worker, running.attempt) == (segment, "a.png", "third", 1)
    assert running.begun_at is not None
    assert running.lease_until is not None
    assert (running.lease_until - running.begun_at).total_seconds() == pytest.approx(settings.lease_seconds, abs=5)
    assert state[JobKind.SEGMENT].oldest_seconds is None
    assert state[JobKind.EXEMPLARS].items == {"queued": 0, "running": 0}


def test_what_was_set_aside_is_reported_with_its_last_traceback(
    settings: Settings, outbox: "Outbox", captions: Callable[[int], list[Caption]]
) -> None:
    job_id = submit_ingest(settings, captions(6), source="x", dispatcher=outbox)
    for details in ("Traceback 1", "Traceback 2"):
        claim = claim_next(settings, "worker")
        assert claim is not None
        fail_item(settings, claim, "KeyError: 'x'", details, final=False)
    claim = claim_next(settings, "worker")
    assert claim is not None
    fail_item(settings, claim, "no caption", final=True)
    errors = item_errors(settings, job_id[:8])
    assert [(one.number, one.name, one.attempts, one.error, one.details, one.worker) for one in errors] == [
        (1, "2 captions", 2, "KeyError: 'x' (2 attempts)", "Traceback 2", "worker"),
        (2, "2 captions", 1, "no caption", "no caption", "worker"),
    ]
    assert all(one.at is not None for one in errors)
    assert len(item_errors(settings, job_id, limit=1)) == 1
