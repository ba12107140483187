"""``freeda db``: the database of jobs."""

import click

from freeda_svc.cli.session import read_settings


@click.group("db")
def database() -> None:
    """Bring the database of jobs up to date.

    The embedded database is brought up to date by every command; one on a server waits for `freeda db upgrade`.
    """


@database.command()
@click.pass_context
def upgrade(context: click.Context) -> None:
    """Bring the database to the newest revision of its schema.

    \b
    Example:
      FREEDA_DATABASE_URL=postgresql+psycopg://user@host/freeda freeda db upgrade
    """
    import migrations  # noqa: PLC0415 - Alembic is needed here only

    settings = read_settings(context)
    migrations.upgrade(settings)
    click.echo(f"the database is at revision {migrations.check_current(settings)}")


@database.command()
@click.pass_context
def check(context: click.Context) -> None:
    """Say which revision the database is at.

    Fails when it is not the newest.

    \b
    Example:
      freeda db check
    """
    import migrations  # noqa: PLC0415 - as above

    click.echo(f"the database is at revision {migrations.check_current(read_settings(context))}")
