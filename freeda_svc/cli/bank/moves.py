"""``freeda bank export | import``: banks to and from archives, and from what the paper's authors published."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from freeda_svc.bank.names import BankName, split_bank_name
from freeda_svc.cli.bank_option import bank_option
from freeda_svc.cli.console import print_json, shown_progress
from freeda_svc.cli.session import read_settings
from freeda_svc.errors import NotFoundError
from freeda_svc.jobs.banks import open_banks
from freeda_svc.packs.description import read_pack_parameters
from freeda_svc.settings import Settings

if TYPE_CHECKING:
    from freeda_svc.bank import Banks, PrototypeStore


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@bank_option
@click.option("--without-pictures", is_flag=True, help="Leave out the thumbnails of images, masks and attributions.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
@click.pass_context
def export(context: click.Context, folder: Path, bank: str, *, without_pictures: bool, as_json: bool) -> None:
    """Write a bank into an archive, a folder of Parquet files.

    An export that was interrupted is continued by the same command. An embedded bank that a worker uses is in its
    hands: stop the worker first. docs/archive.md describes the format.

    \b
    Example:
      freeda bank export animals-archive --bank animals
    """
    from freeda_svc.bank.moving import export_bank  # noqa: PLC0415 - brings much that only these commands need

    settings = read_settings(context)
    banks = open_banks(settings)
    name = banks.resolve(bank or settings.bank)
    with _opened(banks, name) as store, shown_progress("export") as tell:
        report = export_bank(
            store,
            folder,
            parameters=_parameters_of(settings, store.pack),
            artifacts=None if without_pictures else settings.artifacts_folder,
            on_progress=tell,
        )
    count = sum(part.prototypes.rows for part in report.manifest.parts)
    if as_json:
        outcome = {"bank": str(name), "prototypes": count, "start": report.start.value}
        print_json({**outcome, "bank_changed": report.bank_changed, "missing_pictures": report.missing_artifacts})
        return
    click.echo(f"{count} prototypes of {name} in {folder} ({report.start.value})")
    if report.missing_artifacts:
        click.echo(f"{report.missing_artifacts} pictures are mentioned but not there any more", err=True)
    if report.bank_changed:
        click.echo("the bank changed meanwhile: what was added since may be missing; export again", err=True)


@click.command("import")
@click.argument("archive", required=False, type=click.Path(path_type=Path, file_okay=False))
@bank_option
@click.option("--from-faiss", "index", type=click.Path(path_type=Path, dir_okay=False), help="Index with the keys.")
@click.option("--prototypes", type=click.Path(path_type=Path, file_okay=False), help="Its folder of .npy files.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
@click.pass_context
def import_command(
    context: click.Context,
    archive: Path | None,
    bank: str,
    index: Path | None,
    prototypes: Path | None,
    *,
    as_json: bool,
) -> None:
    """Add an archive's prototypes to a bank, or those of a published one.

    A bank, or a version of one, that is not there yet is made. What is there already stays as it is, so an import that
    was interrupted is completed by the same command. With --from-faiss and --prototypes the bank is read that the
    paper's authors published: row i of the index belongs to the i-th file by name.

    \b
    Examples:
      freeda bank import animals-archive --bank animals@2
      freeda bank import --from-faiss index.faiss --prototypes prototypes --bank published
    """
    if (archive is None) == (index is None) or (index is None) != (prototypes is None):
        raise click.UsageError("Give an archive, or --from-faiss with --prototypes.")
    settings = read_settings(context)
    wanted = bank or settings.bank
    if archive is not None:
        outcome = _import_archive(settings, archive, wanted)
    else:
        assert index is not None
        assert prototypes is not None
        outcome = _import_published(settings, index, prototypes, wanted)
    if as_json:
        print_json(outcome)
    else:
        told = ", ".join(f"{value} {name.replace('_', ' ')}" for name, value in outcome.items() if name != "bank")
        click.echo(f"{outcome['bank']}: {told}")


def _import_archive(settings: Settings, archive: Path, wanted: str) -> dict[str, object]:
    from freeda_svc.bank.moving import import_bank, read_archive_manifest  # noqa: PLC0415 - see export

    manifest = read_archive_manifest(archive)
    banks = open_banks(settings)
    name = _made(banks, wanted, manifest.pack, manifest.key_dimension, manifest.vector_dimension)
    with _opened(banks, name) as store, shown_progress("import") as tell:
        report = import_bank(archive, store, artifacts=settings.artifacts_folder, on_progress=tell)
    return {
        "bank": str(name),
        "added": report.added,
        "pictures_written": report.artifacts_written,
        "pictures_kept": report.artifacts_kept,
    }


def _import_published(settings: Settings, index: Path, prototypes: Path, wanted: str) -> dict[str, object]:
    from freeda_svc.bank.moving import import_faiss, published_dimensions  # noqa: PLC0415 - see export

    dimensions = published_dimensions(index, prototypes)
    pack = read_pack_parameters(settings.pack, settings.packs_folder).fingerprint
    banks = open_banks(settings)
    name = _made(banks, wanted, pack, *dimensions)
    with _opened(banks, name) as store, shown_progress("import") as tell:
        report = import_faiss(index, prototypes, store, on_progress=tell)
    return {"bank": str(name), **asdict(report)}


def _made(banks: "Banks", wanted: str, pack: str, key_dimension: int, vector_dimension: int) -> BankName:
    """Return the version that a name means; make it when it is not there."""
    try:
        return banks.resolve(wanted)
    except NotFoundError:
        name, version = split_bank_name(wanted)
        made = BankName(name, version or 1)
        banks.create(made, pack, key_dimension, vector_dimension)
        return made


@contextmanager
def _opened(banks: "Banks", name: BankName) -> Iterator["PrototypeStore"]:
    store = banks.open(name)
    try:
        yield store
    finally:
        store.close()
        banks.close()


def _parameters_of(settings: Settings, fingerprint: str) -> dict[str, Any]:
    """The numbers of the installation's pack where the bank is of it; otherwise nobody knows them here."""
    pack = read_pack_parameters(settings.pack, settings.packs_folder)
    return {"pack": pack.name, **asdict(pack.parameters)} if pack.fingerprint == fingerprint else {}
