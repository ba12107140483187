from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from freeda_svc.captions.caption import Caption
from freeda_svc.jobs import EventKind, ItemState, submit_ingest
from freeda_svc.jobs import overview as module
from freeda_svc.jobs.claims import claim_next, fail_item, finish_item
from freeda_svc.jobs.overview import overview
from freeda_svc.settings import Settings

if TYPE_CHECKING:
    from conftest import Outbox

pytestmark = pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True)
Captions = Callable[[int], list[Caption]]


def test_the_overview_of_a_new_installation_is_empty(settings: Settings) -> None:
    seen = overview(settings)
    assert (seen.jobs, dict(seen.items), seen.troubles) == ((), {}, ())


def test_open_jobs_are_counted_together_and_ended_ones_left_out(
    settings: Settings, outbox: "Outbox", captions: Captions
) -> None:
    ended = submit_ingest(settings, captions(2), source="x", dispatcher=outbox)
    claim = claim_next(settings, "worker")
    assert claim is not None
    finish_item(settings, claim, {})
    open_jobs = [submit_ingest(settings, captions(4), source="x", dispatcher=outbox) for _ in range(2)]
    claim = claim_next(settings, "worker")
    assert claim is not None
    seen = overview(settings)
    assert seen.jobs == tuple(reversed(open_jobs))
    assert ended not in seen.jobs
    assert dict(seen.items) == {ItemState.QUEUED: 3, ItemState.RUNNING: 1}


def test_the_latest_troubles_come_first(
    settings: Settings, outbox: "Outbox", captions: Captions, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = submit_ingest(settings, captions(4), source="x", dispatcher=outbox)
    for reason in ("first", "second"):
        claim = claim_next(settings, "worker")
        assert claim is not None
        fail_item(settings, claim, reason, final=True)
    troubles = overview(settings, troubles=3).troubles
    assert [(trouble.kind, trouble.message) for trouble in troubles] == [
        (EventKind.SET_ASIDE, "second"),
        (EventKind.FAILED, "second"),
        (EventKind.SET_ASIDE, "first"),
    ]
    assert {(trouble.job_id, trouble.item) for trouble in troubles[:2]} == {(job, 2)}
    monkeypatch.setattr(module, "LATEST_EVENTS", 1)
    assert overview(settings).troubles == ()  # the last event is that the job has ended
