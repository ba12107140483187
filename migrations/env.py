"""What Alembic runs to move a database; ``freeda_svc.migrations.moves`` gives it the connection.

Revisions name their tables themselves: a revision of today must not change with the tables of tomorrow.
"""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    render_as_batch=True,  # SQLite changes a table by copying it
)
with context.begin_transaction():
    context.run_migrations()
