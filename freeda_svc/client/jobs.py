"""Jobs and banks of a server, as plain values."""

from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote

from freeda_svc.client.answers import entry_of, other_version
from freeda_svc.client.connection import Connection
from freeda_svc.errors import InputError

MOST_JOBS, MOST_ITEMS = 200, 1000
"""How many a server gives at once."""


class Jobs:
    """What a server says of jobs and banks."""

    def __init__(self, connection: Connection) -> None:
        """Take a server."""
        self._connection = connection
        self._address = connection.address

    def pages(self, path: str, *, most: int | None = None, at_once: int | None = None, **params: Any) -> list[Any]:  # noqa: ANN401
        """Return a list of several pages.

        Args:
            path: of the list.
            most: how many entries are wanted; all when None.
            at_once: how many the server gives at once; its usual number when None.
            params: further ones of the query.
        """
        return list(self._each(path, most=most, at_once=at_once, **params))

    def _each(
        self,
        path: str,
        *,
        most: int | None = None,
        at_once: int | None = None,
        **params: Any,  # noqa: ANN401
    ) -> Iterator[Any]:
        after: str | None = None
        left = most
        while left is None or left > 0:
            limit = at_once if left is None else min(left, at_once or left)
            page = self._connection.ask("GET", path, params={**params, "limit": limit, "after": after})
            entries = entry_of(page, "items", list, self._address)
            yield from entries
            left = None if left is None else left - len(entries)
            after = page.get("next")
            if not after or not entries:
                return

    def newest(self, *, limit: int, **wanted: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - of the query
        """List jobs, the newest first."""
        return self.pages("/v1/jobs", most=limit, at_once=MOST_JOBS, **wanted)

    def show(self, job: str) -> dict[str, Any]:
        """Look at one job, by its id or the beginning of it."""
        found = self._connection.ask("GET", _of_job(job))
        for name, kind in (("id", str), ("state", str), ("progress", dict)):
            entry_of(found, name, kind, self._address)
        return dict(found)

    def items(self, job: str, *states: str, most: int | None = None) -> Iterator[dict[str, Any]]:
        """Go through a job's items, in order; only those in one of the states, when some are given."""
        return self._each(f"{_of_job(job)}/items", most=most, at_once=MOST_ITEMS, state=states)

    def results(self, job: str) -> list[dict[str, Any]]:
        """List what became of a segmentation job's images, in order."""
        found = self.pages(f"{_of_job(job)}/results", at_once=MOST_ITEMS)
        for item in found:
            for name, kind in (("number", int), ("name", str), ("state", str)):
                entry_of(item, name, kind, self._address)
        return found

    def cancel(self, job: str) -> tuple[str, int]:
        """Cancel what a job has not begun; return its whole id, and how many items that are."""
        answer = self._connection.ask("DELETE", _of_job(job))
        return self._counted(answer, "cancelled")

    def retry(self, job: str) -> tuple[str, int]:
        """Try a job's failed items again; return its whole id, and how many they are."""
        answer = self._connection.ask("POST", f"{_of_job(job)}/retry")
        return self._counted(answer, "queued")

    def _counted(self, answer: object, name: str) -> tuple[str, int]:
        return entry_of(answer, "job", str, self._address), entry_of(answer, name, int, self._address)

    def banks(self) -> list[dict[str, Any]]:
        """List all banks with their versions."""
        return self.pages("/v1/banks")

    def installation(self, bank: str = "") -> dict[str, Any]:
        """Return what a request for a bank meets at the server: its pack with parameters, and the bank's version."""
        found = self._connection.ask("GET", "/v1/installation", params={"bank": bank})
        for name in ("pack", "bank"):
            entry_of(found, name, dict, self._address)
        return dict(found)

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

    def bank_version(self, bank: str) -> dict[str, Any]:
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


def _of_job(job: str) -> str:
    return f"/v1/jobs/{_segment(job, 'a job')}"


def _of_bank(bank: str) -> str:
    return f"/v1/banks/{_segment(bank, 'a bank')}"


def _segment(name: Sequence[str] | str, what: str) -> str:
    """Return a name as a part of a path.

    Raises:
        InputError: it is none.
    """
    if not isinstance(name, str) or not name.strip() or name in {".", ".."}:
        raise InputError(f"{what} is named by a text, not {name!r}")
    return quote(name, safe="@")
