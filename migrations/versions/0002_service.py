"""Priorities, idempotency keys, events; waiting items found by one index; numbers for billions of rows.

No table is copied: on SQLite a copied table takes its children with it when the old one is dropped.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")
NUMBERED = (("work_items", "id"), ("attempts", "id"), ("attempts", "item_id"))
COUNTED = ("work_items", "attempts")


def upgrade() -> None:
    op.add_column("jobs", sa.Column("priority", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("jobs", sa.Column("idempotency_key", sa.String(200), nullable=True))
    op.add_column("jobs", sa.Column("request_digest", sa.String(64), nullable=False, server_default=""))
    op.add_column("jobs", sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index("ix_jobs_idempotency_key", "jobs", ["idempotency_key"], unique=True)
    op.create_index("ix_jobs_state", "jobs", ["state"])

    op.drop_index("ix_work_items_state_sent_at", "work_items")
    op.drop_column("work_items", "sent_at")
    op.add_column("work_items", sa.Column("kind", sa.String(16), nullable=False, server_default=""))
    op.add_column("work_items", sa.Column("priority", sa.Integer(), nullable=False, server_default="0"))
    op.execute("UPDATE work_items SET kind = (SELECT jobs.kind FROM jobs WHERE jobs.id = work_items.job_id)")
    op.create_index("ix_work_items_job_id_state", "work_items", ["job_id", "state"])
    op.create_index("ix_work_items_state_kind_priority_id", "work_items", ["state", "kind", "priority", "id"])
    op.create_index("ix_attempts_finished_at", "attempts", ["finished_at"])
    _change_numbers(sa.BigInteger())

    op.create_table(
        "events",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("job_id", sa.String(12), nullable=False),
        sa.Column("item_id", NUMBER, nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_events_job_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_events"),
    )
    op.create_index("ix_events_job_id_id", "events", ["job_id", "id"])


def downgrade() -> None:
    op.drop_index("ix_events_job_id_id", "events")
    op.drop_table("events")

    _change_numbers(sa.Integer())
    op.drop_index("ix_attempts_finished_at", "attempts")
    op.drop_index("ix_work_items_state_kind_priority_id", "work_items")
    op.drop_index("ix_work_items_job_id_state", "work_items")
    op.drop_column("work_items", "priority")
    op.drop_column("work_items", "kind")
    op.add_column("work_items", sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index("ix_work_items_state_sent_at", "work_items", ["state", "sent_at"])

    op.execute("UPDATE jobs SET state = 'failed' WHERE state = 'partly failed'")
    op.drop_index("ix_jobs_state", "jobs")
    op.drop_index("ix_jobs_idempotency_key", "jobs")
    for column in ("sent_at", "request_digest", "idempotency_key", "priority"):
        op.drop_column("jobs", column)


def _change_numbers(kind: "sa.BigInteger | sa.Integer") -> None:
    """Change the type of numbers and of the sequences that count them; SQLite has one type for all integers."""
    if op.get_bind().dialect.name == "sqlite":
        return
    for table, column in NUMBERED:
        op.alter_column(table, column, type_=kind)
    for table in COUNTED:
        size = "bigint" if isinstance(kind, sa.BigInteger) else "integer"
        op.execute(f"ALTER SEQUENCE {table}_id_seq AS {size}")
