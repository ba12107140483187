"""The tables of jobs; SQL is the truth about what was asked for and what is done."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC; SQLite keeps no time zone, so it is put back on reading."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Turn any aware moment into UTC; a naive one is refused."""
        if value is not None and value.tzinfo is None:
            raise ValueError("a moment without time zone cannot be stored")
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Return the moment with its time zone."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def now() -> datetime:
    """Return this moment in UTC."""
    return datetime.now(UTC)


Number = BigInteger().with_variant(Integer, "sqlite")
"""Of rows that may come to billions. SQLite's integers are that large anyway, and only INTEGER counts by itself."""


class Base(DeclarativeBase):
    """Base of all tables."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {datetime: UtcDateTime, dict[str, Any]: JSON}  # noqa: RUF012 - SQLAlchemy's interface


class Job(Base):
    """One request, cut into items.

    Attributes:
        id: twelve hexadecimal digits.
        kind: a ``JobKind``.
        state: a ``JobState``.
        source: where the captions or images came from, for people.
        pack: name or folder of the model pack it was asked of.
        fingerprint: of that pack.
        parameters: what holds for all items: categories and parameter overrides.
        priority: a ``Priority``; its items have the same.
        idempotency_key: the client's own name for the request, so that asking twice makes one job; None without one.
        request_digest: of what was asked under that key; empty without one.
        sent_at: when its messages had been sent; None while they may still be on their way. Few are sent in a moment,
            so that it is then when the job was accepted.
    """

    __tablename__ = "jobs"
    __table_args__ = (Index(None, "created_at"), Index(None, "state"), Index(None, "idempotency_key", unique=True))

    id: Mapped[str] = mapped_column(String(12), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    state: Mapped[str] = mapped_column(String(16))
    source: Mapped[str] = mapped_column(Text)
    pack: Mapped[str] = mapped_column(Text)
    fingerprint: Mapped[str] = mapped_column(String(64))
    parameters: Mapped[dict[str, Any]]
    priority: Mapped[int] = mapped_column(default=0, server_default="0")
    idempotency_key: Mapped[str | None] = mapped_column(String(200))
    request_digest: Mapped[str] = mapped_column(String(64), default="", server_default="")
    sent_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=now)
    updated_at: Mapped[datetime] = mapped_column(default=now, onupdate=now)


class WorkItem(Base):
    """One piece of a job, small enough to be tried again as a whole.

    Attributes:
        number: from 1 within its job.
        kind: of its job; here, too, because waiting items are looked for by it.
        priority: of its job; as above.
        state: an ``ItemState``.
        input: what this item works on.
        result: what came out; None until it is done.
        error: why it failed last, one line; empty when it did not.
        attempts: how many attempts were begun; names the current attempt.
        failures: how many of them failed or were lost since the item was last (re-)submitted.
        worker: the worker that runs it; empty when none does.
        lease_until: until when its worker may be silent, by that worker's clock; no other compares it with a time.
    """

    __tablename__ = "work_items"
    __table_args__ = (
        UniqueConstraint("job_id", "number"),
        Index(None, "job_id", "state"),
        Index(None, "state", "kind", "priority", "id"),
    )

    id: Mapped[int] = mapped_column(Number, primary_key=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    number: Mapped[int]
    kind: Mapped[str] = mapped_column(String(16), server_default="")
    priority: Mapped[int] = mapped_column(default=0, server_default="0")
    state: Mapped[str] = mapped_column(String(16))
    input: Mapped[dict[str, Any]]
    result: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    error: Mapped[str] = mapped_column(Text, default="")
    attempts: Mapped[int] = mapped_column(default=0)
    failures: Mapped[int] = mapped_column(default=0)
    worker: Mapped[str] = mapped_column(Text, default="")
    lease_until: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=now)
    updated_at: Mapped[datetime] = mapped_column(default=now, onupdate=now)


class Attempt(Base):
    """One try at an item.

    Attributes:
        number: from 1 within its item.
        worker: who made it.
        outcome: an ``AttemptOutcome``.
        error: the traceback or the reason; empty when it succeeded.
    """

    __tablename__ = "attempts"
    __table_args__ = (UniqueConstraint("item_id", "number"), Index(None, "finished_at"))

    id: Mapped[int] = mapped_column(Number, primary_key=True)
    item_id: Mapped[int] = mapped_column(Number, ForeignKey("work_items.id", ondelete="CASCADE"))
    number: Mapped[int]
    worker: Mapped[str] = mapped_column(Text)
    outcome: Mapped[str] = mapped_column(String(16))
    error: Mapped[str] = mapped_column(Text, default="")
    started_at: Mapped[datetime] = mapped_column(default=now)
    finished_at: Mapped[datetime | None]


class Event(Base):
    """Something that happened to a job, written in the transaction in which it happened.

    Attributes:
        job_id: the job.
        item_id: the item; None for what concerns the job.
        attempt: number of the attempt at the item; None for what concerns no attempt.
        kind: an ``EventKind``.
        message: for people; empty where the kind says all.
        at: when, by the clock of who did it; in the order of ``id`` within a job.
    """

    __tablename__ = "events"
    __table_args__ = (Index(None, "job_id", "id"),)

    id: Mapped[int] = mapped_column(Number, primary_key=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    item_id: Mapped[int | None] = mapped_column(Number)
    attempt: Mapped[int | None]
    kind: Mapped[str] = mapped_column(String(16))
    message: Mapped[str] = mapped_column(Text, default="")
    at: Mapped[datetime] = mapped_column(default=now)


class Callback(Base):
    """Where the end of a job is to be posted.

    Attributes:
        url: the address that the submission named.
        key_id: of the API key that it was submitted with, whose secret signs; empty without one.
        state: a ``CallbackState``.
        round: counts the ends of the job, which has several when failed items are tried again.
        tries: how many attempts were made to post this end.
        first_try_at: when the first of them began.
        next_try_at: before this nothing is tried, by the database's clock like all times here.
        lease_until: until when somebody is sending it.
    """

    __tablename__ = "callbacks"
    __table_args__ = (Index(None, "state", "next_try_at"),)

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    url: Mapped[str] = mapped_column(Text)
    key_id: Mapped[str] = mapped_column(String(8), default="")
    state: Mapped[str] = mapped_column(String(16))
    round: Mapped[int] = mapped_column(default=1)
    tries: Mapped[int] = mapped_column(default=0)
    first_try_at: Mapped[datetime | None]
    next_try_at: Mapped[datetime]
    lease_until: Mapped[datetime | None]


class Delivery(Base):
    """One attempt to post the end of a job.

    Attributes:
        number: from 1 within the job.
        round: which end of the job it was about.
        outcome: a ``DeliveryOutcome``.
        status: the HTTP status that was answered; None without an answer.
        error: why it did not succeed, one line; empty when it did.
    """

    __tablename__ = "deliveries"
    __table_args__ = (UniqueConstraint("job_id", "number"),)

    id: Mapped[int] = mapped_column(Number, primary_key=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    number: Mapped[int]
    round: Mapped[int]
    outcome: Mapped[str] = mapped_column(String(16))
    status: Mapped[int | None]
    error: Mapped[str] = mapped_column(Text, default="")
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
