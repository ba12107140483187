"""Banks side by side: names, versions of which one is current, and what every place of banks offers."""

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from freeda_svc.bank.manifest import Manifest
from freeda_svc.errors import FreedaError, InputError, NotFoundError

if TYPE_CHECKING:
    from freeda_svc.bank.store import PrototypeStore

DEFAULT_BANK = "default"

_PATTERN = re.compile(r"([a-z0-9][a-z0-9_-]{0,62})(?:@([1-9][0-9]{0,8}))?")


@dataclass(frozen=True, order=True)
class BankName:
    """One version of a bank, as people and jobs write it: ``animals@2``."""

    name: str
    version: int

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a name that has its version.

        Raises:
            InputError: it is no name of a bank, or has no version.
        """
        name, version = split_bank_name(text)
        if version is None:
            raise InputError(f"the bank {text!r} has no version here: write it as {text}@1")
        return cls(name, version)


def split_bank_name(text: str) -> tuple[str, int | None]:
    """Read a bank's name and its version; None where the text leaves the version open.

    Raises:
        InputError: it is no name of a bank.
    """
    found = _PATTERN.fullmatch(text)
    if found is None:
        raise InputError(
            f"{text!r} is no name of a bank: use up to 63 lower-case letters, digits, - and _, beginning with a letter "
            "or digit, and @ with a number for one of its versions, such as animals or animals@2"
        )
    return found[1], int(found[2]) if found[2] else None


@dataclass(frozen=True)
class BankSummary:
    """One version of a bank, described without opening it.

    Attributes:
        bank: name and version.
        current: whether the bank's name without a version means this one.
        prototypes: how many it holds.
        pack: fingerprint of the pack that makes its prototypes.
        key_dimension: Dt.
        vector_dimension: Dv.
        created: when, ISO 8601 in UTC.
        fault: why it cannot be opened, as far as that is known without opening it; what is not known is empty or 0.
    """

    bank: BankName
    current: bool
    prototypes: int
    pack: str
    key_dimension: int
    vector_dimension: int
    created: str
    fault: str = ""


class Banks(ABC):
    """The banks of one installation: each in versions of which one is current.

    A place of banks makes, opens and closes them, and does the few things at the end, each in its own way; what these
    raise is what the methods that use them raise.
    """

    @abstractmethod
    def create(self, bank: BankName, pack: str, key_dimension: int, vector_dimension: int) -> None:
        """Make an empty version of a bank; the first version of a name becomes current at once, a later one does not.

        Args:
            bank: name and version; the version is one that is not there yet.
            pack: fingerprint of the pack that makes its prototypes.
            key_dimension: Dt.
            vector_dimension: Dv.

        Raises:
            InputError: the version is there already, no pack, or a dimension below 1; nothing was made.
            UnavailableError: the place cannot be written.
        """

    def resolve(self, text: str) -> BankName:
        """The version that a name means: the current one where it names none.

        Raises:
            InputError: it is no name of a bank.
            NotFoundError: there is no such bank or version; says which there are.
        """
        name, version = split_bank_name(text)
        known = self._versions()
        if name not in known:
            raise _missing_bank(name, sorted(known))
        bank = BankName(name, self._current(name, known[name]) if version is None else version)
        if bank.version not in known[name]:
            there = ", ".join(f"{name}@{number}" for number in known[name])
            raise NotFoundError(
                f"there is no bank {bank}, only {there}: name one of them, or make it with `freeda bank create {bank}`"
            )
        return bank

    @abstractmethod
    def open(self, bank: BankName) -> "PrototypeStore":
        """Open a version.

        Raises:
            NotFoundError: it is not there.
            InputError: it is broken.
            BusyError: another process has it open, and the engine allows one only.
            UnavailableError: the place does not answer.
        """

    def summaries(self) -> list[BankSummary]:
        """All versions of all banks, by name and version."""
        summaries = []
        for name, versions in sorted(self._versions().items()):
            current = self._current(name, versions)
            for version in versions:
                try:
                    summaries.append(self._summary(BankName(name, version), version == current))
                except NotFoundError:
                    continue  # another process has just dropped it
        return summaries

    def switch(self, bank: BankName) -> None:
        """Make a version the current one, at once and for everybody.

        Raises:
            NotFoundError: it is not there.
        """
        self.resolve(str(bank))
        self._set_current(bank)

    def drop(self, bank: BankName) -> None:
        """Remove a version with all of its prototypes, even one that cannot be opened.

        Raises:
            NotFoundError: it is not there.
            InputError: it is current and the bank has other versions: switch first.
            BusyError: a process has it open.
        """
        self.resolve(str(bank))
        versions = self._versions().get(bank.name, [])
        others = [version for version in versions if version != bank.version]
        if others and self._current(bank.name, versions) == bank.version:
            raise InputError(
                f"{bank} is the current version of {bank.name}: "
                f"make another one current first, such as with `freeda bank switch {bank.name}@{others[-1]}`"
            )
        self._remove(bank, is_last=not others)

    @abstractmethod
    def close(self) -> None:
        """Close connections; stores that were opened stay open. Closing again does nothing."""

    def _summary(self, bank: BankName, current: bool) -> BankSummary:
        prototypes = 0
        try:
            prototypes = self._count(bank)
            manifest = self._manifest(bank)
        except NotFoundError:
            raise
        except FreedaError as error:
            return BankSummary(bank, current, prototypes, "", 0, 0, "", fault=str(error))
        return BankSummary(bank, current, prototypes, **vars(manifest.encoding), created=manifest.created)

    @abstractmethod
    def _versions(self) -> Mapping[str, Sequence[int]]:
        """The numbers of all versions that are there, rising, damaged ones too, by the name of their bank."""

    @abstractmethod
    def _current(self, name: str, versions: Sequence[int]) -> int:
        """Which of a bank's versions, at least one, is current; the first where nothing says so."""

    @abstractmethod
    def _set_current(self, bank: BankName) -> None:
        """Make a version that is there the current one."""

    @abstractmethod
    def _count(self, bank: BankName) -> int:
        """How many prototypes a version holds, without opening it."""

    @abstractmethod
    def _manifest(self, bank: BankName) -> Manifest:
        """What a version was made for, without opening it."""

    @abstractmethod
    def _remove(self, bank: BankName, *, is_last: bool) -> None:
        """Remove a version, the last of its bank or not the current one."""


def there_already(bank: BankName) -> InputError:
    """The error for whoever makes a version that is there."""
    return InputError(f"there is a bank {bank} already: give another name, or the next version")


def _missing_bank(name: str, known: Sequence[str]) -> NotFoundError:
    if name == DEFAULT_BANK:
        return NotFoundError(f"there is no bank {name} yet: run `freeda ingest FILE` first")
    there = f"there are {', '.join(known)}" if known else "there are none yet"
    return NotFoundError(f"there is no bank {name}, {there}: make it with `freeda bank create {name}`")
