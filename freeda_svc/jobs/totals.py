"""What the items of a job reported, added up by the database: a job may have 100,000 of them."""

from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Select, Text, cast, func, select, true
from sqlalchemy.orm import Session

from freeda_svc.jobs.control import find_job_in
from freeda_svc.jobs.database import reading
from freeda_svc.jobs.states import ItemState
from freeda_svc.jobs.tables import WorkItem
from freeda_svc.settings import Settings


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
        found = session.execute(_sums(session, full_id)).all()
        places = _places(session, full_id, {number for _, _, number in found})
        found.sort(key=lambda row: (row[2], places[row[2]].index(row[0])))
        return {name: int(total) for name, total, _ in found}


def _sums(session: Session, job_id: str) -> "Select[Any]":
    """Return the query for the sum of each count, and the number of the first item that reported it."""
    value: ColumnElement[Any]
    if session.get_bind().dialect.name == "sqlite":
        entries = func.json_each(WorkItem.result).table_valued("key", "value", "type")
        value, is_count = entries.c.value, entries.c.type == "integer"
    else:
        entries = func.json_each(WorkItem.result).table_valued("key", "value")
        written = cast(entries.c.value, Text)
        value, is_count = cast(written, BigInteger), written.regexp_match("^-?[0-9]+$")
    return (
        select(entries.c.key, func.sum(value), func.min(WorkItem.number))
        .select_from(WorkItem)
        .join(entries, true())
        .where(WorkItem.job_id == job_id, WorkItem.state == ItemState.DONE, is_count)
        .group_by(entries.c.key)
    )


def _places(session: Session, job_id: str, numbers: set[int]) -> dict[int, list[str]]:
    """Return the names in the results of a few items, in order."""
    query = select(WorkItem.number, WorkItem.result).where(WorkItem.job_id == job_id, WorkItem.number.in_(numbers))
    return {number: list(result or ()) for number, result in session.execute(query)}
