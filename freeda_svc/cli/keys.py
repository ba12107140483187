"""``freeda keys``: who may use the HTTP API."""

from datetime import datetime, timedelta

import click

from freeda_svc.cli.console import print_json, print_table
from freeda_svc.cli.options import json_option, outcome_option, read_age
from freeda_svc.cli.session import read_settings
from freeda_svc.errors import InputError
from freeda_svc.jobs import KeySummary, Scope, callback_secret_of, create_key, find_key, list_keys, revoke_key


@click.group()
def keys() -> None:
    """Create, list and revoke keys of the HTTP API.

    Requests need a key as soon as the API answers at another address than a loopback one. What is stored of a key
    opens nothing.
    """


@keys.command()
@click.argument("name", metavar="NAME")
@click.option(
    "--scope",
    type=click.Choice([scope.value for scope in Scope], case_sensitive=False),
    required=True,
    help="What the key allows: read jobs, results and banks; also submit, cancel and retry; also administer banks.",
)
@click.option("--expires", metavar="AGE", callback=read_age, help="Refused after such a time, as in 90d or 12h.")
@outcome_option
@click.pass_context
def create(context: click.Context, name: str, scope: str, expires: timedelta | None, *, as_json: bool) -> None:
    """Create a key and print it.

    It is printed this once only. Give it as `Authorization: Bearer KEY`, or as the password where a program asks for
    user and password.

    \b
    Examples:
      freeda keys create label-studio --scope submit
      freeda keys create ci --scope read --expires 90d --json
    """
    summary, key = create_key(read_settings(context), name, Scope(scope), expires)
    if as_json:
        print_json({**summary.as_json(), "key": key})
        return
    click.echo(key)
    until = "until it is revoked" if summary.expires_at is None else f"until {_moment(summary.expires_at)}"
    click.echo(f"The key {name!r} allows to {scope} {until}. Keep it: it is not shown again.", err=True)


@keys.command("list")
@json_option
@click.pass_context
def list_all(context: click.Context, *, as_json: bool) -> None:
    """List all keys, also expired and revoked ones.

    The last use is noted every ten minutes.

    \b
    Example:
      freeda keys list
    """
    found = list_keys(read_settings(context))
    if as_json:
        print_json([key.as_json() for key in found])
        return
    if not found:
        click.echo("There are no keys; `freeda keys create NAME --scope submit` makes one.", err=True)
        return
    columns = ("id", "name", "scope", "state", "created", "expires", "last used")
    print_table(columns, [_row(key) for key in found])


@keys.command()
@click.argument("name", metavar="NAME")
@outcome_option
@click.pass_context
def revoke(context: click.Context, name: str, *, as_json: bool) -> None:
    """Revoke a key, named by its name or id; it is refused from then on.

    \b
    Example:
      freeda keys revoke label-studio
    """
    revoked = revoke_key(read_settings(context), name)
    if as_json:
        print_json(revoked.as_json())
        return
    click.echo(f"the key {revoked.name!r} is revoked")


@keys.command("callback-secret")
@click.argument("name", metavar="[NAME]", default="")
@outcome_option
@click.pass_context
def callback_secret(context: click.Context, name: str, *, as_json: bool) -> None:
    """Print the secret that signs the callbacks of a key.

    NAME is the key's name or id. Without it, the secret is that of jobs that were submitted without a key. Whoever
    receives callbacks checks their signatures with it, as the Standard Webhooks specification says. It changes with
    the setting callback_secret.

    \b
    Example:
      freeda keys callback-secret label-studio
    """
    settings = read_settings(context)
    if not settings.callback_secret:
        raise InputError("callback_secret is not set: set it to a long random text, then callbacks can be signed")
    found = find_key(settings, name) if name else None
    secret = callback_secret_of(settings, found.id if found is not None else "")
    print_json({"key": found and found.id, "secret": secret}) if as_json else click.echo(secret)


def _row(key: KeySummary) -> tuple[object, ...]:
    expires = "never" if key.expires_at is None else _moment(key.expires_at)
    used = "never" if key.used_at is None else _moment(key.used_at)
    return key.id, key.name, key.scope.value, key.state.value, _moment(key.created_at), expires, used


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
