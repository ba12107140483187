"""How a caption file is read: which of its columns or fields holds the captions, and what separates them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from freeda_svc.captions.caption import CaptionTally
from freeda_svc.captions.sources import source_name
from freeda_svc.errors import InputError

USUAL_COLUMNS = ("caption", "text")
"""Where captions are looked for when no column is named."""

TAB = "\t"
SEPARATORS = {TAB: "tab", ";": "';'", "|": "'|'", ",": "','"}
"""Common separators of columns in a table, and what messages call them."""

_HEADINGS = frozenset(("alt", "caption", "captions", "comment", "description", "raw", "sentence", "text", "title"))
_LONGEST_SHOWN, _MOST_SHOWN = 30, 20


@dataclass(frozen=True)
class ReadOptions:
    """How the captions of a file are read.

    Attributes:
        path: of the file; ``-`` is standard input.
        column: the name of the column or field, or the number of a column counted from 1; empty: the usual ones.
        separator: one character between the columns of a table; empty: the format's own.
        tally: counts what a reader leaves out.
    """

    path: Path
    column: str = ""
    separator: str = ""
    tally: CaptionTally = field(default_factory=CaptionTally)

    @property
    def name(self) -> str:
        """What to call the file in a message."""
        return source_name(self.path)

    @property
    def named(self) -> str:
        """The column or field as a message names it."""
        return " or ".join(f"'{name}'" for name in self._names)

    @property
    def _names(self) -> tuple[str, ...]:
        return (self.column,) if self.column else USUAL_COLUMNS

    def find(self, names: Iterable[str]) -> str | None:
        """Return the matching name: the same, or else one that differs in case or surrounding blanks."""
        there = list(names)
        for name in self._names:
            if name in there:
                return name
        for name in self._names:
            for other in there:
                if other.strip().casefold() == name.strip().casefold():
                    return other
        return None

    def choose(self, names: Sequence[str], place: str, kind: str) -> str:
        """Return the name that is meant.

        Args:
            names: of columns or fields.
            place: of the file they are in.
            kind: ``column`` or ``field``.

        Raises:
            InputError: it is not among the names.
        """
        found = self.find(names)
        if found is None:
            raise InputError(f"{place}: there is no {kind} {self.named}; choose one with --column: {_listed(names)}")
        return found

    def place_in(self, first: Sequence[str], separator: str) -> tuple[int, bool]:
        """Find the column in a table by its first row.

        A number is looked for among the names, too. When it is no name it counts columns, and the table is taken to
        have no header, unless the first row names that column as captions are usually called.

        Returns:
            Its position from 0, and whether the first row is a header.

        Raises:
            InputError: there is no such column.
        """
        found = self.find(first)
        if found is not None:
            return list(first).index(found), True
        if self.column.isascii() and self.column.isdigit():
            position = int(self.column) - 1
            if not 0 <= position < len(first):
                raise InputError(f"{self.name}: there is no column {self.column}; its first row has {len(first)}")
            return position, any(name.strip().casefold() in _HEADINGS for name in first)
        other = next((how for mark, how in SEPARATORS.items() if mark != separator and mark in first[0]), None)
        if len(first) == 1 and other is not None:
            raise InputError(
                f"{self.name}: there is no column {self.named} in {first[0].strip()!r:.60}; "
                f"if {other} parts its columns, add --separator {other}"
            )
        raise InputError(
            f"{self.name}: there is no column {self.named}; choose one with --column: {_listed(first)}"
            " (or by number, from 1, when that is no header)"
        )


def _listed(names: Sequence[str]) -> str:
    names = [name.strip() for name in names]
    shown = [name if len(name) <= _LONGEST_SHOWN else f"{name[:_LONGEST_SHOWN]}..." for name in names[:_MOST_SHOWN]]
    more = f" and {len(names) - _MOST_SHOWN} more" if len(names) > _MOST_SHOWN else ""
    return (", ".join(shown) or "none") + more
