import os
import signal
import time
from collections.abc import Callable

import pytest
import redis

from freeda_svc.captions.caption import Caption
from freeda_svc.errors import UnavailableError
from freeda_svc.jobs import JobKind, cancel_job, submit_ingest
from freeda_svc.jobs.claims import claim_item
from freeda_svc.settings import Settings
from workers import CeleryDispatcher
from workers.broker import running_broker_url, start_broker
from workers.reconciler import Reconciler, reconcile, waiting_messages

Captions = Callable[..., list[Caption]]


@pytest.fixture
def settings(make_settings: Callable[..., Settings], described_pack: str) -> Settings:
    return make_settings(pack=described_pack)


def _submit(settings: Settings, captions: list[Caption]) -> str:
    return submit_ingest(settings, captions, source="x", dispatcher=CeleryDispatcher(settings))


def test_items_accepted_without_a_broker_are_sent_at_start(settings: Settings, captions: Captions) -> None:
    _submit(settings, captions(3))
    url = start_broker(settings)
    assert reconcile(settings, url) == 0  # their sender might still be at it
    assert reconcile(settings, url, at_start=True) == 3
    assert waiting_messages(url, JobKind.INGEST) == 3


def test_nothing_is_sent_while_messages_wait(settings: Settings, captions: Captions) -> None:
    url = start_broker(settings)
    _submit(settings, captions(3))
    time.sleep(settings.reconcile_seconds)
    assert reconcile(settings, url) == 0
    assert reconcile(settings, url, at_start=True) == 0
    assert waiting_messages(url, JobKind.INGEST) == 3


def test_lost_messages_are_sent_again(settings: Settings, captions: Captions) -> None:
    url = start_broker(settings)
    _submit(settings, captions(3))
    cancelled = _submit(settings, captions(2))
    cancel_job(settings, cancelled)
    with redis.Redis.from_url(url) as client:
        client.flushall()
    time.sleep(settings.reconcile_seconds)
    assert reconcile(settings, url) == 3
    assert reconcile(settings, url) == 0
    assert waiting_messages(url, JobKind.INGEST) == 3


def test_an_item_whose_worker_fell_silent_is_sent_again(settings: Settings, captions: Captions) -> None:
    url = start_broker(settings)
    _submit(settings, captions(2))
    silent = settings.model_copy(update={"lease_seconds": 0.01})
    assert claim_item(silent, 1, "silent") is not None
    time.sleep(0.05)
    assert reconcile(settings, url) == 1
    assert claim_item(settings, 1, "other") is not None


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
        eventually(lambda: waiting_messages(url, JobKind.INGEST) == 3)
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: running_broker_url(settings) is None)
        eventually(lambda: running_broker_url(settings) == url)
        eventually(lambda: waiting_messages(url, JobKind.INGEST) == 3)
    finally:
        reconciler.stop()


def test_a_broker_that_is_gone_is_one_line(settings: Settings) -> None:
    with pytest.raises(UnavailableError, match="does not answer"):
        waiting_messages("redis://127.0.0.1:1/0", JobKind.INGEST)
