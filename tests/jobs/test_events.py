from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from freeda_svc.captions.caption import Caption
from freeda_svc.errors import NotFoundError
from freeda_svc.jobs import cancel_job, job_events, retry_failed_items, submit_ingest
from freeda_svc.jobs.claims import Claim, claim_next, fail_item, finish_item, hand_back_items
from freeda_svc.jobs.leases import LeaseWatch
from freeda_svc.settings import Settings

if TYPE_CHECKING:
    from conftest import Outbox

pytestmark = pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture
def job_id(settings: Settings, outbox: "Outbox", captions: Callable[[int], list[Caption]]) -> str:
    return submit_ingest(settings, captions(4), source="four.txt", dispatcher=outbox)


def _claim(settings: Settings, worker: str = "worker") -> Claim:
    claim = claim_next(settings, worker)
    assert claim is not None
    return claim


def _told(settings: Settings, job_id: str, after: int = 0) -> list[tuple[object, ...]]:
    events = job_events(settings, job_id, after=after)
    return [(event.kind, event.item, event.attempt, event.message) for event in events]


def test_everything_that_happens_is_reported_in_order(settings: Settings, job_id: str, outbox: "Outbox") -> None:
    finish_item(settings, _claim(settings), {})
    _claim(settings)
    hand_back_items(settings, "worker", lost=False)
    fail_item(settings, _claim(settings), "broken", final=False)
    _claim(settings)
    hand_back_items(settings, "worker", lost=True)
    retry_failed_items(settings, job_id, dispatcher=outbox)
    cancel_job(settings, job_id)
    assert _told(settings, job_id) == [
        ("submitted", None, None, "2 items from four.txt"),
        ("begun", 1, 1, "worker"),
        ("job state", None, None, "queued to running"),
        ("done", 1, 1, ""),
        ("begun", 2, 1, "worker"),
        ("handed back", 2, 1, "its worker was stopped"),
        ("begun", 2, 2, "worker"),
        ("failed", 2, 2, "broken"),
        ("begun", 2, 3, "worker"),
        ("lost", 2, 3, "its worker was lost"),
        ("set aside", 2, None, "its worker was lost (2 attempts)"),
        ("job state", None, None, "running to partly failed"),
        ("job state", None, None, "partly failed to running"),
        ("retried", None, None, "1 item"),
        ("job state", None, None, "running to cancelled"),
        ("cancelled", None, None, "1 item not begun"),
    ]


def test_a_follower_sees_each_event_once(settings: Settings, job_id: str) -> None:
    first = job_events(settings, job_id[:6])
    assert [event.kind for event in first] == ["submitted"]
    assert _told(settings, job_id, after=first[-1].id) == []
    _claim(settings)
    assert [kind for kind, *_ in _told(settings, job_id, after=first[-1].id)] == ["begun", "job state"]
    assert [event.kind for event in job_events(settings, job_id, limit=2)] == ["submitted", "begun"]


def test_silence_and_the_end_of_an_item_in_a_cancelled_job_are_reported(settings: Settings, job_id: str) -> None:
    _claim(settings)
    cancel_job(settings, job_id)
    moments = iter((0.0, 0.0, settings.lease_seconds))
    watch = LeaseWatch(settings.model_copy(update={"reconcile_seconds": 100.0}), clock=lambda: next(moments))
    assert (watch.put_back_silent_items(), watch.put_back_silent_items()) == (0, 1)
    assert _told(settings, job_id)[-2:] == [("lost", 1, 1, "its worker fell silent"), ("cancelled", 1, None, "")]


def test_an_unknown_job_has_no_events(settings: Settings) -> None:
    with pytest.raises(NotFoundError):
        job_events(settings, "abc")
