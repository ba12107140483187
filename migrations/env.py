"""What Alembic runs to move a database; ``freeda_svc.migrations.moves`` gives it the connection."""

from alembic import context

from freeda_svc.jobs.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,  # SQLite changes a table by copying it
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
