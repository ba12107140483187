"""Callbacks and the attempts to deliver them."""

import base64
import hashlib
import hmac
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import update

from freeda_svc.captions.caption import Caption
from freeda_svc.errors import InputError, NotFoundError
from freeda_svc.jobs import (
    CallbackState,
    DeliveryOutcome,
    DueCallback,
    ItemState,
    JobState,
    callback_of,
    callback_secret_of,
    cancel_job,
    end_try,
    keep_callback,
    prune_jobs,
    retry_failed_items,
    signed_headers,
    submit_ingest,
    take_due_callbacks,
)
from freeda_svc.jobs.callbacks import FIRST_PAUSE, GIVEN_UP_AFTER, LONGEST_PAUSE, database_now
from freeda_svc.jobs.database import reading, writing
from freeda_svc.jobs.tables import Callback, Job, WorkItem, now
from freeda_svc.settings import Settings
from tests.jobs.conftest import Outbox

URL = "https://hooks.example.org/a?token=b"
LEASE = timedelta(seconds=60)
both = pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture
def job(settings: Settings, outbox: Outbox, captions: Callable[[int], list[Caption]]) -> str:
    job_id = submit_ingest(settings, captions(4), source="captions.txt", dispatcher=outbox)
    keep_callback(settings, job_id, URL, "0000000a")
    return job_id


def end(settings: Settings, job_id: str, state: JobState = JobState.DONE) -> None:
    with writing(settings) as session:
        items = ItemState.FAILED if state is JobState.FAILED else ItemState.DONE
        session.execute(update(WorkItem).where(WorkItem.job_id == job_id).values(state=items))
        session.execute(update(Job).where(Job.id == job_id).values(state=state))


def pass_time(settings: Settings, span: timedelta) -> None:
    """Let callbacks believe that time has passed."""
    with writing(settings) as session:
        for callback in session.query(Callback):
            callback.next_try_at -= span
            callback.lease_until = callback.lease_until and callback.lease_until - span
            callback.first_try_at = callback.first_try_at and callback.first_try_at - span


def take_one(settings: Settings) -> DueCallback:
    (due,) = take_due_callbacks(settings, 8, LEASE)
    return due


@both
def test_a_callback_is_due_when_its_job_has_ended(settings: Settings, job: str) -> None:
    assert take_due_callbacks(settings, 8, LEASE) == []
    end(settings, job)
    due = take_one(settings)
    assert (due.job_id, due.url, due.key_id, due.message_id, due.tries) == (job, URL, "0000000a", f"{job}.1", 1)
    assert due.content["type"] == "job.ended"
    data = due.content["data"]
    assert (data["job"], data["kind"], data["state"], data["location"]) == (job, "ingest", "done", f"/v1/jobs/{job}")
    assert data["items"] == {"queued": 0, "running": 0, "done": 2, "failed": 0, "cancelled": 0}
    assert end_try(settings, due, status=204) is CallbackState.DELIVERED
    pass_time(settings, timedelta(days=1))
    assert take_due_callbacks(settings, 8, LEASE) == []
    found = callback_of(settings, job[:6])
    assert found is not None
    assert (found.url, found.state, found.next_try_at) == (URL, CallbackState.DELIVERED, None)
    (delivery,) = found.deliveries
    assert (delivery.number, delivery.outcome, delivery.status, delivery.error) == (1, "delivered", 204, "")
    assert delivery.finished_at is not None


def test_a_cancelled_job_has_ended(settings: Settings, job: str) -> None:
    cancel_job(settings, job)
    assert take_one(settings).content["data"]["state"] == "cancelled"


@both
def test_one_sender_at_a_time_has_a_callback(settings: Settings, job: str) -> None:
    end(settings, job)
    first = take_one(settings)
    assert take_due_callbacks(settings, 8, LEASE) == []
    pass_time(settings, LEASE + timedelta(seconds=2))
    second = take_one(settings)
    assert (second.message_id, second.tries) == (first.message_id, 2)
    assert end_try(settings, first, error="too late") is CallbackState.OPEN
    found = callback_of(settings, job)
    assert found is not None
    # What is late changes its own record only: the second goes on.
    assert [one.outcome for one in found.deliveries] == [DeliveryOutcome.FAILED, DeliveryOutcome.SENDING]
    assert end_try(settings, second, status=200) is CallbackState.DELIVERED


