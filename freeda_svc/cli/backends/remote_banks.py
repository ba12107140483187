"""The banks of a server."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from freeda_svc.client import Banks, Connection
from freeda_svc.client.banks import PICTURES

if TYPE_CHECKING:
    from freeda_svc.batches import BankRevision


class RemoteBanks:
    """Answers by asking a server; see ``Backend``.

    Attributes:
        place: the server's address.
    """

    def __init__(self, connection: Connection) -> None:
        self.place = connection.address
        self._banks = Banks(connection)

    def bank_revision(self, bank: str) -> "BankRevision":
        """See ``Backend``."""
        return self._banks.bank_revision(bank)

    def list_banks(self) -> list[dict[str, Any]]:
        """See ``Backend``."""
        return self._banks.banks()

    def create_bank(self, bank: str) -> str:
        """See ``Backend``."""
        return self._banks.create_bank(bank)

    def switch_bank(self, bank: str) -> str:
        """See ``Backend``."""
        return self._banks.switch_bank(bank)

    def drop_bank(self, bank: str) -> str:
        """See ``Backend``."""
        return self._banks.drop_bank(bank)

    def bank_stats(self, bank: str) -> dict[str, Any]:
        """See ``Backend``."""
        return self._banks.bank(bank)

    def bank_nouns(self, bank: str) -> dict[str, int]:
        """See ``Backend``."""
        return self._banks.nouns(bank)

    def search_bank(self, text: str, *, limit: int, bank: str) -> list[dict[str, Any]]:
        """See ``Backend``."""
        return self._banks.search(text, limit=limit, bank=bank)

    def pack_nouns(self) -> tuple[str, frozenset[str] | None]:
        """See ``Backend``."""
        return self._banks.pack_nouns()

    def show_prototype(self, bank: str, identifier: str) -> dict[str, Any]:
        """See ``Backend``."""
        found = self._banks.prototype(identifier, bank=bank)
        return {**found, **{name: f"{self.place}{found[name]}" if found[name] else "" for name in PICTURES}}

    def prototype_picture(self, bank: str, identifier: str) -> bytes:
        """See ``Backend``."""
        return self._banks.prototype_picture(identifier, bank=bank)

    def shown_folder(self) -> Path:
        """See ``Backend``; it stays, as the viewer reads it later."""
        return Path(tempfile.mkdtemp(prefix="freeda-shown-"))

    def forget_prototypes(self, bank: str, selection: Mapping[str, str], *, dry_run: bool) -> dict[str, Any]:
        """See ``Backend``."""
        return self._banks.forget(selection, bank=bank, dry_run=dry_run)

    def curate_bank(self, bank: str, *, keep: float | None, dry_run: bool) -> dict[str, Any]:
        """See ``Backend``."""
        return self._banks.curate(bank=bank, keep=keep, dry_run=dry_run)

    def uncurate_bank(self, bank: str) -> dict[str, Any]:
        """See ``Backend``."""
        return self._banks.uncurate(bank=bank)
