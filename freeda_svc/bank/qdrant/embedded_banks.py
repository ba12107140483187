"""Embedded banks side by side: ``NAME/VERSION`` folders below one folder, and a file that says which is current."""

from contextlib import suppress
from pathlib import Path

from freeda_svc.bank.banks import BankSummary, missing_bank
from freeda_svc.bank.manifest import MANIFEST_NAME, SHARD_NAME, has_manifest, read_manifest, sync_folder
from freeda_svc.bank.names import BankName, split_bank_name
from freeda_svc.bank.qdrant.folder import read_count, remove_folder
from freeda_svc.bank.qdrant.opening import make_folder, open_folder
from freeda_svc.bank.qdrant.store import QdrantStore
from freeda_svc.bank.search_modes import Approximate
from freeda_svc.errors import FreedaError, InputError, NotFoundError, UnavailableError
from freeda_svc.whole_files import write_whole

CURRENT_NAME = "current"


class EmbeddedBanks:
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
            raise InputError(f"there is a bank {bank} already: give another name or version, or drop it first")
        others = self._versions(bank.name)
        if others:  # a lower number would become current by itself
            self._set_current(BankName(bank.name, self._current(bank.name, others)))
        make_folder(place, pack, key_dimension, vector_dimension)
        if not others:
            self._set_current(bank)

    def resolve(self, text: str) -> BankName:
        """The version that a name means; see `Banks.resolve`."""
        name, version = split_bank_name(text)
        versions = self._versions(name)
        if not versions:
            raise missing_bank(name, self._names())
        bank = BankName(name, self._current(name, versions) if version is None else version)
        if bank.version not in versions:
            there = ", ".join(f"{name}@{number}" for number in versions)
            raise NotFoundError(
                f"there is no bank {bank}, only {there}: name one of them, or make it with `freeda bank create {bank}`"
            )
        return bank

    def open(self, bank: BankName) -> QdrantStore:
        """Open a version; see `Banks.open`. Opened twice in one process it is the same bank."""
        self.resolve(str(bank))
        return open_folder(self.place(bank), self._approximate)

    def summaries(self) -> list[BankSummary]:
        """All versions of all banks, by name and version."""
        return [self._summary(BankName(name, version)) for name in self._names() for version in self._versions(name)]

    def switch(self, bank: BankName) -> None:
        """Make a version the current one; see `Banks.switch`."""
        self.resolve(str(bank))
        self._set_current(bank)

    def drop(self, bank: BankName) -> None:
        """Remove a version, even one that cannot be opened; see `Banks.drop`."""
        self.resolve(str(bank))
        versions = self._versions(bank.name)
        others = [version for version in versions if version != bank.version]
        if others and self._current(bank.name, versions) == bank.version:
            raise InputError(
                f"{bank} is the current version of {bank.name}: "
                f"make another one current first, such as with `freeda bank switch {bank.name}@{others[-1]}`"
            )
        place = self.place(bank)
        remove_folder(place)
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
        current = self._current(bank.name, self._versions(bank.name)) == bank.version
        try:
            manifest = read_manifest(place)
        except FreedaError as error:
            return BankSummary(bank, current, read_count(place), "", 0, 0, "", fault=str(error))
        return BankSummary(
            bank=bank,
            current=current,
            prototypes=read_count(place),
            pack=manifest.pack,
            key_dimension=manifest.key_dimension,
            vector_dimension=manifest.vector_dimension,
            created=manifest.created,
        )

    def _names(self) -> list[str]:
        if not self._folder.is_dir():
            return []
        return sorted(path.name for path in self._folder.iterdir() if path.is_dir() and self._versions(path.name))

    def _versions(self, name: str) -> list[int]:
        """The numbers of versions that are there, damaged or not."""
        folder = self._folder / name
        if not folder.is_dir():
            return []
        return sorted(int(path.name) for path in folder.iterdir() if path.name.isdecimal() and _is_bank(path))

    def _current(self, name: str, versions: list[int]) -> int:
        """The current version of a bank that has some."""
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


def _is_bank(folder: Path) -> bool:
    """Whether a folder is a bank, or was one: dropping must not need what is damaged."""
    return folder.is_dir() and any((folder / name).exists() for name in (MANIFEST_NAME, SHARD_NAME))