def test_an_attempt_that_was_cut_off_is_recorded_and_made_again(settings: Settings, job: str) -> None:
    end(settings, job)
    take_one(settings)
    pass_time(settings, LEASE + timedelta(seconds=2))
    take_one(settings)
    found = callback_of(settings, job)
    assert found is not None
    assert [one.outcome for one in found.deliveries] == [DeliveryOutcome.INTERRUPTED, DeliveryOutcome.SENDING]
    assert "stopped" in found.deliveries[0].error


def test_pauses_grow_until_a_day_has_passed(settings: Settings, job: str) -> None:
    end(settings, job)
    pauses = []
    state = CallbackState.OPEN
    while state is CallbackState.OPEN:
        due = take_one(settings)
        state = end_try(settings, due, status=500, error="answered with status 500")
        with reading(settings) as session:
            callback = session.get_one(Callback, job)
            pauses.append(callback.next_try_at - database_now(session))
            begun = callback.first_try_at
        pass_time(settings, pauses[-1] + timedelta(seconds=2))
    assert begun is not None
    assert state is CallbackState.GIVEN_UP
    shown = [round(pause / FIRST_PAUSE) for pause in pauses]
    assert shown[:5] == [1, 3, 9, 27, 81]
    assert max(pauses) <= LONGEST_PAUSE
    assert now() - begun > GIVEN_UP_AFTER - LONGEST_PAUSE
    assert len(pauses) < 20
    found = callback_of(settings, job)
    assert found is not None
    assert (found.state, found.next_try_at, len(found.deliveries)) == (CallbackState.GIVEN_UP, None, len(pauses))
    assert take_due_callbacks(settings, 8, LEASE) == []


def test_a_receiver_that_wants_no_more_is_left_alone(settings: Settings, job: str) -> None:
    end(settings, job)
    assert end_try(settings, take_one(settings), status=410, error="gone", is_last=True) is CallbackState.GIVEN_UP


@both
def test_the_end_after_a_retry_is_a_message_of_its_own(settings: Settings, job: str, outbox: Outbox) -> None:
    end(settings, job, JobState.FAILED)
    first = take_one(settings)
    end_try(settings, first, status=200)
    retry_failed_items(settings, job, dispatcher=outbox)
    assert take_due_callbacks(settings, 8, LEASE) == []
    end(settings, job)
    second = take_one(settings)
    assert (second.message_id, second.tries, second.content["data"]["state"]) == (f"{job}.2", 1, "done")
    end_try(settings, second, status=200)
    found = callback_of(settings, job)
    assert found is not None
    assert [one.message_id for one in found.deliveries] == [f"{job}.1", f"{job}.2"]


def test_a_repeated_request_keeps_its_callback_and_no_other(settings: Settings, job: str) -> None:
    keep_callback(settings, job, URL, "0000000a")
    with pytest.raises(InputError, match="used with another callback"):
        keep_callback(settings, job, URL + "c")
    with pytest.raises(NotFoundError):
        keep_callback(settings, "000000000000", URL)


def test_a_job_without_a_callback_has_none(
    settings: Settings, outbox: Outbox, captions: Callable[[int], list[Caption]]
) -> None:
    job_id = submit_ingest(settings, captions(1), source="captions.txt", dispatcher=outbox)
    keep_callback(settings, job_id, "")
    assert callback_of(settings, job_id) is None


@both
def test_a_removed_job_takes_its_callback_along(settings: Settings, job: str) -> None:
    end(settings, job)
    take_one(settings)
    prune_jobs(settings, timedelta(0), dry_run=False, only=[job])
    pass_time(settings, timedelta(days=1))
    assert take_due_callbacks(settings, 8, LEASE) == []


def test_each_key_signs_with_a_secret_of_its_own(settings: Settings) -> None:
    settings = settings.model_copy(update={"callback_secret": "x" * 32})
    secrets = {callback_secret_of(settings, key_id) for key_id in ("", "0000000a", "0000000b")}
    assert len(secrets) == 3
    secret = callback_secret_of(settings, "0000000a")
    prefix, encoded = secret[:6], secret[6:]
    assert prefix == "whsec_"
    headers = signed_headers(settings, "0000000a", "job.1", 1700000000, b'{"a": 1}')
    expected = hmac.new(base64.b64decode(encoded), b'job.1.1700000000.{"a": 1}', hashlib.sha256).digest()
    assert headers == {
        "webhook-id": "job.1",
        "webhook-timestamp": "1700000000",
        "webhook-signature": f"v1,{base64.b64encode(expected).decode()}",
    }
