"""``freeda packs``: the model packs, their parts, and fetching them."""

from collections.abc import Iterator
from typing import Any

import click

from freeda_svc.cli.completion import complete_packs
from freeda_svc.cli.console import print_json, print_table, track
from freeda_svc.cli.options import json_option, outcome_option, quiet_option
from freeda_svc.cli.session import read_settings
from freeda_svc.counts import counted
from freeda_svc.packs import (
    describe_pack,
    describe_pack_shortly,
    find_pack,
    is_recipe,
    pack_names,
    read_pack_parameters,
    read_recipe,
)

_MEGABYTE = 1 << 20

pack_argument = click.argument("name", shell_complete=complete_packs)


@click.group()
def packs() -> None:
    """List, fetch and verify model packs: three models with their settings."""


@packs.command("list")
@json_option
@click.pass_context
def list_packs(context: click.Context, *, as_json: bool) -> None:
    """List the packs there are, and which of them are here.

    KIND says which are the paper's, which are free for commercial use in every part, and which are fast (ten steps an
    image at most). GPU GB is the memory of a GPU that generating and segmenting need, estimated.

    \b
    Example:
      freeda packs list
    """
    folder = read_settings(context, anywhere=True).packs_folder
    answer = [describe_pack_shortly(name, folder) for name in pack_names(folder)]
    if as_json:
        print_json(answer)
        return
    rows = [
        (
            entry["name"],
            entry["state"],
            ", ".join(entry["kinds"]),
            entry["megabytes"],
            _memory(entry),
            entry["description"],
        )
        for entry in answer
    ]
    print_table(("pack", "state", "kind", "MB", "GPU GB", "description"), rows)


@packs.command()
@pack_argument
@json_option
@click.pass_context
def show(context: click.Context, name: str, *, as_json: bool) -> None:
    """Show a pack's models, licences and settings; NAME may be a path.

    \b
    Example:
      freeda packs show freeda-vit-l
    """
    folder = read_settings(context, anywhere=True).packs_folder
    answer = describe_pack(name, folder)
    if as_json:
        print_json(answer)
        return
    head = ("name", "version", "description", "state", "folder", "fingerprint", "encoders")
    rows = [(key, answer[key]) for key in head]
    rows += [("kind", ", ".join(answer["kinds"])), ("GPU memory", _memory_in_words(answer))]
    print_table(("what", "value"), rows)
    click.echo()
    columns = ("description", "licence", "commercial_use", "repository", "revision", "origin")
    for part, stated in answer["sources"].items():
        source = dict(stated)
        if source["repository"] and not source["revision"]:
            source["revision"] = "not pinned: the main branch when it is fetched"
        print_table((part, ""), [(key.replace("_", " "), source[key]) for key in columns if source.get(key)])
        click.echo()
    print_table(("setting", "value"), list(_flat(answer["parameters"])))


@packs.command()
@pack_argument
@quiet_option
@outcome_option
@click.pass_context
def fetch(context: click.Context, name: str, *, quiet: bool, as_json: bool) -> None:
    """Fetch a pack's models from the model hub; NAME may be a .toml file.

    A fetch that was stopped goes on where it ended. Afterwards nothing needs the network.

    \b
    Example:
      freeda packs fetch freeda-vit-b
    """
    from freeda_svc.packs import fetch_pack  # noqa: PLC0415 - the hub's library takes a while to import

    folder = read_settings(context, anywhere=True).packs_folder
    if not is_recipe(name):
        place, _ = find_pack(name, folder)
        text = f"{name} is in {place}; there is nothing to fetch"
    else:
        recipe = read_recipe(name)
        place, text = folder / recipe.name, f"{recipe.name} is in {folder / recipe.name}"
        for source in recipe.sources.values():
            use = source.commercial_use
            told_use = f"; commercial use: {use}" if use and use != "free" else ""
            click.echo(f"{source.description}: {source.licence}{told_use}", err=as_json)
        track(f"Fetching {recipe.name} (MB)", _in_megabytes(fetch_pack(recipe, folder)), quiet=quiet)
    print_json({"pack": place.name, "folder": str(place)}) if as_json else click.echo(text)


@packs.command()
@pack_argument
@outcome_option
@click.pass_context
def verify(context: click.Context, name: str, *, as_json: bool) -> None:
    """Compare a pack's files with their checksums; NAME may be a path.

    \b
    Example:
      freeda packs verify miniature
    """
    from freeda_svc.packs import verify_part  # noqa: PLC0415 - as fetch

    description = read_pack_parameters(name, read_settings(context, anywhere=True).packs_folder)
    for part in description.sources:
        verify_part(description, part)
    if as_json:
        outcome = {"pack": description.name, "fingerprint": description.fingerprint}
        print_json({**outcome, "files": len(description.files)})
        return
    click.echo(
        f"{description.name}: {counted(len(description.files), 'file')} as listed "
        f"(fingerprint {description.fingerprint})"
    )


def _in_megabytes(counts: Iterator[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    for done, total in counts:
        yield done // _MEGABYTE, -(-total // _MEGABYTE) if done < total else done // _MEGABYTE


def _memory(answer: dict[str, Any]) -> str:
    memory = answer["gpu_gigabytes"]
    return f"{memory['generating']} / {memory['segmenting']}" if memory["generating"] else ""


def _memory_in_words(answer: dict[str, Any]) -> str:
    memory = answer["gpu_gigabytes"]
    if not memory["generating"]:
        return ""
    return f"{memory['generating']} GB to generate, {memory['segmenting']} GB to segment (estimated)"


def _flat(table: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, object]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
