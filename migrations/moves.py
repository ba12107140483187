"""Moving a database to a revision of the schema."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from freeda_svc.database_connections import (
    DURABLE,
    WRITING,
    current_revision,
    database_engine,
    database_errors,
    forget_revision,
)
from freeda_svc.errors import UnavailableError
from freeda_svc.settings import Settings, prepare_home

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0003"
"""The newest revision, the one this version works with."""


def upgrade(settings: Settings, revision: str = "head") -> None:
    """Bring the database up to a revision, in one transaction where the database can.

    Raises:
        UnavailableError: the database does not answer.
    """
    from alembic import command  # noqa: PLC0415 - takes a tenth of a second, and is seldom needed

    _move(settings, lambda configuration: command.upgrade(configuration, revision))


def downgrade(settings: Settings, revision: str) -> None:
    """Take the database down to a revision (``base`` for an empty one); what newer tables held is lost.

    Raises:
        UnavailableError: the database does not answer.
    """
    from alembic import command  # noqa: PLC0415 - as above

    _move(settings, lambda configuration: command.downgrade(configuration, revision))


def check_current(settings: Settings) -> str:
    """Return the database's revision.

    Raises:
        UnavailableError: it is not the newest, or the database does not answer.
    """
    with database_errors(settings):
        found = current_revision(database_engine(settings))
    if found != HEAD:
        raise UnavailableError(f"the database is at revision {found or 'none'}, this version needs {HEAD}")
    return found


def _move(settings: Settings, action: "Callable[[Config], None]") -> None:
    from alembic.config import Config  # noqa: PLC0415 - as above
    from alembic.util import CommandError  # noqa: PLC0415 - as above

    if settings.embedded_database:
        prepare_home(settings)
    folder = Path(__file__).parent
    configuration = Config(str(folder / "alembic.ini"))
    configuration.set_main_option("script_location", str(folder).replace("%", "%%"))
    # The write lock is taken before the revision is read, so two processes do not move at once.
    forget_revision(settings)
    engine = database_engine(settings).execution_options(**{WRITING: DURABLE})
    with database_errors(settings), engine.begin() as connection:
        configuration.attributes["connection"] = connection
        try:
            action(configuration)
        except CommandError as error:
            raise UnavailableError(
                f"the database cannot be brought to revision {HEAD} ({error}): a later version made it, use that"
            ) from error
