"""``freeda init`` and ``freeda config``: the settings file, and where each setting's value came from."""

import json
import os
import textwrap
from dataclasses import asdict
from pathlib import Path

import click

from freeda_svc.cli.console import print_json, print_table
from freeda_svc.cli.options import json_option, outcome_option
from freeda_svc.cli.session import given_options, read_settings
from freeda_svc.cli.setting_sources import explanations, named_home, setting_values
from freeda_svc.errors import InputError, UnavailableError
from freeda_svc.private_folders import make_private_folder
from freeda_svc.settings import ENVIRONMENT_PREFIX, TOML_NAME, Settings
from freeda_svc.whole_files import placed_whole

_WIDTH = 100
_HEAD = f"""\
Settings of freeda for this home. Each line below shows a default; take its # away to change the value.
Options of a command win over the environment ({ENVIRONMENT_PREFIX}PACK, ...), that over this file.
`freeda config` shows what holds and why, `freeda doctor` whether it works.
"""


@click.command()
@click.option("--force", is_flag=True, help="Replace a settings file that is there.")
@outcome_option
@click.pass_context
def init(context: click.Context, *, force: bool, as_json: bool) -> None:
    """Write a commented settings file.

    freeda.toml in the home gets every setting with its default, all commented out: until you change one nothing
    differs. Nothing is asked, and freeda works without the file, too.

    \b
    Examples:
      freeda init
      freeda --home ./work init --force
    """
    path = named_home(given_options(context)) / TOML_NAME
    if path.exists() and not force:
        raise InputError(f"{path} is there already: change it, or replace it with --force")
    _write_for_owner(path, settings_file())
    if as_json:
        print_json({"file": str(path)})
        return
    click.echo(f"{path} is written: change what you like; `freeda config` shows what holds, `freeda doctor` checks it.")


@click.command()
@json_option
@click.pass_context
def config(context: click.Context, *, as_json: bool) -> None:
    """Show every setting and where its value came from.

    That is a default, the file freeda.toml of the home, the environment or an option. Passwords and keys are hidden.

    \b
    Examples:
      freeda config
      FREEDA_PACK=freeda-vit-b freeda config --json
    """
    options = given_options(context)
    settings = read_settings(context, anywhere=True)
    values = setting_values(settings, options)
    if as_json:
        print_json([asdict(value) for value in values])
        return
    rows = [(value.name, str(value.value), value.source, value.place) for value in values]
    print_table(("setting", "value", "from", "given by"), rows)


def settings_file() -> str:
    """Return a settings file in which every setting stands with its default, commented out."""
    lines = [f"# {line}" for line in _HEAD.splitlines()]
    texts = explanations()
    for name, field in Settings.model_fields.items():
        if name != "home":  # the file lies in it
            lines += ["", *textwrap.wrap(f"{name}: {texts[name]}", _WIDTH, initial_indent="# ", subsequent_indent="# ")]
            lines += [f"# {name} = {json.dumps(field.default)}"]  # JSON's texts and numbers are valid TOML
    return "\n".join(lines) + "\n"


def _write_for_owner(path: Path, text: str) -> None:
    """Put a file in place that only its owner can read, since it may come to hold keys and passwords."""
    try:
        make_private_folder(path.parent)
        with placed_whole(path) as aside:
            descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
    except OSError as error:
        raise UnavailableError(
            f"the home {path.parent} cannot be written: {error.strerror}; set FREEDA_HOME to a folder that can"
        ) from error
