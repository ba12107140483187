"""The banks of this machine's own installation."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from freeda_svc.artifacts import open_artifacts
from freeda_svc.settings import Settings

if TYPE_CHECKING:
    from freeda_svc.batches import BankRevision

FIELDS = {"caption": "caption_id"}
"""What stores call that by which prototypes are selected, where it is another word."""
PICTURES = ("image", "mask", "attribution")


class LocalBanks:
    """Answers from the worker that has the banks, or from the banks themselves; see ``Backend``."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def bank_revision(self, bank: str) -> "BankRevision":
        """See ``Backend``."""
        from freeda_svc.workers import queries  # noqa: PLC0415 - only resuming asks

        return queries.bank_revision(self.settings, bank)

    def list_banks(self) -> list[dict[str, Any]]:
        """See ``Backend``."""
        return cast("list[dict[str, Any]]", self._ask("list_banks"))

    def create_bank(self, bank: str) -> str:
        """See ``Backend``."""
        return str(self._ask("create_bank", bank=bank))

    def switch_bank(self, bank: str) -> str:
        """See ``Backend``."""
        return str(self._ask("switch_bank", bank=bank))

    def drop_bank(self, bank: str) -> str:
        """See ``Backend``."""
        return str(self._ask("drop_bank", bank=bank))

    def bank_stats(self, bank: str) -> dict[str, Any]:
        """See ``Backend``."""
        from freeda_svc.workers import bank_stats  # noqa: PLC0415 - only this command asks

        return bank_stats(self.settings, bank)

    def bank_nouns(self, bank: str) -> dict[str, int]:
        """See ``Backend``."""
        from freeda_svc.workers import bank_nouns  # noqa: PLC0415 - only this command asks

        return bank_nouns(self.settings, bank)

    def search_bank(self, text: str, *, limit: int, bank: str) -> list[dict[str, Any]]:
        """See ``Backend``."""
        from freeda_svc.workers import search_bank  # noqa: PLC0415 - only this command asks

        return search_bank(self.settings, text, limit=limit, bank=bank)

    def show_prototype(self, bank: str, identifier: str) -> dict[str, Any]:
        """See ``Backend``."""
        found = self._prototype(bank, identifier)
        place = open_artifacts(self.settings).place
        return {**found, **{name: f"{place}/{found[name]}" if found[name] else "" for name in PICTURES}}

    def prototype_picture(self, bank: str, identifier: str) -> bytes:
        """See ``Backend``."""
        from freeda_svc.outputs import compose_prototype  # noqa: PLC0415 - other commands do without its libraries

        found, content = self._prototype(bank, identifier), io.BytesIO()
        names = [found[name] for name in PICTURES]
        picture = compose_prototype(open_artifacts(self.settings).bring(names), *names)
        picture.save(content, format="PNG")
        return content.getvalue()

    def shown_folder(self) -> Path:
        """See ``Backend``."""
        return self.settings.artifacts_folder / "shown"

    def forget_prototypes(self, bank: str, selection: Mapping[str, str], *, dry_run: bool) -> dict[str, Any]:
        """See ``Backend``."""
        meant = {FIELDS.get(name, name): value for name, value in selection.items()}
        named = self._resolved(bank)  # once: it may be switched meanwhile
        count = int(self._ask("count_selected", bank=named, selection=meant))
        removed = int(self._ask("forget", bank=named, selection=meant)) if count and not dry_run else 0
        return {"bank": named, "found": count, "removed": removed}

    def curate_bank(self, bank: str, *, keep: float | None, dry_run: bool) -> dict[str, Any]:
        """See ``Backend``."""
        named = self._resolved(bank)
        return {"bank": named, **self._ask("curate_bank", bank=named, keep=keep, dry_run=dry_run)}

    def uncurate_bank(self, bank: str) -> dict[str, Any]:
        """See ``Backend``."""
        named = self._resolved(bank)
        return {"bank": named, "unmarked": int(self._ask("uncurate_bank", bank=named))}

    def _prototype(self, bank: str, identifier: str) -> dict[str, Any]:
        found = self._ask("show_prototype", bank=bank or self.settings.bank, identifier=identifier)
        return cast("dict[str, Any]", found)

    def _resolved(self, bank: str) -> str:
        return str(self._ask("resolve_bank", bank=bank or self.settings.bank))

    def _ask(self, question: str, **arguments: Any) -> Any:  # noqa: ANN401 - questions differ
        from freeda_svc.workers import ask_bank  # noqa: PLC0415 - only commands about banks ask

        return ask_bank(self.settings, question, **arguments)

    def pack_nouns(self) -> tuple[str, frozenset[str] | None]:
        """See ``Backend``."""
        from freeda_svc.packs import read_pack_parameters  # noqa: PLC0415 - only hints need it

        pack = read_pack_parameters(self.settings.pack, self.settings.packs_folder)
        return pack.name, None if pack.nouns is None else frozenset(pack.nouns)
