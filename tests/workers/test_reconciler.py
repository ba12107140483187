import os
import signal
import threading
import time
from collections.abc import Callable

import pytest
import redis
from sqlalchemy import update

from freeda_svc.captions.caption import Caption
from freeda_svc.errors import UnavailableError
from freeda_svc.jobs import JobKind, cancel_job, job_summary, submit_ingest
from freeda_svc.jobs.acceptance import FEW_ITEMS
from freeda_svc.jobs.claims import claim_next
from freeda_svc.jobs.database import writing
from freeda_svc.jobs.dispatch import UnsentWatch
from freeda_svc.jobs.leases import LeaseWatch
from freeda_svc.jobs.tables import WorkItem
from freeda_svc.settings import Settings
from freeda_svc.workers import CeleryDispatcher
from freeda_svc.workers.broker import running_broker_url
from freeda_svc.workers.broker_server import start_broker
from freeda_svc.workers.locks import worker_identity
from freeda_svc.workers.reconciler import (
    DONE_KEY,
    TURN_KEY,
    Reconciler,
    forget_turn,
    reconcile,
    repair,
    waiting_messages,
)

Captions = Callable[..., list[Caption]]


@pytest.fixture
def settings(make_settings: Callable[..., Settings], described_pack: str) -> Settings:
    return make_settings(pack=described_pack)


def _submit(settings: Settings, captions: list[Caption]) -> str:
    return submit_ingest(settings, captions, source="x", dispatcher=CeleryDispatcher(settings))


def _waiting(url: str) -> int:
    return waiting_messages(url, JobKind.INGEST)


def _forget(url: str, *keys: str) -> None:
    """Empty the broker, or only forget that somebody reconciled a moment ago."""
    with redis.Redis.from_url(url) as client:
        client.delete(*keys) if keys else client.flushall()


def test_items_accepted_without_a_broker_are_sent_at_start(settings: Settings, captions: Captions) -> None:
    many = FEW_ITEMS + 1
    _submit(settings, captions(many))
    url = start_broker(settings)
    assert reconcile(settings, url, young=UnsentWatch(settings).young()) == 0  # their sender might still be at it
    _forget(url, DONE_KEY)
    assert reconcile(settings, url, at_start=True) == many
    assert _waiting(url) == many


def test_few_items_accepted_without_a_broker_are_sent_at_the_first_look(settings: Settings, captions: Captions) -> None:
    _submit(settings, captions(3))
    url = start_broker(settings)
    assert reconcile(settings, url, young=UnsentWatch(settings).young()) == 3
    assert reconcile(settings, url, young=UnsentWatch(settings).young()) == 0
    assert _waiting(url) == 3


def test_nothing_is_sent_while_messages_wait(settings: Settings, captions: Captions) -> None:
    url = start_broker(settings)
    _submit(settings, captions(3))
    assert reconcile(settings, url, at_start=True) == 0
    assert _waiting(url) == 3


def test_lost_messages_are_sent_again(settings: Settings, captions: Captions) -> None:
    url = start_broker(settings)
    _submit(settings, captions(3))
    cancelled = _submit(settings, captions(2))
    cancel_job(settings, cancelled)
    _forget(url)
    assert reconcile(settings, url) == 3
    assert _waiting(url) == 3


def test_one_lost_message_among_many_is_made_up_for(settings: Settings, captions: Captions) -> None:
    url = start_broker(settings)
    _submit(settings, captions(5))
    with redis.Redis.from_url(url) as client:
        client.rpop("ingest")
    assert reconcile(settings, url) == 1
    assert _waiting(url) == 5


def test_many_reconcilers_at_once_send_what_is_missing_once(settings: Settings, captions: Captions) -> None:
    url = start_broker(settings)
    _submit(settings, captions(30))
    _forget(url)
    sent: list[int] = []
    barrier = threading.Barrier(5)

    def look(*, at_start: bool) -> None:
        barrier.wait()
        sent.append(reconcile(settings, url, at_start=at_start))

    threads = [threading.Thread(target=look, kwargs={"at_start": number % 2 == 0}) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (sum(sent), len(sent), _waiting(url)) == (30, 5, 30)
    _forget(url, "ingest")
    assert reconcile(settings, url) == 0  # somebody looked an instant ago
    _forget(url, DONE_KEY)
    assert reconcile(settings, url) == 30


def test_a_worker_that_was_killed_in_its_turn_goes_on_at_once(settings: Settings, captions: Captions) -> None:
    url = start_broker(settings)
    _submit(settings, captions(3))
    _forget(url)
    with redis.Redis.from_url(url) as client:
        client.set(TURN_KEY, worker_identity(settings), px=60_000)
        assert reconcile(settings, url) == 0
        forget_turn(settings, url)
        assert reconcile(settings, url) == 3
        client.set(TURN_KEY, "another worker", px=60_000)
    forget_turn(settings, url)
    _forget(url, DONE_KEY, "ingest")
    assert reconcile(settings, url) == 0


def test_an_item_whose_worker_fell_silent_is_sent_again(settings: Settings, captions: Captions) -> None:
    url = start_broker(settings)
    _submit(settings, captions(1))
    _forget(url)
    silent = settings.model_copy(update={"lease_seconds": 0.01})
    assert claim_next(silent, "silent") is not None
    watch = LeaseWatch(settings)
    assert repair(settings, watch) == 0
    time.sleep(0.05)
    assert repair(settings, watch) == 1
    assert reconcile(settings, url) == 1
    assert claim_next(settings, "other") is not None


def test_a_job_that_nobody_ended_is_ended(settings: Settings, captions: Captions) -> None:
    job_id = _submit(settings, captions(1))
    claim_next(settings, "worker")
    with writing(settings) as session:  # as two transactions leave it that see each other's item open
        session.execute(update(WorkItem).values(state="done"))
    assert job_summary(settings, job_id).state == "running"
    repair(settings, LeaseWatch(settings))
    assert job_summary(settings, job_id).state == "done"


def test_the_thread_repairs_and_restarts_a_dead_broker(
    settings: Settings, captions: Captions, eventually: Callable[..., None]
) -> None:
    url = start_broker(settings)
    _submit(settings, captions(3))
    with redis.Redis.from_url(url) as client:
        pid = int(client.info("server")["process_id"])
        client.flushall()
    reconciler = Reconciler(settings, url)
    reconciler.start()
    try:
        eventually(lambda: _waiting(url) == 3)
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: running_broker_url(settings) is None)
        eventually(lambda: running_broker_url(settings) == url)
        eventually(lambda: _waiting(url) == 3)
    finally:
        reconciler.stop()


def test_a_broker_that_is_gone_is_reported_in_one_line(settings: Settings) -> None:
    with pytest.raises(UnavailableError, match="does not answer"):
        waiting_messages("redis://127.0.0.1:1/0", JobKind.INGEST)
