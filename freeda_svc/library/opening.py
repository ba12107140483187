"""Opening a bank by its name or its folder, with the pack whose models fill and search it."""

import os
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from freeda_svc.artifacts import open_artifacts
from freeda_svc.bank import BankName, Banks, EmbeddedBanks, PrototypeStore, make_or_open_folder, open_folder
from freeda_svc.bank.banks import split_bank_name
from freeda_svc.bank.manifest import has_manifest
from freeda_svc.errors import InputError, NotFoundError
from freeda_svc.jobs.banks import open_banks
from freeda_svc.library.arguments import described, is_path, to_path
from freeda_svc.library.bank import Bank, Opened
from freeda_svc.packs import Pack, Precision
from freeda_svc.settings import Settings, load_pack_of, load_settings, prepare_home

if TYPE_CHECKING:
    from collections.abc import Callable

_packs: "WeakValueDictionary[tuple[str, str, str, str], Pack]" = WeakValueDictionary()


def open_bank(
    name_or_path: str | os.PathLike[str],
    pack: str | os.PathLike[str] | Pack | None = None,
    *,
    device: str | None = None,
    precision: Precision | None = None,
    create: bool = True,
) -> Bank:
    """Open a bank of prototypes, and make an empty one where there is none.

    Opened several times in one process it is the same bank, whose models are in memory once. While a process has it
    open, no other can have it, neither a worker of the service: close it, or leave its ``with`` block, when it is done.

    Args:
        name_or_path: a name such as ``photos`` or ``photos@2`` is a bank of the service's home (``FREEDA_HOME``, or
            ``~/.freeda``), or of the Qdrant server that the settings name; anything with a slash, such as
            ``./photos``, and any ``pathlib.Path`` is a folder of its own.
        pack: the model pack: a name (``miniature``, or one that was fetched), a folder with a ``pack.toml``, or an
            open pack; that of the settings (``FREEDA_PACK``, or ``miniature``) by default.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1`` or ``mps``; that of the settings by default, which is ``auto``.
        precision: ``auto``, ``float32``, ``bfloat16`` or ``float16``; that of the settings by default.
        create: whether a bank that is not there is made, for which the encoders of the pack are read.

    Returns:
        The bank. The pack's models are read when they are first needed.

    Raises:
        InputError: an argument is of the wrong kind, the folder is something else, or the bank is of another pack.
        NotFoundError: there is no such pack; or no such bank, and none is to be made.
        BusyError: another process has the bank open.
        UnavailableError: its place cannot be written, or the server does not answer.
    """
    if not is_path(name_or_path):
        raise InputError(f"a bank is opened by its name or folder, not by {described(name_or_path)}")
    settings = load_settings()
    models = _find_pack(settings, pack, device, precision)
    place = os.fspath(name_or_path)
    if isinstance(name_or_path, str) and os.sep not in place and place not in {".", "..", "~"}:
        opened = _open_named(settings, place, models, create=create)
    else:
        opened = _open_place(to_path(place), models, create=create)
    if not models.description.fits(opened.store.pack):
        opened.close()
        raise InputError(
            f"the bank {opened.name} was made with the encoders {opened.store.pack}, but those of the pack "
            f"{models.name} are {models.encoders_fingerprint}; name the bank's own pack, or another bank"
        )
    return Bank(opened, models)


def _find_pack(
    settings: Settings,
    pack: str | os.PathLike[str] | Pack | None,
    device: str | None,
    precision: Precision | None,
) -> Pack:
    if isinstance(pack, Pack):
        return pack
    if pack is not None and not is_path(pack):
        raise InputError(f"a pack is given by its name or folder, or as an open pack, not by {described(pack)}")
    for name, value in (("device", device), ("precision", precision)):
        if value is not None and not isinstance(value, str):
            raise InputError(f"the {name} is a text such as 'auto', not {described(value)}")
    named = None if pack is None else os.fspath(pack)
    chosen = load_pack_of(settings, pack=named, device=device, precision=precision)
    description, computing = chosen.description, chosen.computing
    key = str(description.folder), description.fingerprint, computing.device, repr(computing)
    return _packs.setdefault(key, chosen)


def _open_named(settings: Settings, text: str, models: Pack, *, create: bool) -> Opened:
    try:
        name, version = split_bank_name(text)
    except InputError as error:
        raise InputError(f"{error}; a folder is written with a slash, such as ./{text}") from error
    banks = open_banks(settings)
    try:
        bank = _resolve(banks, text, lambda: BankName(name, version or 1), models if create else None)
        store = banks.open(bank)
    except BaseException:
        banks.close()
        raise
    if settings.embedded_bank:
        place = str(_place(settings.banks_folder / bank.name / str(bank.version)))
    else:
        place = f"{settings.qdrant_url}/{bank}"
    prepare_home(settings)
    return Opened(store, str(bank), place, banks.close, open_artifacts(settings))


def _resolve(banks: Banks, text: str, new: "Callable[[], BankName]", models: Pack | None) -> BankName:
    try:
        return banks.resolve(text)
    except NotFoundError:
        if models is None:
            raise
        bank = new()
        try:
            banks.create(bank, models.encoders_fingerprint, models.image_text.dimension, models.backbone.dimension)
        except InputError:  # another process has just made it, or else this says why it cannot be had
            banks.resolve(str(bank))
        return bank


def _open_place(folder: Path, models: Pack, *, create: bool) -> Opened:
    folder = _version_in(folder)
    if has_manifest(folder) or not create:
        store: PrototypeStore = open_folder(folder)
    else:
        store = make_or_open_folder(
            folder, models.encoders_fingerprint, models.image_text.dimension, models.backbone.dimension
        )
    return Opened(store, str(folder), str(_place(folder)), lambda: None, None)


def _version_in(folder: Path) -> Path:
    """Return the current version in a folder such as ``banks/default`` of a home; any other folder itself."""
    if has_manifest(folder) or not folder.is_dir():
        return folder
    banks = EmbeddedBanks(folder.resolve().parent)
    try:
        return folder / str(banks.resolve(folder.resolve().name).version)
    except (InputError, NotFoundError):
        return folder


def _place(folder: Path) -> Path:
    return folder.resolve()
