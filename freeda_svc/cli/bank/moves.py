"""``freeda bank export | import``: banks to and from archives, and from what the paper's authors published."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from freeda_svc.bank.names import BankName, split_bank_name
from freeda_svc.cli.bank_option import bank_option
from freeda_svc.cli.console import print_json, shown_progress
from freeda_svc.cli.endings import Interrupted
from freeda_svc.cli.options import outcome_option, quiet_option
from freeda_svc.cli.session import read_settings
from freeda_svc.errors import FreedaError, InputError, NotFoundError
from freeda_svc.jobs.banks import open_banks
from freeda_svc.packs.description import read_pack_parameters
from freeda_svc.settings import Settings

if TYPE_CHECKING:
    from freeda_svc.bank import Banks, PrototypeStore


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@bank_option
@click.option("--without-pictures", is_flag=True, help="Leave out the thumbnails of images, masks and attributions.")
@quiet_option
@outcome_option
@click.pass_context
def export(
    context: click.Context, folder: Path, bank: str, *, without_pictures: bool, quiet: bool, as_json: bool
) -> None:
    """Write a bank into an archive, a folder of Parquet files.

    An export that was interrupted is continued by the same command. An embedded bank that a worker uses is in its
    hands: stop the worker first. docs/archive.md describes the format; it needs pip install 'freeda-svc[parquet]'.

    \b
    Example:
      freeda bank export animals-archive --bank animals
    """
    from freeda_svc.bank.moving import export_bank  # noqa: PLC0415 - brings much that only these commands need

    settings = read_settings(context)
    with _interruptible("export"), closing(open_banks(settings)) as banks:
        name = banks.resolve(bank or settings.bank)
        with closing(banks.open(name)) as store, shown_progress("export", quiet=quiet) as tell:
            report = export_bank(
                store,
                folder,
                parameters=_parameters_of(settings, store.pack),
                artifacts=None if without_pictures else settings.artifacts_folder,
                on_progress=tell,
            )
    count = report.manifest.prototypes
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
@quiet_option
@outcome_option
@click.pass_context
def import_command(
    context: click.Context,
    archive: Path | None,
    bank: str,
    index: Path | None,
    prototypes: Path | None,
    *,
    quiet: bool,
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
    with _interruptible("import"):
        if archive is not None:
            outcome = _import_archive(settings, archive, wanted, quiet=quiet)
        else:
            assert index is not None
            assert prototypes is not None
            outcome = _import_published(settings, index, prototypes, wanted, quiet=quiet)
    if as_json:
        print_json(outcome)
    else:
        told = ", ".join(f"{value} {name.replace('_', ' ')}" for name, value in outcome.items() if name != "bank")
        click.echo(f"{outcome['bank']}: {told}")


def _import_archive(settings: Settings, archive: Path, wanted: str, *, quiet: bool) -> dict[str, object]:
    from freeda_svc.bank.moving import import_bank, read_archive_manifest  # noqa: PLC0415 - see export

    manifest = read_archive_manifest(archive)

    def make(banks: "Banks", name: BankName) -> None:
        banks.create(name, manifest.pack, manifest.key_dimension, manifest.vector_dimension)

    with _opened_or_made(settings, wanted, make) as (name, store), shown_progress("import", quiet=quiet) as tell:
        report = import_bank(archive, store, artifacts=settings.artifacts_folder, on_progress=tell)
    return {
        "bank": str(name),
        "prototypes": manifest.prototypes,
        "added": report.added,
        "pictures_written": report.artifacts_written,
        "pictures_kept": report.artifacts_kept,
    }


def _import_published(
    settings: Settings, index: Path, prototypes: Path, wanted: str, *, quiet: bool
) -> dict[str, object]:
    from freeda_svc.bank.moving import import_faiss, published_dimensions  # noqa: PLC0415 - see export

    found = published_dimensions(index, prototypes)

    def make(banks: "Banks", name: BankName) -> None:
        from freeda_svc.packs import load_pack  # noqa: PLC0415 - brings the models

        # Only its encoders are loaded, and not where a worker needs the room.
        pack = load_pack(settings.pack, "cpu", folder=settings.packs_folder)
        expected = (pack.image_text.dimension, pack.backbone.dimension)
        if found != expected:
            raise InputError(
                f"{index} and {prototypes} hold keys and prototypes of {found[0]} and {found[1]} values, but those of "
                f"the pack {settings.pack} have {expected[0]} and {expected[1]}: name their pack with FREEDA_PACK"
            )
        banks.create(name, pack.fingerprint, *found)

    with _opened_or_made(settings, wanted, make) as (name, store), shown_progress("import", quiet=quiet) as tell:
        report = import_faiss(index, prototypes, store, on_progress=tell)
    return {"bank": str(name), **asdict(report)}


@contextmanager
def _opened_or_made(
    settings: Settings, wanted: str, make: Callable[["Banks", BankName], None]
) -> Iterator[tuple[BankName, "PrototypeStore"]]:
    """Open the version that a name means, made when it is not there; one that was made for nothing goes again."""
    with closing(open_banks(settings)) as banks:
        try:
            name, made = banks.resolve(wanted), False
        except NotFoundError:
            text, version = split_bank_name(wanted)
            name, made = BankName(text, version or 1), True
            make(banks, name)
        try:
            with closing(banks.open(name)) as store:
                yield name, store
        except FreedaError:
            if made and _is_empty(banks, name):
                banks.drop(name)
            raise


def _is_empty(banks: "Banks", name: BankName) -> bool:
    return any(summary.bank == name and not summary.prototypes for summary in banks.summaries())


@contextmanager
def _interruptible(what: str) -> Iterator[None]:
    """Say at Ctrl-C that nothing is lost."""
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted(f"Interrupted; the same command continues the {what}.") from None


def _parameters_of(settings: Settings, fingerprint: str) -> dict[str, Any]:
    """The numbers of the installation's pack where the bank is of it; otherwise nobody knows them here."""
    try:
        pack = read_pack_parameters(settings.pack, settings.packs_folder)
    except NotFoundError:
        return {}
    return {"pack": pack.name, **asdict(pack.parameters)} if pack.fingerprint == fingerprint else {}
