"""The history of the database's schema, and moving a database along it."""

from freeda_svc.migrations.moves import HEAD, check_current, downgrade, upgrade

__all__ = ["HEAD", "check_current", "downgrade", "upgrade"]
