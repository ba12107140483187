"""Whose turn it is between items."""

from freeda_svc.jobs import JobKind
from freeda_svc.workers.turns import TURN_SECONDS, Turns

KINDS = [JobKind.SEGMENT, JobKind.EXPORT, JobKind.EXEMPLARS, JobKind.INGEST]
OTHERS_FIRST = [JobKind.EXPORT, JobKind.EXEMPLARS, JobKind.INGEST, JobKind.SEGMENT]


def test_images_go_first_until_they_have_had_their_time() -> None:
    turns = Turns()
    for _ in range(3):
        assert turns.order(KINDS) == KINDS
        turns.note(JobKind.SEGMENT, TURN_SECONDS / 3)
    assert turns.order(KINDS) == OTHERS_FIRST
    turns.note(JobKind.INGEST, 1000.0)
    assert turns.order(KINDS) == KINDS


def test_where_nothing_else_waits_images_have_their_time_anew() -> None:
    turns = Turns()
    turns.note(JobKind.SEGMENT, 2 * TURN_SECONDS)
    assert turns.order(KINDS) == OTHERS_FIRST
    turns.note(JobKind.SEGMENT, TURN_SECONDS / 2)
    assert turns.order(KINDS) == KINDS
    turns.note(JobKind.SEGMENT, TURN_SECONDS / 2)
    assert turns.order(KINDS) == OTHERS_FIRST


def test_time_in_which_nothing_waited_counts_for_nobody() -> None:
    turns = Turns()
    turns.note(JobKind.SEGMENT, 0.9 * TURN_SECONDS)
    turns.note(None, 1.0)
    turns.note(JobKind.SEGMENT, 0.9 * TURN_SECONDS)
    assert turns.order(KINDS) == KINDS
