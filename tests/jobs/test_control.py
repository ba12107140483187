import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from sqlalchemy.orm import Session

from freeda_svc.captions.caption import Caption
from freeda_svc.errors import InputError, NotFoundError, UnavailableError
from freeda_svc.jobs import cancel_job, claims, find_job, job_summary, retry_failed_items, submit_ingest
from freeda_svc.jobs.claims import claim_next, fail_item, finish_item
from freeda_svc.jobs.transitions import settle_job
from freeda_svc.settings import Settings

if TYPE_CHECKING:
    from conftest import Outbox

Captions = Callable[[int], list[Caption]]


@pytest.fixture
def job_id(settings: Settings, outbox: "Outbox", captions: Captions) -> str:
    return submit_ingest(settings, captions(4), source="x", dispatcher=outbox)


def _fail_all(settings: Settings, item_ids: list[int]) -> None:
    for _ in item_ids:
        claim = claim_next(settings, "worker")
        assert claim is not None
        fail_item(settings, claim, "broken", final=True)


def test_a_job_is_found_by_the_beginning_of_its_id(settings: Settings, job_id: str) -> None:
    assert find_job(settings, job_id) == find_job(settings, job_id[:5].upper()) == job_id


@pytest.mark.parametrize("unknown", ["", "zzz", "%", "0" * 13, "_"])
def test_an_unknown_job_is_reported_in_one_line(settings: Settings, job_id: str, unknown: str) -> None:
    with pytest.raises(NotFoundError, match="there is no job"):
        find_job(settings, unknown)


def test_a_beginning_that_several_jobs_share_is_refused(
    settings: Settings, outbox: "Outbox", captions: Captions
) -> None:
    ids = [submit_ingest(settings, captions(1), source="x", dispatcher=outbox) for _ in range(17)]
    shared = next(first for first in "0123456789abcdef" if sum(found.startswith(first) for found in ids) > 1)
    with pytest.raises(NotFoundError, match="several jobs"):
        find_job(settings, shared)


def test_cancelling_skips_what_was_not_begun_and_works_once(settings: Settings, job_id: str, outbox: "Outbox") -> None:
    assert cancel_job(settings, job_id[:6]) == 2
    assert job_summary(settings, job_id).state == "cancelled"
    assert claim_next(settings, "worker") is None
    with pytest.raises(InputError, match="is cancelled already"):
        cancel_job(settings, job_id)
    with pytest.raises(InputError, match="was cancelled"):
        retry_failed_items(settings, job_id, dispatcher=outbox)


def test_retrying_gives_failed_items_all_their_attempts_again(
    settings: Settings, job_id: str, outbox: "Outbox"
) -> None:
    item_ids = [item_id for _, item_id in outbox.sent]
    done = claim_next(settings, "worker")
    assert done is not None
    finish_item(settings, done, {})
    _fail_all(settings, item_ids[1:])
    assert job_summary(settings, job_id).state == "partly failed"

    outbox.sent.clear()
    assert retry_failed_items(settings, job_id, dispatcher=outbox) == 1
    assert outbox.sent == [("ingest", item_ids[1])]
    assert job_summary(settings, job_id).state == "running"

    again = claim_next(settings, "worker")
    assert again is not None
    assert again.attempt == 2
    assert fail_item(settings, again, "broken", final=False)
    last = claim_next(settings, "worker")
    assert last is not None
    finish_item(settings, last, {})
    assert job_summary(settings, job_id).state == "done"


def test_a_job_without_failed_items_cannot_be_retried(settings: Settings, job_id: str, outbox: "Outbox") -> None:
    with pytest.raises(InputError, match="no failed items"):
        retry_failed_items(settings, job_id, dispatcher=outbox)


def test_nothing_is_retried_when_the_queue_does_not_answer(settings: Settings, job_id: str, outbox: "Outbox") -> None:
    _fail_all(settings, [item_id for _, item_id in outbox.sent])
    outbox.reachable = False
    with pytest.raises(UnavailableError):
        retry_failed_items(settings, job_id, dispatcher=outbox)
    assert job_summary(settings, job_id).state == "failed"


@pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True)
def test_a_job_whose_items_are_retried_while_its_last_one_ends_goes_on(
    settings: Settings, job_id: str, outbox: "Outbox", monkeypatch: pytest.MonkeyPatch
) -> None:
    _fail_all(settings, [1])
    last = claim_next(settings, "worker")
    assert last is not None
    settled, go_on = threading.Event(), threading.Event()

    def settle_slowly(session: Session, job: str) -> None:
        settle_job(session, job)
        settled.set()
        go_on.wait(20)

    ending = threading.Thread(target=finish_item, args=(settings, last, {}))
    retrying = threading.Thread(target=retry_failed_items, args=(settings, job_id), kwargs={"dispatcher": outbox})
    with monkeypatch.context() as patch:
        patch.setattr(claims, "settle_job", settle_slowly)
        ending.start()
        assert settled.wait(20)
        retrying.start()
        time.sleep(0.5)  # in which it comes to where it has to wait
        go_on.set()
        ending.join()
        retrying.join()
    summary = job_summary(settings, job_id)
    assert (summary.state, summary.progress.queued) == ("running", 1)
    again = claim_next(settings, "worker")
    assert again is not None
    finish_item(settings, again, {})
    assert job_summary(settings, job_id).state == "done"
