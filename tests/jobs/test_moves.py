"""Moves of banks as jobs, without anybody who does them."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from freeda_svc.errors import NotFoundError
from freeda_svc.jobs import JobKind, Move, cancel_job, job_items, job_summary, move_outcome, submit_move
from freeda_svc.jobs.claims import CANCELLED, claim_next, finish_item, hand_back_item, is_cancelled, note_progress
from freeda_svc.jobs.moves import read_move
from freeda_svc.settings import Settings
from tests.jobs.conftest import Outbox

EXPORT = Move(JobKind.EXPORT, "boats@1", {"folder": "/a"})


@pytest.fixture
def submit(settings: Settings, outbox: Outbox) -> Callable[[Move], str]:
    def accept(move: Move) -> str:
        return submit_move(settings, move, pack="the pack", prototypes=10, dispatcher=outbox)

    return accept


def test_a_move_is_one_item_that_says_what_is_moved(settings: Settings, submit: Callable[[Move], str]) -> None:
    moves = [
        replace(EXPORT, pictures=False),
        Move(JobKind.IMPORT, "boats@2", {"archive": "/a"}),
        Move(JobKind.IMPORT, "boats@3", {"index": "/i", "prototypes": "/p"}),
    ]
    jobs = [submit(move) for move in moves]
    assert [job_summary(settings, job).source for job in jobs] == [
        "boats@1 to /a",
        "/a to boats@2",
        "/i and /p to boats@3",
    ]
    claims = [claim_next(settings, f"worker {number}") for number in range(3)]
    assert [read_move(claim.kind, claim.input) for claim in claims if claim is not None] == moves
    assert [item.name for item in job_items(settings, jobs[0])] == ["boats@1 to /a"]


def test_what_is_open_is_not_accepted_twice(settings: Settings, submit: Callable[[Move], str]) -> None:
    job = submit(EXPORT)
    assert submit(EXPORT) == job
    others = {submit(replace(EXPORT, **change)) for change in ({"bank": "boats@2"}, {"pictures": False})}
    assert job not in others
    claim = claim_next(settings, "worker")
    assert claim is not None
    assert submit(EXPORT) == job
    finish_item(settings, claim, {"prototypes": 10})
    assert submit(EXPORT) != job


def test_a_move_counts_prototypes(settings: Settings, submit: Callable[[Move], str]) -> None:
    job = submit(EXPORT)

    def counts() -> tuple[int, int, str]:
        units = job_summary(settings, job).progress.units
        return units.done, units.total, units.name

    assert counts() == (0, 10, "prototypes")
    claim = claim_next(settings, "worker")
    assert claim is not None
    note_progress(settings, claim, 4)
    assert counts() == (4, 10, "prototypes")
    with pytest.raises(NotFoundError, match="is not done"):
        move_outcome(settings, job)
    finish_item(settings, claim, {"prototypes": 10, "start": "new"})
    assert counts() == (10, 10, "prototypes")
    assert move_outcome(settings, job) == {"prototypes": 10, "start": "new"}


def test_a_running_move_can_be_cancelled(settings: Settings, submit: Callable[[Move], str]) -> None:
    job = submit(EXPORT)
    claim = claim_next(settings, "worker")
    assert claim is not None
    assert not is_cancelled(settings, claim)
    assert cancel_job(settings, job) == 1
    assert is_cancelled(settings, claim)
    assert not hand_back_item(settings, claim, CANCELLED)
    [item] = job_items(settings, job)
    assert (item.state, item.attempts) == ("cancelled", 1)
    assert claim_next(settings, "worker") is None
