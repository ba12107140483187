"""What every place of banks offers: several banks side by side, each in versions of which one is current."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from freeda_svc.bank.names import DEFAULT_BANK, BankName
from freeda_svc.bank.store import PrototypeStore
from freeda_svc.errors import NotFoundError


@dataclass(frozen=True)
class BankSummary:
    """One version of a bank, told without opening it.

    Attributes:
        bank: name and version.
        current: whether the bank's name without a version means this one.
        prototypes: how many it holds.
        pack: fingerprint of the pack that makes its prototypes.
        key_dimension: Dt.
        vector_dimension: Dv.
        created: when, ISO 8601 in UTC.
        fault: why it cannot be opened, as far as its manifest tells; what the manifest would say is empty then.
    """

    bank: BankName
    current: bool
    prototypes: int
    pack: str
    key_dimension: int
    vector_dimension: int
    created: str
    fault: str = ""


def missing_bank(name: str, known: Sequence[str]) -> NotFoundError:
    """The error for a bank that is not there, which says what to do.

    Args:
        name: of the bank, without a version.
        known: names of the banks that are there.
    """
    if name == DEFAULT_BANK:
        return NotFoundError(f"there is no bank {name} yet: run `freeda ingest FILE` first")
    there = f"there are {', '.join(known)}" if known else "there are none yet"
    return NotFoundError(f"there is no bank {name}, {there}: make it with `freeda bank create {name}`")


class Banks(Protocol):
    """The banks of one installation."""

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

    def open(self, bank: BankName) -> PrototypeStore:
        """Open a version.

        Raises:
            NotFoundError: it is not there.
            InputError: it is broken.
            BusyError: another process has it open, and the engine allows one only.
            UnavailableError: the place does not answer.
        """

    def summaries(self) -> list[BankSummary]:
        """All versions of all banks, by name and version."""

    def switch(self, bank: BankName) -> None:
        """Make a version the current one, at once and for everybody.

        Raises:
            NotFoundError: it is not there.
        """

    def drop(self, bank: BankName) -> None:
        """Remove a version with all of its prototypes.

        Raises:
            NotFoundError: it is not there.
            InputError: it is current and the bank has other versions: switch first.
            BusyError: a process has it open.
        """

    def close(self) -> None:
        """Release what is held; stores that were opened stay open. Closing again does nothing."""
