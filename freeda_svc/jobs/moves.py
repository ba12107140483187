"""Moving a bank as a job: one item for the worker that has it open, which continues where it stopped when run again."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from freeda_svc.errors import NotFoundError
from freeda_svc.jobs.acceptance import accept_job, new_job
from freeda_svc.jobs.banks import BANK
from freeda_svc.jobs.control import find_job
from freeda_svc.jobs.database import reading
from freeda_svc.jobs.dispatch import Dispatcher
from freeda_svc.jobs.states import OPEN_ITEM_STATES, ItemState, JobKind, Priority
from freeda_svc.jobs.tables import WorkItem
from freeda_svc.settings import Settings

PROTOTYPES = "prototypes"
"""The parameter of a job that says how many there are to be moved."""


@dataclass(frozen=True)
class Move:
    """A bank that is to be exported or imported.

    Attributes:
        kind: one of `MOVES`.
        bank: name and version.
        paths: absolute: ``folder`` of an export; ``archive``, or ``index`` and ``prototypes``, of an import.
        pictures: whether an export takes thumbnails along.
    """

    kind: JobKind
    bank: str
    paths: Mapping[str, str]
    pictures: bool = True

    @property
    def description(self) -> str:
        """What it does, in a line."""
        paths = " and ".join(self.paths.values())
        return f"{self.bank} to {paths}" if self.kind is JobKind.EXPORT else f"{paths} to {self.bank}"


def submit_move(
    settings: Settings,
    move: Move,
    *,
    pack: str,
    prototypes: int,
    dispatcher: Dispatcher,
    priority: Priority = Priority.NORMAL,
) -> str:
    """Accept a move whose bank and paths the worker has looked at.

    Args:
        settings: the installation.
        move: what is to be done.
        pack: fingerprint of the bank's pack.
        prototypes: how many there are to be moved.
        dispatcher: takes the message.
        priority: of waiting items those of a higher priority begin first.

    Returns:
        The job's id; that of a job that is not done yet and does the same, where there is one.

    Raises:
        UnavailableError: database, home or message queue do not answer; nothing was accepted.
    """
    given = {"bank": move.bank, "paths": dict(move.paths), "pictures": move.pictures, "name": move.description}
    with reading(settings) as session:
        query = select(WorkItem).where(WorkItem.kind == move.kind, WorkItem.state.in_(OPEN_ITEM_STATES))
        same = [item.job_id for item in session.scalars(query.order_by(WorkItem.id)) if item.input == given]
    if same:
        return same[0]
    parameters = {BANK: move.bank, PROTOTYPES: prototypes}
    job = new_job(settings, pack, move.kind, source=move.description, parameters=parameters, priority=priority)
    return accept_job(settings, dispatcher, job, [given])


def read_move(kind: JobKind, given: Mapping[str, Any]) -> Move:
    """Read what an item is to move."""
    return Move(kind, given["bank"], given["paths"], given["pictures"])


def move_outcome(settings: Settings, job_id: str) -> dict[str, Any]:
    """What a move that is done reported.

    Raises:
        NotFoundError: there is no such job, or it is not done.
    """
    full_id = find_job(settings, job_id)
    done = select(WorkItem).where(WorkItem.job_id == full_id, WorkItem.state == ItemState.DONE)
    with reading(settings) as session:
        item = session.scalars(done).first()
    if item is None:
        raise NotFoundError(f"job {full_id} is not done; `freeda jobs show {full_id}` shows how far it is")
    return item.result or {}
