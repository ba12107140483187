"""Posting the ends of jobs to a receiver of this machine that is slow, fails and comes back."""

import asyncio
import io
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from freeda_svc.api import make_application
from freeda_svc.api.callbacks import check_callback
from freeda_svc.api.delivery import CallbackSender
from freeda_svc.captions import make_caption
from freeda_svc.jobs import (
    CallbackState,
    CallbackSummary,
    DeliveryOutcome,
    callback_of,
    callback_secret_of,
    cancel_job,
    keep_callback,
    submit_ingest,
)
from freeda_svc.settings import Settings
from freeda_svc.workers import CeleryDispatcher
from tests.api.api_process import api_process
from tests.api.receiver import Receiver, is_signed, receiving
from tests.free_ports import free_port


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


@pytest.fixture
def sending(settings: Settings, receiver: Receiver) -> Settings:
    """Settings that let callbacks go to the receiver."""
    return settings.model_copy(
        update={"callback_hosts": f"127.0.0.1:{receiver.port}", "callback_secret": "a secret of these tests"}
    )


@contextmanager
def sender(settings: Settings, **given: object) -> Iterator[None]:
    """Send from a thread with a loop of its own; pauses are short."""
    started = threading.Event()
    running: list[Any] = []

    async def run() -> None:
        made = CallbackSender(settings, look_seconds=0.02, **{"first_pause": timedelta(0), **given})
        running.extend([made, asyncio.get_running_loop()])
        started.set()
        await made.run()

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    started.wait()
    try:
        yield
    finally:
        running[1].call_soon_threadsafe(running[0].stop)
        thread.join()


def ended_job(settings: Settings, url: str, key_id: str = "") -> str:
    caption = make_caption("a cat on a mat")
    assert caption is not None
    job_id = submit_ingest(settings, [caption], source="captions.txt", dispatcher=CeleryDispatcher(settings))
    keep_callback(settings, job_id, check_callback(settings, url), key_id)
    cancel_job(settings, job_id)
    return job_id


def settled(settings: Settings, job_id: str) -> CallbackSummary:
    """Return what became of a callback, once nobody is sending it."""
    for _ in range(600):
        found = callback_of(settings, job_id)
        assert found is not None
        outcomes = [one.outcome for one in found.deliveries]
        if outcomes and DeliveryOutcome.SENDING not in outcomes and found.state is not CallbackState.OPEN:
            return found
        threading.Event().wait(0.05)
    raise AssertionError(found)


def failed_once(settings: Settings, job_id: str) -> CallbackSummary:
    """Return what became of a callback, once an attempt has failed."""
    for _ in range(600):
        found = callback_of(settings, job_id)
        assert found is not None
        if [one.outcome for one in found.deliveries][:1] == [DeliveryOutcome.FAILED]:
            return found
        threading.Event().wait(0.05)
    raise AssertionError(found)


def test_the_end_of_a_job_is_posted_once_and_signed(sending: Settings, receiver: Receiver) -> None:
    job_id = ended_job(sending, receiver.url("/hook?a=b"), "0000000a")
    with sender(sending):
        (received,) = receiver.wait_for(1)
        found = settled(sending, job_id)
    assert received.path == "/hook?a=b"
    assert received.json["data"]["job"] == job_id
    assert received.json["data"]["state"] == "cancelled"
    assert received.headers["Content-Type"] == "application/json"
    assert received.headers["Host"] == f"127.0.0.1:{receiver.port}"
    assert is_signed(received, callback_secret_of(sending, "0000000a"))
    assert not is_signed(received, callback_secret_of(sending, "0000000b"))
    assert (found.state, [one.status for one in found.deliveries]) == (CallbackState.DELIVERED, [204])
    assert len(receiver.received) == 1


def test_several_senders_post_each_end_once(sending: Settings, receiver: Receiver) -> None:
    jobs = [ended_job(sending, receiver.url()) for _ in range(6)]
    with sender(sending), sender(sending), sender(sending):
        receiver.wait_for(len(jobs))
        for job_id in jobs:
            settled(sending, job_id)
    assert sorted(one.json["data"]["job"] for one in receiver.received) == sorted(jobs)


def test_a_receiver_that_fails_is_asked_again_under_the_same_message_id(sending: Settings, receiver: Receiver) -> None:
    receiver.answers = [500, 404, 302]
    receiver.location = receiver.url("/elsewhere")
    job_id = ended_job(sending, receiver.url())
    with sender(sending):
        found = settled(sending, job_id)
    assert [one.status for one in found.deliveries] == [500, 404, 302, 204]
    assert "redirects are not followed" in found.deliveries[2].error
    assert {one.path for one in receiver.received} == {"/hook"}
    assert {one.headers["webhook-id"] for one in receiver.received} == {f"{job_id}.1"}


def test_a_slow_receiver_does_not_keep_the_others_waiting(sending: Settings, receiver: Receiver) -> None:
    receiver.sleeps = [30.0]
    slow = ended_job(sending, receiver.url("/slow"))
    with sender(sending, answer_seconds=3.0, first_pause=timedelta(seconds=2)):
        receiver.wait_for(1)
        quick = ended_job(sending, receiver.url("/quick"))
        assert [one.status for one in settled(sending, quick).deliveries] == [204]
        found = settled(sending, slow)
    assert [one.status for one in found.deliveries] == [None, 204]
    assert found.deliveries[0].error == "no answer within 3 seconds"


