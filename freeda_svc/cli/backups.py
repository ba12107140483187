"""``freeda backup`` and ``freeda restore``: a home with a database and banks of its own, into a folder and back."""

from dataclasses import asdict
from pathlib import Path

import click

from freeda_svc.cli.console import print_json, shown_progress, size_text
from freeda_svc.cli.options import outcome_option, quiet_option
from freeda_svc.cli.session import read_settings
from freeda_svc.counts import counted


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@quiet_option
@outcome_option
@click.pass_context
def backup(context: click.Context, folder: Path, *, quiet: bool, as_json: bool) -> None:
    """Back up this home into a new folder.

    Jobs, banks, inputs, results and the settings file are copied, also while a worker works: it copies its banks
    itself, between two items. DIR must not be there, or be empty, and appears whole or not at all. Packs and logs are
    left out, and inputs, results and thumbnails that are in a bucket (FREEDA_ARTIFACTS=s3://...). `sha256sum -c
    SHA256SUMS` in DIR checks a backup, `freeda restore DIR` puts it back.

    \b
    Examples:
      freeda backup /mnt/backups/today
      freeda backup "/mnt/backups/$(date +%F)" --quiet
    """
    from freeda_svc.workers.backups.saving import back_up_home  # noqa: PLC0415 - takes a while to import

    settings = read_settings(context)
    with shown_progress("files copied", quiet=quiet or as_json) as report:
        saved = back_up_home(settings, folder, report)
    if as_json:
        print_json({"folder": str(folder), **asdict(saved)})
        return
    banks = (
        ", ".join(f"{name} ({counted(prototypes, 'prototype')})" for name, prototypes in saved.banks.items())
        or "no bank"
    )
    held = f"{counted(saved.jobs, 'job')}, {banks}, {counted(saved.files, 'file')}, {size_text(saved.bytes)}"
    click.echo(f"{folder} holds {held}")
    if saved.artifacts:
        click.echo(f"inputs, results and thumbnails are not part of it: they are in the bucket, at {saved.artifacts}")


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, exists=True, file_okay=False))
@quiet_option
@outcome_option
@click.pass_context
def restore(context: click.Context, folder: Path, *, quiet: bool, as_json: bool) -> None:
    """Restore a backup into a home that does not exist yet.

    Every file is checked against its checksum. The home appears whole or not at all; one that is not empty is refused:
    move it away first, or give another one with --home. Work that was under way when the backup was made goes on with
    the next `freeda up`. A pack that was fetched has to be fetched again.

    \b
    Examples:
      freeda restore /mnt/backups/today
      freeda --home ./again restore /mnt/backups/today
    """
    from freeda_svc.workers.backups.restoring import restore_home  # noqa: PLC0415 - as above

    settings = read_settings(context)
    with shown_progress("files put back", quiet=quiet or as_json) as report:
        saved = restore_home(settings, folder, report)
    if as_json:
        print_json({"home": str(settings.home), **asdict(saved)})
        return
    held = f"{counted(saved.jobs, 'job')}, {counted(len(saved.banks), 'version')} of banks"
    click.echo(f"{settings.home} is as it was at {saved.made}: {held}")
    click.echo("`freeda up` goes on with it, `freeda doctor` checks it.")
