"""Lists of a server that come in pages, and names as parts of its paths."""

from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote

from freeda_svc.client.answers import entry_of
from freeda_svc.client.connection import Connection
from freeda_svc.errors import InputError

MOST_ITEMS = 1000
"""How many entries of most lists a server gives at once."""


class Pages:
    """A server as plain values."""

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
        return list(self.each(path, most=most, at_once=at_once, **params))

    def each(
        self,
        path: str,
        *,
        most: int | None = None,
        at_once: int | None = None,
        **params: Any,  # noqa: ANN401
    ) -> Iterator[Any]:
        """Go through a list of several pages; see ``pages``."""
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

    def installation(self, bank: str = "") -> dict[str, Any]:
        """Return what a request for a bank meets at the server: its pack with parameters, and the bank's version."""
        found = self._connection.ask("GET", "/v1/installation", params={"bank": bank})
        for name in ("pack", "bank"):
            entry_of(found, name, dict, self._address)
        return dict(found)


def path_part(name: Sequence[str] | str, what: str) -> str:
    """Return a name as a part of a path.

    Raises:
        InputError: it is none.
    """
    if not isinstance(name, str) or not name.strip() or name in {".", ".."}:
        raise InputError(f"{what} is named by a text, not {name!r}")
    return quote(name, safe="@")
