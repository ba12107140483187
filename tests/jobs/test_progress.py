from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from freeda_svc.captions.caption import Caption
from freeda_svc.errors import NotFoundError
from freeda_svc.jobs import ItemState, follow_job, job_items, job_summary, list_jobs, result_totals, submit_ingest
from freeda_svc.jobs import progress as progress_module
from freeda_svc.jobs.claims import claim_next, fail_item, finish_item
from freeda_svc.jobs.database import writing
from freeda_svc.jobs.progress import FEW_ITEMS
from freeda_svc.jobs.tables import Attempt, Job, now
from freeda_svc.settings import Settings

if TYPE_CHECKING:
    from conftest import Outbox

Captions = Callable[[int], list[Caption]]


def test_counts_and_time_left_follow_the_items(settings: Settings, outbox: "Outbox", captions: Captions) -> None:
    job_id = submit_ingest(settings, captions(8), source="x", dispatcher=outbox)
    assert job_summary(settings, job_id).progress.seconds_left is None
    for item_id, seconds in ((1, 10), (2, 20)):
        claim = claim_next(settings, "worker")
        assert claim is not None
        finish_item(settings, claim, {"prototypes": 3, "images": 2, "note": "text"})
        with writing(settings) as session:
            started = update(Attempt).where(Attempt.item_id == item_id)
            moment = now()
            session.execute(started.values(started_at=moment - timedelta(seconds=seconds), finished_at=moment))
    claim = claim_next(settings, "worker")
    assert claim is not None

    progress = job_summary(settings, job_id).progress
    assert (progress.total, progress.done, progress.running, progress.queued, progress.ended) == (4, 2, 1, 1, 2)
    assert progress.seconds_left == pytest.approx(2 * 15.0)
    assert result_totals(settings, job_id) == {"prototypes": 6, "images": 4}

    fail_item(settings, claim, "broken", final=True)
    assert [item.number for item in job_items(settings, job_id, ItemState.FAILED)] == [3]
    assert [item.name for item in job_items(settings, job_id, limit=1)] == ["2 captions"]
    assert job_summary(settings, job_id).progress.failed == 1


def test_a_job_is_followed_until_nothing_is_open(settings: Settings, outbox: "Outbox", captions: Captions) -> None:
    job_id = submit_ingest(settings, captions(4), source="x", dispatcher=outbox)
    done = []
    for summary in follow_job(settings, job_id, every_seconds=0):
        done.append(summary.progress.done)
        claim = claim_next(settings, "worker")
        if claim is not None:
            finish_item(settings, claim, {})
    assert done == [0, 1, 2]


@pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True)
def test_a_job_that_ends_while_it_is_looked_at_is_not_half_ended(
    settings: Settings, outbox: "Outbox", captions: Captions, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = submit_ingest(settings, captions(1), source="x", dispatcher=outbox)
    claim = claim_next(settings, "worker")
    assert claim is not None
    read_job = progress_module.get_job

    def end_behind(session: Session, wanted: str) -> Job:
        job = read_job(session, wanted)
        finish_item(settings, claim, {})  # after the job was read, before its items are
        return job

    monkeypatch.setattr(progress_module, "get_job", end_behind)
    found = job_summary(settings, job_id)
    assert (found.state == "done") == (found.progress.ended == 1)
    monkeypatch.undo()
    assert job_summary(settings, job_id).state == "done"


def test_who_follows_a_job_pauses_longer_where_looking_takes_long(
    settings: Settings, outbox: "Outbox", captions: Captions, monkeypatch: pytest.MonkeyPatch
) -> None:
    def follow(count: int) -> tuple[list[float], list[float]]:
        job_id = submit_ingest(settings, captions(count), source="x", dispatcher=outbox)
        clock = iter([0.0, 0.001, 10.0, 10.2, 20.0, 50.0, 60.0, 60.0])
        pauses: list[float] = []
        waits: list[float] = []
        following = follow_job(settings, job_id, every_seconds=0.5, wait=waits.append)
        with monkeypatch.context() as patch:
            patch.setattr(progress_module, "time", SimpleNamespace(monotonic=lambda: next(clock), sleep=pauses.append))
            for _ in range(4):
                next(following)
        return pauses, waits

    pauses, waits = follow(settings.captions_per_item * (FEW_ITEMS + 1))
    assert pauses == pytest.approx([9 * 0.001, 9 * 0.2, 5.0])
    assert waits == pytest.approx([0.5 - 9 * 0.001, 0.0, 0.0])  # in which a change ends the pause
    assert follow(settings.captions_per_item * FEW_ITEMS) == ([0.0] * 3, [0.5] * 3)


def test_the_newest_jobs_come_first(settings: Settings, outbox: "Outbox", captions: Captions) -> None:
    ids = [submit_ingest(settings, captions(1), source="x", dispatcher=outbox) for _ in range(3)]
    assert [job.id for job in list_jobs(settings)] == ids[::-1]
    assert [job.id for job in list_jobs(settings, limit=1)] == ids[-1:]


def test_moments_carry_their_time_zone(settings: Settings, outbox: "Outbox", captions: Captions) -> None:
    job_id = submit_ingest(settings, captions(1), source="x", dispatcher=outbox)
    created = job_summary(settings, job_id).created_at
    assert created.utcoffset() == timedelta(0)
    assert abs(now() - created) < timedelta(minutes=1)


def test_an_unknown_job_has_no_progress(settings: Settings) -> None:
    with pytest.raises(NotFoundError):
        job_summary(settings, "abc")
