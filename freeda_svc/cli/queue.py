"""``freeda queue``: waiting and running items."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import click

from freeda_svc.cli.console import duration_text, print_json, print_table
from freeda_svc.cli.options import json_option
from freeda_svc.cli.session import read_settings
from freeda_svc.cli.worker_watch import note_missing_worker
from freeda_svc.jobs import ItemState, Priority, QueueState, queue_state
from freeda_svc.jobs.tables import now

QUEUE_COLUMNS = (
    "kind",
    "waiting",
    *(priority.name.lower() for priority in reversed(Priority)),
    "oldest",
    "running",
    "done/min",
)
RUNNING_COLUMNS = ("job", "item", "what", "attempt", "for", "lease until (UTC)", "worker")


@click.command()
@json_option
@click.pass_context
def queue(context: click.Context, *, as_json: bool) -> None:
    """Show waiting and running items.

    For each kind of work: items that wait, by priority, and for how long the oldest has waited; running items, with the
    worker that has each and until when it may be silent; and how many were done a minute lately.

    \b
    Examples:
      freeda queue
      freeda queue --json
    """
    settings = read_settings(context)
    found = queue_state(settings)
    if as_json:
        print_json([queue_as_json(state) for state in found])
        return
    print_table(QUEUE_COLUMNS, queue_rows(found))
    running = running_rows(found)
    if running:
        click.echo("")
        print_table(RUNNING_COLUMNS, running)
    if any(state.items[ItemState.QUEUED] for state in found):
        note_missing_worker(settings)


def queue_as_json(state: QueueState) -> dict[str, Any]:
    """Return a queue's state as JSON can hold it, priorities by their names."""
    waiting = {priority.name.lower(): count for priority, count in state.waiting.items()}
    return {**asdict(state), "waiting": waiting}


def queue_rows(states: Sequence[QueueState]) -> list[tuple[object, ...]]:
    """Return a row for each kind of work."""
    return [_row(state) for state in states]


def running_rows(states: Sequence[QueueState]) -> list[tuple[object, ...]]:
    """Return a row for each running item."""
    moment = now()
    rows: list[tuple[object, ...]] = []
    for item in (item for state in states for item in state.running):
        spent = None if item.begun_at is None else max(0.0, (moment - item.begun_at).total_seconds())
        rows.append(
            (
                item.job_id,
                item.number,
                item.name,
                item.attempt,
                "" if spent is None else duration_text(spent),
                "" if item.lease_until is None else f"{item.lease_until:%H:%M:%S}",
                item.worker,
            )
        )
    return rows


def _row(state: QueueState) -> tuple[object, ...]:
    waiting: Mapping[Priority, int] = state.waiting
    return (
        state.kind,
        state.items[ItemState.QUEUED],
        *(waiting.get(priority, 0) for priority in reversed(Priority)),
        "" if state.oldest_seconds is None else duration_text(state.oldest_seconds),
        state.items[ItemState.RUNNING],
        f"{state.done_per_minute:.1f}",
    )
