"""Accepting a job: it and all its items are written in one transaction, then their messages are sent.

A client that does not know whether it was heard may ask again under the same idempotency key, and gets the same job.
"""

import hashlib
import json
import os
import secrets
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any, cast

from sqlalchemy import Table, bindparam, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from freeda_svc.batching import batched
from freeda_svc.counts import counted
from freeda_svc.errors import InputError, UnavailableError
from freeda_svc.jobs.database import reading, writing
from freeda_svc.jobs.dispatch import MOST_MISSING, Dispatcher, send_job
from freeda_svc.jobs.states import EventKind, ItemState, JobKind, JobState, Priority
from freeda_svc.jobs.tables import Job, WorkItem, now
from freeda_svc.jobs.transitions import record_event
from freeda_svc.settings import Settings, prepare_home

_jobs, _items = cast("Table", Job.__table__), cast("Table", WorkItem.__table__)
_INSERT_JOB, _INSERT_ITEM = insert(_jobs), insert(_items)
_FIRST_ITEMS = (
    select(_items.c.id).where(_items.c.job_id == bindparam("the_job")).order_by(_items.c.number).limit(MOST_MISSING)
)
_begun: dict[str, bool] = {}  # ids of the jobs that this process writes or wrote; True for those that are accepted

ROWS_AT_ONCE = 1000
FEW_ITEMS = 100
"""The messages of so few items are on their way for a moment only: that they were sent is not noted afterwards."""
LONGEST_KEY = 200


def jobs_of_this_process() -> dict[str, bool]:
    """Return the ids of the jobs that were written here, oldest first; False where that is not known.

    An interrupted command can report them.
    """
    return dict(_begun)


def forget_jobs_of_this_process() -> None:
    """Begin a new command."""
    _begun.clear()


def note_job_of_this_process(job_id: str) -> str:
    """Note the id of a job that a server has accepted; return it."""
    _begun[job_id] = True
    return job_id


def new_job(
    settings: Settings,
    fingerprint: str,
    kind: JobKind,
    *,
    source: str,
    parameters: dict[str, Any],
    priority: Priority,
) -> Job:
    """Make a job that is not accepted yet; the fingerprint is that of the pack it is about."""
    return Job(
        id=secrets.token_hex(6),
        kind=kind,
        state=JobState.QUEUED,
        source=os.fsencode(source).decode("utf-8", "backslashreplace"),  # names of files need not be UTF-8
        pack=settings.pack,
        fingerprint=fingerprint,
        parameters=parameters,
        priority=int(priority),
    )


def check_key(key: str) -> str:
    """Return an idempotency key as it is kept; empty means none.

    Raises:
        InputError: it is too long, or not of printable characters.
    """
    if len(key) > LONGEST_KEY or not key.isprintable():
        raise InputError(f"an idempotency key is up to {LONGEST_KEY} printable characters, such as a UUID")
    return key.strip()


def request_digest(asked: Mapping[str, Any], parts: Iterable[Any]) -> str:
    """Return the digest of a request: equal when the same is asked for.

    Args:
        asked: what holds for all items, as the client said it: a bank's name, not the version that is current now.
        parts: what the items are made of, read once, in order; only plain values.
    """
    digest = hashlib.sha256(_line(asked))
    for part in parts:
        digest.update(_line(part))
    return digest.hexdigest()


def accept_job(
    settings: Settings,
    dispatcher: Dispatcher,
    job: Job,
    inputs: Iterable[dict[str, Any]],
    *,
    key: str = "",
    digest: str = "",
) -> str:
    """Write a job with its items, and send their messages.

    Args:
        settings: the installation.
        dispatcher: takes the messages.
        job: a new one.
        inputs: of its items, in order; read once.
        key: an idempotency key that was checked; empty for none.
        digest: of the request that is made under the key.

    Returns:
        The job's id, or that of the job which the same request made before.

    Raises:
        InputError: another request was made under the key.
        UnavailableError: database, home or message queue do not answer; nothing was accepted, or else the message says
            that this is not known.
    """
    if key and (earlier := _job_with_key(settings, key, digest)) is not None:
        return earlier
    prepare_home(settings)
    dispatcher.check()
    job.idempotency_key = key or None
    job.request_digest = digest
    try:
        item_ids = _write(settings, job, inputs)
    except IntegrityError:  # another client has just used the key
        _begun.pop(job.id, None)
        earlier = _job_with_key(settings, key, digest) if key else None
        if earlier is None:
            raise
        return earlier
    except KeyboardInterrupt:
        _was_written(settings, job.id)
        raise
    except UnavailableError as error:
        was_written = _was_written(settings, job.id)
        if was_written is None:
            advice = f"whether job {job.id} was accepted is not known: `freeda jobs show {job.id}` shows it"
            raise UnavailableError(f"{error}; {advice}") from error
        if not was_written:
            raise
        with reading(settings) as session:
            item_ids = _first_items(session, job.id)
    _begun[job.id] = True
    send_job(settings, dispatcher, job.id, JobKind(job.kind), item_ids, is_noted=len(item_ids) <= FEW_ITEMS)
    return job.id


def _write(settings: Settings, job: Job, inputs: Iterable[dict[str, Any]]) -> Sequence[int]:
    """Write a job and its items; return the ids of as many of these as get messages now."""
    parts = iter(batched(enumerate(inputs, start=1), ROWS_AT_ONCE))
    first = next(parts, ())
    if len(first) <= FEW_ITEMS:
        job.sent_at = now()
    columns = {column.key: getattr(job, column.key) for column in _jobs.columns}
    with writing(settings) as session:
        session.execute(_INSERT_JOB, {name: value for name, value in columns.items() if value is not None})
        shared = {"job_id": job.id, "kind": job.kind, "priority": job.priority, "state": ItemState.QUEUED}
        count = 0
        for part in chain([first] if first else (), parts):
            session.execute(_INSERT_ITEM, [{**shared, "number": number, "input": given} for number, given in part])
            count += len(part)
        record_event(session, job.id, EventKind.SUBMITTED, f"{counted(count, 'item')} from {job.source}")
        item_ids = _first_items(session, job.id)
        _begun[job.id] = False  # from here on only the database knows
    return item_ids


def _first_items(session: Session, job_id: str) -> Sequence[int]:
    return session.execute(_FIRST_ITEMS, {"the_job": job_id}).scalars().all()


def _was_written(settings: Settings, job_id: str) -> bool | None:
    """Find out whether a job was accepted whose writing was cut off at its end; None when it cannot be known."""
    if job_id not in _begun:
        return False
    try:
        with reading(settings) as session:
            _begun[job_id] = session.get(Job, job_id) is not None
    except UnavailableError:
        return None
    if not _begun[job_id]:
        del _begun[job_id]
        return False
    return True


def _job_with_key(settings: Settings, key: str, digest: str) -> str | None:
    with reading(settings) as session:
        found = session.execute(select(Job.id, Job.request_digest).where(Job.idempotency_key == key)).first()
    if found is None:
        return None
    job_id, earlier = found
    if earlier != digest:
        raise InputError(
            f"the idempotency key {key!r} was used for another request, job {job_id}: "
            "give a new request a key of its own, or repeat the same one unchanged"
        )
    return str(job_id)


def _line(value: Any) -> bytes:  # noqa: ANN401 - anything that JSON can hold
    return json.dumps(value, sort_keys=True, ensure_ascii=True).encode() + b"\n"
