"""Embedded banks side by side: ``NAME/VERSION`` folders below one folder, and a file that says which is current."""

import shutil
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from freeda_svc.bank.banks import BankSummary, missing_bank
from freeda_svc.bank.embedded.ledger import LEDGER_NAME, count_prototypes
from freeda_svc.bank.embedded.lock import FolderLock
from freeda_svc.bank.embedded.store import EmbeddedStore
from freeda_svc.bank.manifest import has_manifest, read_manifest, sync_folder
from freeda_svc.bank.names import BankName, split_bank_name
from freeda_svc.bank.search_modes import Approximate
from freeda_svc.errors import InputError, NotFoundError, UnavailableError
from freeda_svc.whole_files import write_whole

CURRENT_NAME = "current"
_DROPPED = ".dropped-"


class EmbeddedBanks:
    """The banks below one folder; a `Banks`."""

    def __init__(self, folder: Path, approximate: Approximate | None = None) -> None:
        """Take a folder; it is made with the first bank.

        Args:
            folder: holds the banks.
            approximate: how the stores that are opened search when it need not be exact; None is exact.
        """
        self._folder = folder
        self._approximate = approximate

    def create(self, bank: BankName, pack: str, key_dimension: int, vector_dimension: int) -> None:
        """Make an empty version of a bank; see `Banks.create`."""
        place = self.place(bank)
        if has_manifest(place):
            raise InputError(f"there is a bank {bank} already: give another name or version, or drop it first")
        EmbeddedStore.open(place, pack, key_dimension, vector_dimension).close()
        if self._current(bank.name) is None:
            self._set_current(bank)

    def resolve(self, text: str) -> BankName:
        """The version that a name means; see `Banks.resolve`."""
        name, version = split_bank_name(text)
        versions = self._versions(name)
        if not versions:
            raise missing_bank(name, self._names())
        wanted = self._current(name) if version is None else version
        if wanted not in versions:
            there = ", ".join(f"{name}@{number}" for number in versions)
            what = f"bank {text}" if version is not None else f"current version of {name}"
            otherwise = "make one of them current" if version is None else f"make it with `freeda bank create {text}`"
            raise NotFoundError(f"there is no {what}, only {there}: name one of them, or {otherwise}")
        return BankName(name, wanted)

    def open(self, bank: BankName) -> EmbeddedStore:
        """Open a version; see `Banks.open`."""
        self._check_there(bank)
        return EmbeddedStore.open_existing(self.place(bank), self._approximate)

    def summaries(self) -> list[BankSummary]:
        """All versions of all banks, by name and version."""
        return [self._summary(BankName(name, version)) for name in self._names() for version in self._versions(name)]

    def switch(self, bank: BankName) -> None:
        """Make a version the current one; see `Banks.switch`."""
        self._check_there(bank)
        self._set_current(bank)

    def drop(self, bank: BankName) -> None:
        """Remove a version; see `Banks.drop`."""
        self._check_there(bank)
        others = [version for version in self._versions(bank.name) if version != bank.version]
        if others and self._current(bank.name) == bank.version:
            raise InputError(
                f"{bank} is the current version of {bank.name}: "
                f"make another one current first, such as with `freeda bank switch {bank.name}@{others[-1]}`"
            )
        place = self.place(bank)
        aside = place.with_name(f"{_DROPPED}{uuid4().hex}")
        lock = FolderLock(place)
        try:
            place.replace(aside)  # at once: a removal that is cut off leaves no half of a bank
        except OSError as error:
            raise UnavailableError(f"the bank folder {place} cannot be removed ({error.strerror})") from error
        finally:
            lock.release()
        for dropped in place.parent.glob(f"{_DROPPED}*"):  # also what a process that died has left
            shutil.rmtree(dropped, ignore_errors=True)
        if not others:
            with suppress(OSError):  # a version that somebody has just made stays
                (place.parent / CURRENT_NAME).unlink(missing_ok=True)
                place.parent.rmdir()

    def close(self) -> None:
        """Do nothing: nothing is held."""

    def place(self, bank: BankName) -> Path:
        """The folder of a version, whether it is there or not."""
        return self._folder / bank.name / str(bank.version)

    def _summary(self, bank: BankName) -> BankSummary:
        place = self.place(bank)
        manifest = read_manifest(place)
        return BankSummary(
            bank=bank,
            current=self._current(bank.name) == bank.version,
            prototypes=count_prototypes(place / LEDGER_NAME),
            pack=manifest.pack,
            key_dimension=manifest.key_dimension,
            vector_dimension=manifest.vector_dimension,
            created=manifest.created,
        )

    def _check_there(self, bank: BankName) -> None:
        if bank.version not in self._versions(bank.name):
            self.resolve(str(bank))  # says what there is

    def _names(self) -> list[str]:
        if not self._folder.is_dir():
            return []
        return sorted(path.name for path in self._folder.iterdir() if path.is_dir() and self._versions(path.name))

    def _versions(self, name: str) -> list[int]:
        folder = self._folder / name
        if not folder.is_dir():
            return []
        return sorted(int(path.name) for path in folder.iterdir() if path.name.isdecimal() and has_manifest(path))

    def _current(self, name: str) -> int | None:
        try:
            text = (self._folder / name / CURRENT_NAME).read_text(encoding="ascii").strip()
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise UnavailableError(f"the bank folder {self._folder / name} cannot be read ({error})") from error
        return int(text) if text.isdecimal() else None

    def _set_current(self, bank: BankName) -> None:
        path = self._folder / bank.name / CURRENT_NAME
        try:
            write_whole(path, f"{bank.version}\n".encode("ascii"))
            sync_folder(path.parent)
        except OSError as error:
            raise UnavailableError(f"the bank folder {path.parent} cannot be written ({error.strerror})") from error
