"""Banks of a server, as plain values."""

from collections.abc import Mapping
from typing import Any

from freeda_svc.client.answers import entry_of, other_version
from freeda_svc.client.pages import MOST_ITEMS, Pages, path_part

CHANGE_SECONDS = 600.0
"""So long a change of a whole bank may take before the server answers."""

PICTURES = ("image", "mask", "attribution")


class Banks(Pages):
    """What a server says of banks, and does with them."""

    def banks(self) -> list[dict[str, Any]]:
        """List all banks with their versions."""
        return self.pages("/v1/banks")

    def usual_bank(self, bank: str) -> str:
        """Return a bank's name; that of the server's usual one when empty."""
        return bank or str(self.installation()["bank"]["bank"])

    def bank(self, bank: str) -> dict[str, Any]:
        """Say how large a bank is; the server's usual one when empty."""
        return dict(self._connection.ask("GET", _of_bank(self.usual_bank(bank))))

    def create_bank(self, bank: str) -> str:
        """Make an empty bank, or an empty version of one; return its name and version."""
        made = self._connection.ask("POST", "/v1/banks", body=lambda: {"json": {"bank": bank}})
        return str(entry_of(made, "bank", str, self._address))

    def switch_bank(self, bank: str) -> str:
        """Make a version of a bank the current one; return its name and version."""
        return str(entry_of(self._connection.ask("POST", f"{_of_bank(bank)}/switch"), "bank", str, self._address))

    def drop_bank(self, bank: str) -> str:
        """Remove a version of a bank; return its name and version."""
        return str(entry_of(self._connection.ask("DELETE", _of_bank(bank)), "bank", str, self._address))

    def bank_revision(self, bank: str) -> dict[str, Any]:
        """Say what is in a bank now."""
        return dict(self._connection.ask("GET", f"{_of_bank(bank)}/revision"))

    def nouns(self, bank: str, *, prefix: str = "") -> dict[str, int]:
        """Count the prototypes of each noun of a bank; the server's usual one when empty."""
        found = self.pages(f"{_of_bank(self.usual_bank(bank))}/nouns", at_once=MOST_ITEMS, prefix=prefix)
        try:
            return {str(entry["noun"]): int(entry["prototypes"]) for entry in found}
        except (KeyError, TypeError, ValueError) as error:
            raise other_version(self._address, "nouns without counts") from error

    def search(self, text: str, *, limit: int, bank: str) -> list[dict[str, Any]]:
        """Find the prototypes whose keys are nearest to a text."""
        found = self._connection.ask(
            "GET", f"{_of_bank(self.usual_bank(bank))}/search", params={"text": text, "limit": limit}
        )
        return list(entry_of(found, "items", list, self._address))

    def pack_nouns(self) -> tuple[str, frozenset[str] | None]:
        """Return the name of the server's pack, and the nouns that captions can teach it; None where it knows all."""
        pack = self.installation()["pack"]
        nouns = pack.get("nouns")
        return str(pack.get("name", "")), None if nouns is None else frozenset(map(str, nouns))

    def prototype(self, identifier: str, *, bank: str) -> dict[str, Any]:
        """Return all that is kept about a prototype but its vectors; pictures are named by paths of the server."""
        found = self._connection.ask("GET", self._of_prototype(identifier, bank))
        for name in ("id", *PICTURES):
            entry_of(found, name, str, self._address)
        return dict(found)

    def prototype_picture(self, identifier: str, *, bank: str) -> bytes:
        """Return the picture of a prototype, as PNG: its image, its mask and its attribution side by side."""
        return self._connection.read(f"{self._of_prototype(identifier, bank)}/picture.png")

    def forget(self, selection: Mapping[str, str], *, bank: str, dry_run: bool) -> dict[str, Any]:
        """Remove prototypes for good, or only count them.

        Args:
            selection: what holds for all of them: ``noun``, ``job``, ``caption`` or ``origin``, or several of these.
            bank: whose; the server's usual one when empty.
            dry_run: remove nothing.

        Returns:
            ``bank`` with its version, and how many were ``found`` and ``removed``.
        """
        found = self._change("POST", f"{_of_bank(self.usual_bank(bank))}/forget", {**selection, "dry_run": dry_run})
        for name, kind in (("bank", str), ("found", int), ("removed", int)):
            entry_of(found, name, kind, self._address)
        return {name: found[name] for name in ("bank", "found", "removed")}

    def curate(self, *, bank: str, keep: float | None, dry_run: bool) -> dict[str, Any]:
        """Mark the prototypes of each noun that differ most from the others, or only say which."""
        given = {"dry_run": dry_run, **({} if keep is None else {"keep": keep})}
        found = self._change("POST", f"{_of_bank(self.usual_bank(bank))}/curation", given)
        for name, kind in (("bank", str), ("assessed", int), ("found", int), ("reasons", dict), ("nouns", dict)):
            entry_of(found, name, kind, self._address)
        return dict(found)

    def uncurate(self, *, bank: str) -> dict[str, Any]:
        """Take back all marks that curation made; return the ``bank`` and how many were ``unmarked``."""
        found = self._change("DELETE", f"{_of_bank(self.usual_bank(bank))}/curation")
        return {name: entry_of(found, name, kind, self._address) for name, kind in (("bank", str), ("unmarked", int))}

    def _change(self, method: str, path: str, given: Mapping[str, Any] | None = None) -> Any:  # noqa: ANN401 - JSON
        body = {} if given is None else {"json": dict(given)}
        return self._connection.ask(method, path, body=lambda: body, seconds=CHANGE_SECONDS)

    def _of_prototype(self, identifier: str, bank: str) -> str:
        return f"{_of_bank(self.usual_bank(bank))}/prototypes/{path_part(identifier, 'a prototype')}"


def _of_bank(bank: str) -> str:
    return f"/v1/banks/{path_part(bank, 'a bank')}"
