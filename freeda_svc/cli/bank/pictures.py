"""``freeda bank show``: a bank, or a prototype with what it was pooled from."""

import uuid
from pathlib import Path
from typing import Any

import click

from freeda_svc.bank.banks import split_bank_name
from freeda_svc.cli.bank.contents import row_name
from freeda_svc.cli.console import print_json, print_table
from freeda_svc.cli.options import bank_option, json_option
from freeda_svc.cli.session import read_settings
from freeda_svc.errors import InputError
from freeda_svc.settings import Settings
from freeda_svc.whole_files import placed_whole
from freeda_svc.workers import ask_bank


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
    settings = read_settings(context)
    if _is_id(what):
        prototype = ask_bank(settings, "show_prototype", bank=bank or settings.bank, identifier=what)
        _show_prototype(settings, prototype, out, opened=opened, as_json=as_json)
        return
    name, version = split_bank_name(what)
    found = [
        entry
        for entry in ask_bank(settings, "list_banks")
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
    settings: Settings, prototype: dict[str, Any], out: Path | None, *, opened: bool, as_json: bool
) -> None:
    root = settings.artifacts_folder
    pictures = {name: root / prototype[name] if prototype[name] else None for name in ("image", "mask", "attribution")}
    if as_json:
        print_json({**prototype, **{name: str(path) if path else "" for name, path in pictures.items()}})
    else:
        rows = [(name.replace("_", " "), value) for name, value in {**prototype, **pictures}.items()]
        print_table(("what", "value"), [(name, "" if value is None else str(value)) for name, value in rows])
    if out is None and not opened:
        return
    from freeda_svc.outputs import compose_prototype  # noqa: PLC0415 - other commands do without its libraries

    picture = compose_prototype(root, prototype["image"], prototype["mask"], prototype["attribution"])
    place = out or root / "shown" / f"{prototype['id']}.png"
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with placed_whole(place) as aside:
            picture.save(aside, format="PNG")
    except OSError as error:
        raise InputError(f"{place} cannot be written ({error.strerror}): give another --out") from error
    if out is not None:
        click.echo(f"wrote {place}", err=as_json)
    if opened and click.launch(str(place)) != 0:
        raise InputError(f"there is no viewer to open {place} with: open it yourself, or give --out")
