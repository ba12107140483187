"""``freeda bank show``: a bank, or a prototype with what it was pooled from."""

import uuid
from pathlib import Path

import click

from freeda_svc.bank.banks import split_bank_name
from freeda_svc.cli.backends import Backend, open_backend
from freeda_svc.cli.bank.contents import row_name
from freeda_svc.cli.console import print_json, print_table
from freeda_svc.cli.options import bank_option, json_option
from freeda_svc.errors import InputError
from freeda_svc.whole_files import write_whole


@click.command()
@click.argument("what", metavar="NAME|ID")
@bank_option
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write a prototype's picture, as PNG.")
@click.option("--open", "opened", is_flag=True, help="Open a prototype's picture in a viewer.")
@json_option
@click.pass_context
def show(context: click.Context, what: str, bank: str, out: Path | None, *, opened: bool, as_json: bool) -> None:
    """Show a bank's versions, or a prototype with its picture and mask.

    A prototype's picture has the image it was pooled from, its weak mask and the attribution. `freeda bank search`
    prints ids.

    \b
    Examples:
      freeda bank show animals
      freeda bank show 01b2c7d4-5e6f-5a7b-8c9d-0e1f2a3b4c5d --out boat.png
    """
    backend = open_backend(context)
    if _is_id(what):
        _show_prototype(backend, bank, what, out, opened=opened, as_json=as_json)
        return
    name, version = split_bank_name(what)
    found = [
        entry
        for entry in backend.list_banks()
        if entry["bank"].startswith(f"{name}@") and version in {None, int(entry["bank"].partition("@")[2])}
    ]
    if not found:
        raise InputError(f"{what!r} is neither a bank nor the id of a prototype: see `freeda bank list` and search")
    if as_json:
        print_json(found)
        return
    for entry in found:
        print_table(("what", "value"), [(row_name(key), value) for key, value in entry.items()])


def _is_id(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True


def _show_prototype(
    backend: Backend, bank: str, identifier: str, out: Path | None, *, opened: bool, as_json: bool
) -> None:
    prototype = backend.show_prototype(bank, identifier)
    if as_json:
        print_json(prototype)
    else:
        print_table(
            ("what", "value"),
            [(name.replace("_", " "), "" if value is None else str(value)) for name, value in prototype.items()],
        )
    if out is None and not opened:
        return
    picture = backend.prototype_picture(bank, identifier)
    place = out or backend.shown_folder() / f"{prototype['id']}.png"
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        write_whole(place, picture)
    except OSError as error:
        raise InputError(f"{place} cannot be written ({error.strerror}): give another --out") from error
    if out is not None:
        click.echo(f"wrote {place}", err=as_json)
    if opened and click.launch(str(place)) != 0:
        raise InputError(f"there is no viewer to open {place} with: open it yourself, or give --out")
