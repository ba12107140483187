"""Events that several write at once on a PostgreSQL server, where numbers and commits come in different orders."""

import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select, update

from freeda_svc.captions.caption import Caption
from freeda_svc.jobs import EventKind, job_events, submit_ingest
from freeda_svc.jobs import events as events_module
from freeda_svc.jobs.database import reading, writing
from freeda_svc.jobs.tables import Event, Job
from freeda_svc.jobs.transitions import record_event
from freeda_svc.settings import Settings

if TYPE_CHECKING:
    from conftest import Outbox

pytestmark = pytest.mark.parametrize("database", ["postgresql"], indirect=True)
WRITERS, EVENTS_EACH = 4, 25


@pytest.fixture
def job_id(settings: Settings, outbox: "Outbox", captions: Callable[[int], list[Caption]]) -> str:
    return submit_ingest(settings, captions(2), source="two.txt", dispatcher=outbox)


def _record(settings: Settings, job_id: str, message: str) -> None:
    with writing(settings) as session:
        record_event(session, job_id, EventKind.BEGUN, message)


def _messages(settings: Settings, job_id: str, after: int) -> list[str]:
    return [event.message for event in job_events(settings, job_id, after=after)]


def test_an_event_waits_for_one_with_a_lower_number(settings: Settings, job_id: str) -> None:
    (submitted,) = job_events(settings, job_id)
    with writing(settings) as session:
        record_event(session, job_id, EventKind.BEGUN, "first")
        _record(settings, job_id, "second")
        assert _messages(settings, job_id, after=submitted.id) == []
        complete = job_events(settings, job_id, after=submitted.id, has_ended=True)
        assert [event.message for event in complete] == ["second"]  # whoever says so knows that nothing is open
    assert _messages(settings, job_id, after=submitted.id) == ["first", "second"]


def test_nobody_waits_for_those_who_write_something_else(settings: Settings, job_id: str) -> None:
    with writing(settings) as session, reading(settings) as other:
        session.execute(update(Job).values(priority=7))
        other.execute(select(Event.id)).all()
        assert _messages(settings, job_id, after=0) == ["1 item from two.txt"]


def test_nobody_waits_for_a_transaction_that_is_open_for_long(
    settings: Settings, job_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events_module, "OLDEST_WRITER_SECONDS", 0)
    with writing(settings) as session:
        record_event(session, job_id, EventKind.BEGUN, "never ends")
        _record(settings, job_id, "second")
        assert _messages(settings, job_id, after=1) == ["second"]


def test_a_follower_misses_no_event_while_several_write(settings: Settings, job_id: str) -> None:
    def write(number: int) -> None:
        pause = random.Random(number)
        for count in range(EVENTS_EACH):
            with writing(settings) as session:
                record_event(session, job_id, EventKind.BEGUN, f"{number} {count}")
                time.sleep(pause.uniform(0, 0.01))

    followed: list[int] = []
    has_ended = threading.Event()

    def follow() -> None:
        while True:
            is_last = has_ended.is_set()
            followed.extend(event.id for event in job_events(settings, job_id, after=max(followed, default=0)))
            if is_last:
                return

    with ThreadPoolExecutor(WRITERS + 1) as threads:
        following = threads.submit(follow)
        for ended in [threads.submit(write, number) for number in range(WRITERS)]:
            ended.result()
        has_ended.set()
        following.result()
    everything = [event.id for event in job_events(settings, job_id)]
    assert len(everything) == 1 + WRITERS * EVENTS_EACH
    assert followed == everything
