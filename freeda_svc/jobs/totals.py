"""What the items of a job reported, added up by the database: a job may have 100,000 of them.

What is done stays done. So the sums over the items at the beginning of a job, of which none is open any more, are
remembered, and only those behind them are added up at the next look.
"""

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Text, cast, func, null, select, true, union_all
from sqlalchemy.orm import Session

from freeda_svc.jobs.control import find_job_in
from freeda_svc.jobs.database import reading
from freeda_svc.jobs.states import OPEN_ITEM_STATES, ItemState
from freeda_svc.jobs.tables import WorkItem
from freeda_svc.settings import Settings

MOST_BEHIND = 1000
"""So many items are added up again at each look before their sums are remembered."""
JOBS_REMEMBERED = 256

_remembered: "OrderedDict[tuple[str, str], _Sums]" = OrderedDict()
_lock = threading.Lock()


@dataclass(frozen=True)
class _Sums:
    """Of the first items of a job.

    Attributes:
        last: the number of the last of these items.
        done: how many of them are done.
        counts: what those reported, in the order in which items report it.
    """

    last: int = 0
    done: int = 0
    counts: dict[str, int] = field(default_factory=dict)

    def with_more(self, more: "_Sums") -> "_Sums":
        """Return the sums that include those of items behind."""
        counts = dict(self.counts)
        for name, count in more.counts.items():
            counts[name] = counts.get(name, 0) + count
        return _Sums(more.last, self.done + more.done, counts)


def result_totals(settings: Settings, job_id: str) -> dict[str, int]:
    """Add up the counts that the done items of a job reported, such as ``prototypes`` and ``images``.

    Args:
        settings: the installation.
        job_id: the job's id, or the beginning of it.

    Returns:
        The sums, in the order in which items report them.

    Raises:
        NotFoundError: there is no such job.
    """
    with reading(settings) as session:
        full_id = find_job_in(session, job_id)
        key = (settings.database_url or str(settings.database_file), full_id)
        first = _remembered.get(key, _Sums())
        behind, done = _sums(session, full_id, first.last)
        if done != first.done + behind.done:  # some of the first were tried again
            first = _Sums()
            behind, _ = _sums(session, full_id, 0)
        if behind.done > MOST_BEHIND:
            still_open = WorkItem.job_id == full_id, WorkItem.state.in_(OPEN_ITEM_STATES)
            end = session.execute(select(func.min(WorkItem.number)).where(*still_open)).scalar()
            ended, _ = _sums(session, full_id, first.last, None if end is None else end - 1)
            _remember(key, first.with_more(ended))
        return first.with_more(behind).counts


def _remember(key: tuple[str, str], sums: _Sums) -> None:
    with _lock:
        _remembered[key] = sums
        _remembered.move_to_end(key)
        while len(_remembered) > JOBS_REMEMBERED:
            _remembered.popitem(last=False)


def _sums(session: Session, job_id: str, after: int, last: int | None = None) -> tuple[_Sums, int]:
    """Add up what the items behind one reported, as far as a last one, and count all that are done, at one moment."""
    value: ColumnElement[Any]
    if session.get_bind().dialect.name == "sqlite":
        entries = func.json_each(WorkItem.result).table_valued("key", "value", "type")
        value, is_count = entries.c.value, entries.c.type == "integer"
    else:
        entries = func.json_each(WorkItem.result).table_valued("key", "value")
        written = cast(entries.c.value, Text)
        value, is_count = cast(written, BigInteger), written.regexp_match("^-?[0-9]+$")
    done = WorkItem.job_id == job_id, WorkItem.state == ItemState.DONE
    wanted = [*done, WorkItem.number > after]
    if last is not None:
        wanted.append(WorkItem.number <= last)
    in_all = select(func.count()).select_from(WorkItem).where(*done).scalar_subquery()
    items = select(null(), func.count(), func.max(WorkItem.number), in_all).where(*wanted)
    counts = (
        select(cast(entries.c.key, Text), cast(func.sum(value), BigInteger), func.min(WorkItem.number), null())
        .select_from(WorkItem)
        .join(entries, true())
        .where(*wanted, is_count)
        .group_by(entries.c.key)
    )
    rows: list[tuple[str | None, int, int, int]] = [tuple(row) for row in session.execute(union_all(items, counts))]
    ((_, count, highest, all_done),) = (row for row in rows if row[0] is None)
    found = [(name, total, number) for name, total, number, _ in rows if name is not None]
    places = _places(session, job_id, {number for *_, number in found})
    found.sort(key=lambda row: (row[2], places[row[2]].index(row[0])))
    sums = {name: total for name, total, _ in found}
    return _Sums((highest or after) if last is None else last, count, sums), all_done


def _places(session: Session, job_id: str, numbers: set[int]) -> dict[int, list[str]]:
    """Return the names in the results of a few items, in order."""
    query = select(WorkItem.number, WorkItem.result).where(WorkItem.job_id == job_id, WorkItem.number.in_(numbers))
    return {number: list(result or ()) for number, result in session.execute(query)}
