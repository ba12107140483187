"""Embedded banks side by side: ``NAME/VERSION`` folders below one folder, and a file that says which is current."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from freeda_svc.bank.banks import BankName, Banks, there_already
from freeda_svc.bank.manifest import MANIFEST_NAME, SHARD_NAME, Manifest, has_manifest, read_manifest, sync_folder
from freeda_svc.bank.qdrant.folder import read_count, remove_folder
from freeda_svc.bank.qdrant.opening import make_folder, open_folder
from freeda_svc.bank.records import Approximate
from freeda_svc.bank.store import PrototypeStore
from freeda_svc.errors import InputError, UnavailableError
from freeda_svc.whole_files import write_whole

CURRENT_NAME = "current"


class EmbeddedBanks(Banks):
    """The banks below one folder; a `Banks`.

    Of a bank whose file does not say which version is current, as after a process that died, it is the first.
    """

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
            raise there_already(bank)
        others = self._versions_of(bank.name)
        if others:  # a lower number would become current by itself
            self._set_current(BankName(bank.name, self._current(bank.name, others)))
        try:
            make_folder(place, pack, key_dimension, vector_dimension)
        except InputError as error:
            raise there_already(bank) if has_manifest(place) else error from error
        if not others:
            self._set_current(bank)

    def open(self, bank: BankName) -> PrototypeStore:
        """Open a version; see `Banks.open`. Opened twice in one process it is the same bank."""
        self.resolve(str(bank))
        return open_folder(self.place(bank), self._approximate)

    def close(self) -> None:
        """Do nothing: there are no connections."""

    def place(self, bank: BankName) -> Path:
        """The folder of a version, whether it is there or not."""
        return self._folder / bank.name / str(bank.version)

    def _versions(self) -> dict[str, list[int]]:
        names = [path.name for path in self._folder.iterdir() if path.is_dir()] if self._folder.is_dir() else []
        found = {name: self._versions_of(name) for name in names}
        return {name: versions for name, versions in found.items() if versions}

    def _versions_of(self, name: str) -> list[int]:
        folder = self._folder / name
        if not folder.is_dir():
            return []
        return sorted(int(path.name) for path in folder.iterdir() if path.name.isdecimal() and _is_bank(path))

    def _current(self, name: str, versions: Sequence[int]) -> int:
        try:
            text = (self._folder / name / CURRENT_NAME).read_text(encoding="ascii").strip()
        except (FileNotFoundError, UnicodeDecodeError):
            return versions[0]
        except OSError as error:
            raise UnavailableError(
                f"the bank folder {self._folder / name} cannot be read ({error.strerror})"
            ) from error
        return int(text) if text.isdecimal() and int(text) in versions else versions[0]

    def _set_current(self, bank: BankName) -> None:
        path = self._folder / bank.name / CURRENT_NAME
        try:
            write_whole(path, f"{bank.version}\n".encode("ascii"))
            sync_folder(path.parent)
        except OSError as error:
            raise UnavailableError(f"the bank folder {path.parent} cannot be written ({error.strerror})") from error

    def _count(self, bank: BankName) -> int:
        return read_count(self.place(bank))

    def _manifest(self, bank: BankName) -> Manifest:
        return read_manifest(self.place(bank))

    def _remove(self, bank: BankName, *, is_last: bool) -> None:
        place = self.place(bank)
        remove_folder(place)
        if is_last:
            with suppress(OSError):  # a version that somebody has just made stays
                (place.parent / CURRENT_NAME).unlink(missing_ok=True)
                place.parent.rmdir()


def _is_bank(folder: Path) -> bool:
    """Whether a folder is a bank, or was one: dropping must not need what is damaged."""
    return folder.is_dir() and any((folder / name).exists() for name in (MANIFEST_NAME, SHARD_NAME))
