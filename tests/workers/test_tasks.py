"""What a message sets off; the working process is this one, and what it does for an item is made up."""

from collections.abc import Callable, Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from sqlalchemy import select

from freeda_svc.captions.caption import Caption
from freeda_svc.errors import InputError
from freeda_svc.jobs import JobKind, JobState, job_items, job_summary, submit_ingest
from freeda_svc.jobs.claims import Claim
from freeda_svc.jobs.database import reading
from freeda_svc.jobs.tables import WorkItem
from freeda_svc.settings import Settings
from freeda_svc.workers import child, tasks, together
from freeda_svc.workers.app import QUEUES_KEY, SETTINGS_KEY
from freeda_svc.workers.messages import QUEUES

Captions = Callable[..., list[Caption]]


class NoDispatcher:
    def check(self) -> None: ...

    def send(self, kind: JobKind, item_ids: Sequence[int]) -> bool:
        return False


@pytest.fixture
def message(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """Deliver one message to this process."""
    conf = {SETTINGS_KEY: settings.model_dump(mode="json"), QUEUES_KEY: QUEUES, child.REPORTS_KEY: ""}
    monkeypatch.setattr(tasks, "perform", lambda held, claim: {})
    yield lambda: tasks.run_waiting_items(SimpleNamespace(app=SimpleNamespace(conf=conf)), 1)
    child.end_process()


def _submit(settings: Settings, captions: Captions, count: int) -> str:
    return submit_ingest(settings, captions(count), source="test", dispatcher=NoDispatcher())


def test_one_message_is_enough_for_many_short_items(
    settings: Settings, captions: Captions, message: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "BURST_SECONDS", 60.0)
    job_id = _submit(settings, captions, 4)
    message()
    assert job_summary(settings, job_id).state == JobState.DONE


def test_a_message_does_not_go_on_after_an_item_that_took_long(
    settings: Settings, captions: Captions, message: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "BURST_SECONDS", 0.0)
    job_id = _submit(settings, captions, 3)
    message()
    progress = job_summary(settings, job_id).progress
    assert (progress.done, progress.queued) == (1, 2)


def test_a_message_does_not_go_on_after_a_failure(
    settings: Settings, captions: Captions, message: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(held: object, claim: Claim) -> dict[str, Any]:
        raise RuntimeError("the device is lost")

    monkeypatch.setattr(tasks, "perform", fail)
    monkeypatch.setattr(tasks, "BURST_SECONDS", 60.0)
    job_id = _submit(settings, captions, 2)
    message()
    progress = job_summary(settings, job_id).progress
    assert (progress.queued, progress.failed, progress.running) == (2, 0, 0)


def test_a_message_for_which_nothing_waits_does_nothing(settings: Settings, message: Callable[[], None]) -> None:
    message()


def test_items_are_done_together_where_they_can_be(
    settings: Settings, captions: Captions, message: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    counts: list[int] = []

    def perform(held: object, claims: Sequence[Claim]) -> dict[int, dict[str, Any]]:
        counts.append(len(claims))
        return {claim.item_id: {"new prototypes": claim.number} for claim in claims}

    monkeypatch.setattr(tasks, "most_together", lambda held, first: 3)
    monkeypatch.setattr(tasks, "fit_together", lambda first, other: True)
    monkeypatch.setattr(together, "perform_together", perform)
    monkeypatch.setattr(tasks, "BURST_SECONDS", 60.0)
    jobs = [_submit(settings, captions, count) for count in (2, 3)]
    message()
    assert counts == [3, 2]
    assert [job_summary(settings, job).state for job in jobs] == [JobState.DONE] * 2
    assert [(item.attempts, item.result) for item in job_items(settings, jobs[0])] == [
        (1, {"new prototypes": 1}),
        (1, {"new prototypes": 2}),
    ]


@pytest.mark.parametrize("trouble", [InputError("an image is broken"), SoftTimeLimitExceeded(), None])
def test_what_breaks_off_together_is_done_alone_without_counting(
    settings: Settings,
    captions: Captions,
    message: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
    trouble: Exception | None,
) -> None:
    def perform(held: object, claims: Sequence[Claim]) -> dict[int, dict[str, Any]]:
        if trouble is not None:
            raise trouble
        return {claims[0].item_id: {}}  # the others' images cannot be read

    monkeypatch.setattr(tasks, "most_together", lambda held, first: 9)
    monkeypatch.setattr(tasks, "fit_together", lambda first, other: True)
    monkeypatch.setattr(together, "perform_together", perform)
    monkeypatch.setattr(tasks, "BURST_SECONDS", 60.0)
    job_id = _submit(settings, captions, 3)
    message()
    assert job_summary(settings, job_id).state == JobState.DONE
    assert [item.attempts for item in job_items(settings, job_id)] == [1 if trouble is None else 2, 2, 2]
    with reading(settings) as session:
        assert set(session.scalars(select(WorkItem.failures))) == {0}
