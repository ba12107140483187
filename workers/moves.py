"""Exports and imports, done by the process that holds the banks: a worker's, or a command's where no worker runs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from freeda_svc.artifacts import open_artifacts
from freeda_svc.bank.banks import BankName, split_bank_name
from freeda_svc.errors import FreedaError, InputError, NotFoundError
from freeda_svc.input_files import check_place
from freeda_svc.jobs import JobKind, Move
from freeda_svc.jobs.claims import JobCancelledError
from freeda_svc.packs import read_pack_parameters
from freeda_svc.settings import Settings
from freeda_svc.workers.metrics_reports import note_bank
from freeda_svc.workers.resources import Resources

if TYPE_CHECKING:
    from freeda_svc.bank import PrototypeStore
    from freeda_svc.bank.moving import ArchiveManifest

OnProgress = Callable[[int, int], None]


def check_export(resources: Resources, bank: str, folder: str) -> dict[str, Any]:
    """See whether a bank can be exported into a folder, and write nothing.

    Returns:
        The ``bank`` with its version, the fingerprint of its ``pack``, and how many ``prototypes`` it has.
    """
    from freeda_svc.bank.moving import check_target  # noqa: PLC0415 - brings much that only these commands need

    name = resources.banks.resolve(bank)
    store = resources.existing_bank(name)
    check_target(store, _outside_of_banks(resources.settings, Path(folder)))
    return {"bank": str(name), "pack": store.pack, "prototypes": store.count()}


def check_import(
    resources: Resources, bank: str, archive: str | None = None, index: str | None = None, prototypes: str | None = None
) -> dict[str, Any]:
    """See whether an archive, or a published bank, can be imported into a bank, and write nothing.

    Returns:
        As `check_export` does, for what is to come into the bank.
    """
    source = _Source(resources, archive, index, prototypes)
    name = _named(resources, bank)
    store = None if _is_missing(resources, name) else resources.existing_bank(name)
    pack = source.pack if store is None else store.pack
    source.check(store)
    return {"bank": str(name), "pack": pack, "prototypes": source.count}


def perform_move(resources: Resources, move: Move, on_progress: OnProgress, job: str = "") -> dict[str, Any]:
    """Export or import a bank.

    Args:
        resources: the banks of this process.
        move: what is to be done.
        on_progress: is called with (done, total); what it raises ends the move, which continues when it is run again.
        job: that asked for it; empty where a command does it itself.

    Returns:
        What came of it, by name, for JSON.

    Raises:
        FreedaError: it cannot be done, with the reason in one line.
    """
    return (_export if move.kind is JobKind.EXPORT else _import)(resources, move, on_progress, job)


def _export(resources: Resources, move: Move, on_progress: OnProgress, job: str) -> dict[str, Any]:
    from freeda_svc.bank.moving import export_bank  # noqa: PLC0415 - see check_export

    settings, folder = resources.settings, _outside_of_banks(resources.settings, Path(move.paths["folder"]))
    artifacts = open_artifacts(settings)
    name = resources.banks.resolve(move.bank)
    store = resources.existing_bank(name)
    with resources.moving(name, _used_by("export", job)):
        report = export_bank(
            store,
            folder,
            parameters=_parameters_of(settings, store.pack),
            artifacts=artifacts.folder if move.pictures else None,
            bring=artifacts.bring,
            on_progress=on_progress,
        )
    return {
        "bank": str(name),
        "prototypes": report.manifest.prototypes,
        "start": report.start.value,
        "bank_changed": report.bank_changed,
        "missing_pictures": report.missing_artifacts,
    }


def _import(resources: Resources, move: Move, on_progress: OnProgress, job: str) -> dict[str, Any]:
    source = _Source(resources, **move.paths)
    with (
        _opened_or_made(resources, move.bank, source) as (name, store),
        resources.moving(name, _used_by("import", job)),
    ):
        added = source.add_to(store, on_progress)
        note_bank(str(name), store.count)
    return {"bank": str(name), **added}


class _Source:
    """What is imported: an archive, or the two parts of a published bank."""

    def __init__(
        self, resources: Resources, archive: str | None = None, index: str | None = None, prototypes: str | None = None
    ) -> None:
        """Look at it.

        Raises:
            FreedaError: it lies where nothing may be taken from, is not there, or not usable.
        """
        from freeda_svc.bank import moving  # noqa: PLC0415 - see check_export

        self._held, self._moving = resources, moving
        folders = resources.settings.input_rules.folders
        self._paths = [Path(path) for path in (archive, index, prototypes) if path is not None]
        for path in self._paths:
            check_place(path, folders)
        self._manifest: ArchiveManifest | None = None
        if archive is not None:
            self._manifest = moving.read_archive_manifest(self._paths[0])
            self.count = self._manifest.prototypes
            self._dimensions = [self._manifest.key_dimension, self._manifest.vector_dimension]
        else:
            *self._dimensions, self.count = moving.look_at_published(*self._paths)

    @property
    def pack(self) -> str:
        """Fingerprint that a bank of its prototypes has, as far as anybody knows."""
        return self._held.pack.encoders_fingerprint if self._manifest is None else self._manifest.pack

    def check(self, store: "PrototypeStore | None") -> None:
        """See that it fits to a bank, or to the pack where a bank would be made.

        Raises:
            InputError: it does not.
        """
        if store is not None and self._manifest is not None:
            self._moving.check_fit(self._paths[0], self._manifest, store)
        if self._manifest is not None:
            return
        pack = self._held.pack
        expected = (
            [pack.image_text.dimension, pack.backbone.dimension]
            if store is None
            else [store.key_dimension, store.vector_dimension]
        )
        if self._dimensions != expected:
            whose = f"the pack {self._held.settings.pack}" if store is None else "the bank"
            raise InputError(
                f"{self._paths[0]} and {self._paths[1]} hold keys and prototypes of {self._dimensions[0]} and "
                f"{self._dimensions[1]} values, but those of {whose} have {expected[0]} and {expected[1]}: "
                f"name their pack with FREEDA_PACK, and a bank of that pack"
            )

    def make(self, bank: BankName) -> None:
        """Make a bank for it."""
        self.check(None)
        self._held.banks.create(bank, self.pack, *self._dimensions)

    def add_to(self, store: "PrototypeStore", on_progress: OnProgress) -> dict[str, Any]:
        """Add its prototypes to a bank, and return how many."""
        if self._manifest is None:
            index, prototypes = self._paths
            return asdict(self._moving.import_faiss(index, prototypes, store, on_progress=on_progress))
        filling = partial(open_artifacts(self._held.settings).filling, replacing=False)
        report = self._moving.import_bank(self._paths[0], store, artifacts=filling, on_progress=on_progress)
        return {
            "prototypes": self.count,
            "added": report.added,
            "pictures_written": report.artifacts_written,
            "pictures_present": report.artifacts_present,
            "pictures_kept": report.artifacts_kept,
        }


@contextmanager
def _opened_or_made(resources: Resources, wanted: str, source: _Source) -> Iterator[tuple[BankName, "PrototypeStore"]]:
    """Open the version that a name means, made when it is not there, and removed again when nothing was added."""
    name = _named(resources, wanted)
    if made := _is_missing(resources, name):
        source.make(name)
    try:
        yield name, resources.existing_bank(name)
    except (FreedaError, JobCancelledError):
        if made and _is_empty(resources, name):
            resources.let_go(name)
            resources.banks.drop(name)
        raise


def _is_empty(resources: Resources, bank: BankName) -> bool:
    """Return whether a bank is known to have no prototypes; one that does not answer may have those of others."""
    try:
        return resources.existing_bank(bank).count() == 0
    except FreedaError:
        return False


def _named(resources: Resources, text: str) -> BankName:
    """The version that a name means, whether it is there or not."""
    try:
        return resources.banks.resolve(text)
    except NotFoundError:
        name, version = split_bank_name(text)
        return BankName(name, version or 1)


def _is_missing(resources: Resources, bank: BankName) -> bool:
    try:
        resources.banks.resolve(str(bank))
    except NotFoundError:
        return True
    return False


def _outside_of_banks(settings: Settings, folder: Path) -> Path:
    """Return a folder that an archive may be written to.

    Raises:
        InputError: it lies among the banks themselves, or is no usable path.
    """
    if check_place(folder, ()).is_relative_to(settings.banks_folder.resolve()):
        raise InputError(f"{folder} lies among the banks of this home: give a folder elsewhere")
    return folder


def _used_by(what: str, job: str) -> str:
    return f"the {what} of job {job}: wait for its end, or end it with `freeda jobs cancel {job}`"


def _parameters_of(settings: Settings, fingerprint: str) -> dict[str, Any]:
    """The numbers of the installation's pack where the bank is of it; otherwise they are not known here."""
    try:
        pack = read_pack_parameters(settings.pack, settings.packs_folder)
    except NotFoundError:
        return {}
    return {"pack": pack.name, **pack.parameters.model_dump()} if pack.fits(fingerprint) else {}