def test_a_receiver_that_is_gone_comes_back(settings: Settings) -> None:
    port = free_port()
    sending = settings.model_copy(
        update={"callback_hosts": f"127.0.0.1:{port}", "callback_secret": "a secret of these tests"}
    )
    job_id = ended_job(sending, f"http://127.0.0.1:{port}/hook")
    with sender(sending):
        found = failed_once(sending, job_id)
        assert "cannot be reached" in found.deliveries[0].error
        with receiving(port) as receiver:
            receiver.wait_for(1)
            assert settled(sending, job_id).state is CallbackState.DELIVERED


def test_a_receiver_can_end_it(sending: Settings, receiver: Receiver) -> None:
    receiver.answers = [410]
    job_id = ended_job(sending, receiver.url())
    with sender(sending):
        found = settled(sending, job_id)
    assert (found.state, len(found.deliveries)) == (CallbackState.GIVEN_UP, 1)


def test_a_host_that_is_no_longer_listed_is_not_asked(sending: Settings, receiver: Receiver) -> None:
    job_id = ended_job(sending, receiver.url())
    with sender(sending.model_copy(update={"callback_hosts": "example.org"}), first_pause=timedelta(hours=1)):
        found = failed_once(sending, job_id)
    assert "which the setting callback_hosts does not list" in found.deliveries[0].error
    assert receiver.received == []


def test_what_is_being_sent_when_the_server_stops_is_sent_by_the_next(sending: Settings, receiver: Receiver) -> None:
    receiver.sleeps = [30.0]
    job_id = ended_job(sending, receiver.url())
    with sender(sending):
        receiver.wait_for(1)
    found = callback_of(sending, job_id)
    assert found is not None
    assert [one.error for one in found.deliveries] == ["the server was stopped meanwhile"]
    with sender(sending):
        assert [one.status for one in settled(sending, job_id).deliveries] == [None, 204]


KILLED = """
import asyncio, sys
from datetime import timedelta
from freeda_svc.api.delivery import CallbackSender
from freeda_svc.settings import load_settings
sender = CallbackSender(load_settings(), look_seconds=0.02, lease=timedelta(seconds=2))
asyncio.run(sender.run())
"""


def test_a_sender_that_is_killed_loses_nothing(sending: Settings, receiver: Receiver) -> None:
    receiver.sleeps = [60.0]
    process = subprocess.Popen([sys.executable, "-c", KILLED], env=sending.as_environment())
    try:
        job_id = ended_job(sending, receiver.url())
        receiver.wait_for(1)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    with sender(sending):
        found = settled(sending, job_id)
    assert [one.outcome for one in found.deliveries] == [DeliveryOutcome.INTERRUPTED, DeliveryOutcome.DELIVERED]
    assert {one.headers["webhook-id"] for one in receiver.received} == {f"{job_id}.1"}


def test_a_server_that_is_killed_after_it_accepted_a_job_owes_its_end(sending: Settings, receiver: Receiver) -> None:
    settings = sending.model_copy(update={"api_port": free_port()})
    picture = io.BytesIO()
    Image.new("RGB", (8, 8)).save(picture, "PNG")
    with api_process(settings) as address:
        answer = httpx.post(
            f"{address}/v1/segmentations",
            files={"image": ("a.png", picture.getvalue())},
            data={"categories": "sky", "callback": receiver.url()},
            trust_env=False,
            timeout=60,
        )
        assert answer.status_code == 202, answer.text
    cancel_job(settings, answer.json()["job"])
    assert receiver.received == []
    with api_process(settings):
        (received,) = receiver.wait_for(1)
    assert received.json["data"]["job"] == answer.json()["job"]
    assert is_signed(received, callback_secret_of(settings))


def test_the_api_sends_and_shows_what_it_sent(sending: Settings, receiver: Receiver) -> None:
    receiver.answers = [503]
    application = make_application(sending)
    with TestClient(application, base_url="http://127.0.0.1:8470", raise_server_exceptions=False) as client:
        job_id = ended_job(sending, receiver.url("/hook?token=sesame"))
        receiver.wait_for(1)
        for _ in range(600):
            shown = client.get(f"/v1/jobs/{job_id}/deliveries").json()
            if shown["items"] and shown["items"][0]["outcome"] == "failed":
                break
            threading.Event().wait(0.05)
        assert (shown["host"], shown["state"]) == (f"127.0.0.1:{receiver.port}", "open")
        assert shown["next_try_at"] is not None
        assert "sesame" not in str(shown)
        (item,) = shown["items"]
        assert (item["number"], item["message_id"], item["status"]) == (1, f"{job_id}.1", 503)
        assert item["error"] == "answered with status 503"


def test_a_job_without_callback_has_no_deliveries(client: TestClient, settings: Settings) -> None:
    caption = make_caption("a cat on a mat")
    assert caption is not None
    job_id = submit_ingest(settings, [caption], source="captions.txt", dispatcher=CeleryDispatcher(settings))
    answer = client.get(f"/v1/jobs/{job_id}/deliveries")
    assert (answer.status_code, "has no callback" in answer.json()["detail"]) == (404, True)
    assert client.get("/v1/jobs/000000000000/deliveries").status_code == 404
