"""``freeda db``: the database of jobs."""

import click

from freeda_svc import migrations
from freeda_svc.cli.console import print_json
from freeda_svc.cli.options import outcome_option
from freeda_svc.cli.session import read_settings
from freeda_svc.errors import NotFoundError


@click.group("db")
def database() -> None:
    """Bring the database of jobs up to date.

    The embedded database is brought up to date by every command; one on a server waits for `freeda db upgrade`.
    """


@database.command()
@outcome_option
@click.pass_context
def upgrade(context: click.Context, *, as_json: bool) -> None:
    """Bring the database to the newest revision of its schema.

    \b
    Example:
      FREEDA_DATABASE_URL=postgresql+psycopg://user@host/freeda freeda db upgrade
    """
    settings = read_settings(context)
    migrations.upgrade(settings)
    _print_revision(migrations.check_current(settings), as_json=as_json)


@database.command()
@outcome_option
@click.pass_context
def check(context: click.Context, *, as_json: bool) -> None:
    """Say which revision the database is at.

    Fails when it is not the newest.

    \b
    Example:
      freeda db check
    """
    settings = read_settings(context)
    if settings.embedded_database and not settings.database_file.is_file():
        raise NotFoundError(
            f"there is no database in {settings.home} yet: the first job makes it, or freeda db upgrade"
        )
    _print_revision(migrations.check_current(settings), as_json=as_json)


def _print_revision(revision: str, *, as_json: bool) -> None:
    print_json({"revision": revision}) if as_json else click.echo(f"the database is at revision {revision}")
