"""Captions kept in a temporary file, each once: a million of them need no more memory than ten."""

import sqlite3
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Self

from freeda_svc.captions.caption import Caption, CaptionTally
from freeda_svc.errors import UnavailableError

CACHE_KIBIBYTES = 8192


class CaptionSpool:
    """Distinct captions in the order they came, in a temporary file that vanishes with it."""

    def __init__(self, *, most_pages: int = 0) -> None:
        """Open an empty one.

        Args:
            most_pages: of 4 KiB that the file may have; as many as the disk has when 0.
        """
        self._database = sqlite3.connect("", isolation_level=None)  # no name: a temporary file
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute("PRAGMA synchronous = OFF")
        self._database.execute(f"PRAGMA max_page_count = {most_pages}")  # 0 changes nothing
        self._database.execute(f"PRAGMA cache_size = -{CACHE_KIBIBYTES}")
        self._database.execute("CREATE TABLE captions (number INTEGER PRIMARY KEY, id INTEGER UNIQUE, text TEXT)")
        self._database.execute("BEGIN")
        self._count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.close()

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Caption]:
        for id_, text in self._database.execute("SELECT id, text FROM captions ORDER BY number"):
            yield Caption(f"{id_ + 2**63:016x}", text)

    def add(self, caption: Caption) -> bool:
        """Add a caption; return whether it is new.

        Raises:
            UnavailableError: the disk has no space for temporary files.
        """
        row = (int(caption.id, 16) - 2**63, caption.text)  # SQLite's integers have a sign
        try:
            new = self._database.execute("INSERT OR IGNORE INTO captions (id, text) VALUES (?, ?)", row).rowcount == 1
        except sqlite3.OperationalError as error:
            raise UnavailableError(f"captions cannot be written to a temporary file: {error}") from error
        self._count += new
        return new

    def fill(self, captions: Iterable[Caption], tally: CaptionTally | None = None) -> None:
        """Add captions; those that are there already are counted as repeated.

        Raises:
            UnavailableError: the disk has no space for temporary files.
        """
        for caption in captions:
            if not self.add(caption) and tally is not None:
                tally.repeated += 1
