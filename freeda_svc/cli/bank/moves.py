"""``freeda bank export | import``: banks to and from archives, and from what the paper's authors published."""

from pathlib import Path
from typing import Any

import click

from freeda_svc.cli.bank.moving import carry_out, moving_options
from freeda_svc.cli.console import print_json, shown_progress
from freeda_svc.cli.options import bank_option
from freeda_svc.cli.session import read_settings
from freeda_svc.counts import counted
from freeda_svc.input_files import check_place
from freeda_svc.jobs import JobKind, Move
from freeda_svc.settings import Settings


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@bank_option
@click.option("--without-pictures", is_flag=True, help="Leave out the thumbnails of images, masks and attributions.")
@moving_options
@click.pass_context
def export(
    context: click.Context,
    /,
    folder: Path,
    bank: str,
    *,
    without_pictures: bool,
    as_json: bool,
    **asked: Any,  # noqa: ANN401 - the options of moving_options
) -> None:
    """Write a bank into an archive, a folder of Parquet files.

    An export that was interrupted or cancelled is continued by the same command. Where a worker holds the bank it is
    a job of that worker, which `freeda jobs` follows and cancels; otherwise this command does it itself.
    docs/archive.md describes the format; it needs pip install 'freeda-svc[parquet]'.

    \b
    Examples:
      freeda bank export animals-archive --bank animals
      freeda bank export animals-archive --bank animals --no-wait
    """
    settings = read_settings(context)
    paths = {"folder": str(folder.absolute())}
    move = Move(JobKind.EXPORT, bank or settings.bank, paths, pictures=not without_pictures)
    outcome = carry_out(context, settings, move, as_json=as_json, **asked)
    if outcome is None:
        return
    if as_json:
        print_json(outcome)
        return
    click.echo(f"{counted(outcome['prototypes'], 'prototype')} of {outcome['bank']} in {folder} ({outcome['start']})")
    if outcome["missing_pictures"]:
        click.echo(
            f"missing files: {counted(outcome['missing_pictures'], 'picture')}, mentioned but not there any more",
            err=True,
        )
    if outcome["bank_changed"]:
        click.echo("the bank changed meanwhile: what was added since may be missing; export again", err=True)


@click.command("import")
@click.argument("archive", required=False, type=click.Path(path_type=Path, file_okay=False))
@bank_option
@click.option("--from-faiss", "index", type=click.Path(path_type=Path, dir_okay=False), help="Index with the keys.")
@click.option("--prototypes", type=click.Path(path_type=Path, file_okay=False), help="Its folder of .npy files.")
@click.option("--dry-run", is_flag=True, help="Only check all of an archive.")
@moving_options
@click.pass_context
def import_command(
    context: click.Context,
    /,
    archive: Path | None,
    bank: str,
    index: Path | None,
    prototypes: Path | None,
    *,
    dry_run: bool,
    as_json: bool,
    **asked: Any,  # noqa: ANN401 - as above
) -> None:
    """Add an archive's prototypes to a bank, or those of a published one.

    A bank, or a version of one, that is not there yet is made. What is there already stays as it is, so an import that
    was interrupted or cancelled is completed by the same command. Where a worker holds the bank it is a job of that
    worker, which `freeda jobs` follows and cancels; otherwise this command does it itself. With --from-faiss and
    --prototypes the bank is read that the paper's authors published: row i of the index belongs to the i-th file by
    name; it needs pip install 'freeda-svc[faiss]'.

    \b
    Examples:
      freeda bank import animals-archive --dry-run
      freeda bank import animals-archive --bank animals@2
      freeda bank import --from-faiss index.faiss --prototypes prototypes --bank published
    """
    if (archive is None) == (index is None) or (index is None) != (prototypes is None):
        raise click.UsageError("Give an archive, or --from-faiss with --prototypes.")
    settings = read_settings(context)
    if dry_run:
        if archive is None:
            raise click.UsageError("--dry-run checks an archive; what was published carries no checksums.")
        _verify(settings, archive, quiet=asked["quiet"], as_json=as_json)
        return
    given = {"archive": archive, "index": index, "prototypes": prototypes}
    paths = {name: str(path.absolute()) for name, path in given.items() if path is not None}
    outcome = carry_out(context, settings, Move(JobKind.IMPORT, bank or settings.bank, paths), as_json=as_json, **asked)
    if outcome is None:
        return
    if as_json:
        print_json(outcome)
    else:
        click.echo(f"{outcome['bank']}: {', '.join(_said_of_import(outcome))}")


def _said_of_import(outcome: dict[str, Any]) -> list[str]:
    """What an import did, in words; that pictures were there already or differ only where some did."""
    if "rows" in outcome:
        return [counted(outcome["rows"], "row"), f"{outcome['added']} added", f"{outcome['left_out']} left out"]
    said = [counted(outcome["prototypes"], "prototype"), f"{outcome['added']} added"]
    said.append(f"{counted(outcome['pictures_written'], 'picture')} written")
    if outcome["pictures_present"]:
        said.append(f"{counted(outcome['pictures_present'], 'picture')} already there")
    if outcome["pictures_kept"]:
        said.append(f"{counted(outcome['pictures_kept'], 'picture')} with other content kept")
    return said


def _verify(settings: Settings, archive: Path, *, quiet: bool, as_json: bool) -> None:
    from freeda_svc.bank.moving import verify_archive  # noqa: PLC0415 - brings much that other commands do without

    check_place(archive, settings.input_rules.folders)
    with shown_progress("check", unit="prototypes", quiet=quiet) as report:
        manifest = verify_archive(archive, on_progress=report)
    found = {"prototypes": manifest.prototypes, "nouns": len(manifest.nouns), "pack": manifest.pack}
    if as_json:
        print_json(found)
    else:
        click.echo(
            f"{archive} is whole: {counted(manifest.prototypes, 'prototype')} of {counted(len(manifest.nouns), 'noun')}"
        )
