"""The ledger of an embedded bank: which rows exist, what they are, and what is left to be done after a crash.

A batch is visible from the moment its row is in the ledger, for it is written there last and in one transaction.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from freeda_svc.errors import InputError, UnavailableError

LEDGER_NAME = "ledger.sqlite"

NOUN = "noun"
JOB = "job"

ADDING = "adding"
REMOVING = "removing"
MARKING = "marking"
UNMARKING = "unmarking"

_FORMAT = 1
_SCHEMA = """
CREATE TABLE names (kind TEXT NOT NULL, code INTEGER NOT NULL, name TEXT NOT NULL, PRIMARY KEY (kind, code));
CREATE TABLE batches (number INTEGER PRIMARY KEY, first_row INTEGER NOT NULL, rows INTEGER NOT NULL, ids BLOB NOT NULL,
    nouns BLOB NOT NULL, jobs BLOB NOT NULL, captions BLOB NOT NULL, origins BLOB NOT NULL);
CREATE TABLE removed (row INTEGER PRIMARY KEY);
CREATE TABLE marked (row INTEGER PRIMARY KEY, reason TEXT NOT NULL);
CREATE TABLE pending (kind TEXT NOT NULL, ids BLOB NOT NULL);
CREATE TABLE removals (number INTEGER NOT NULL);
INSERT INTO removals VALUES (0);
"""


@dataclass(frozen=True, eq=False)
class RowBatch:
    """What the ledger keeps about some rows, each an array with one entry a row.

    Attributes:
        ids: (N, 16) uint8 point ids.
        nouns: (N,) uint32 codes of nouns.
        jobs: (N,) uint32 codes of jobs.
        captions: (N,) uint64 hashes of caption ids.
        origins: (N,) uint8 positions in `ORIGINS`.
    """

    ids: npt.NDArray[np.uint8]
    nouns: npt.NDArray[np.uint32]
    jobs: npt.NDArray[np.uint32]
    captions: npt.NDArray[np.uint64]
    origins: npt.NDArray[np.uint8]


class Ledger:
    """A SQLite file; every change is one transaction that has reached the disk when its call returns.

    Not for several threads at once.
    """

    def __init__(self, path: Path) -> None:
        """Open a ledger; make it when there is no file.

        Raises:
            InputError: it is no ledger, broken, or of another version.
            UnavailableError: it cannot be read or written.
        """
        self._path = path
        new = not path.exists()
        with self._asking():
            self._connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        try:
            with self._asking():
                if not new:
                    self._check_format()
                self._connection.execute("PRAGMA journal_mode = WAL")
                self._connection.execute("PRAGMA synchronous = FULL")
                if new:
                    self._make_tables()
        except BaseException:
            self._connection.close()
            raise

    def _make_tables(self) -> None:
        with self._transaction():
            for statement in _SCHEMA.split(";"):
                self._connection.execute(statement)
            self._connection.execute(f"PRAGMA user_version = {_FORMAT}")

    def _check_format(self) -> None:
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        if version > _FORMAT:
            raise InputError(f"{self._path} is of format {version}, this version reads up to {_FORMAT}: update freeda")
        if version != _FORMAT:  # an empty file is one of format 0
            raise self._broken(f"it is of format {version}, expected {_FORMAT}")

    def names(self, kind: str) -> list[str]:
        """All names of a kind (`NOUN` or `JOB`); a name's position is its code."""
        with self._asking():
            rows = self._connection.execute("SELECT name FROM names WHERE kind = ? ORDER BY code", (kind,))
            return [name for (name,) in rows]

    def rows(self) -> RowBatch:
        """All rows of all batches that were committed, in their order.

        Raises:
            InputError: a row is missing.
            UnavailableError: it cannot be read.
        """
        with self._asking():
            batches = self._connection.execute(
                "SELECT ids, nouns, jobs, captions, origins FROM batches ORDER BY number"
            ).fetchall()
        ids, nouns, jobs, captions, origins = (
            b"".join(parts) for parts in (zip(*batches, strict=True) if batches else [[]] * 5)
        )
        rows = RowBatch(
            ids=np.frombuffer(ids, dtype=np.uint8).reshape(-1, 16),
            nouns=np.frombuffer(nouns, dtype=np.uint32),
            jobs=np.frombuffer(jobs, dtype=np.uint32),
            captions=np.frombuffer(captions, dtype=np.uint64),
            origins=np.frombuffer(origins, dtype=np.uint8),
        )
        starts = np.cumsum([0, *(len(batch[0]) // 16 for batch in batches)]).tolist()
        lengths = {len(column) for column in (rows.ids, rows.nouns, rows.jobs, rows.captions, rows.origins)}
        if [first for _, first in self.batch_starts()] != starts[:-1] or lengths != {starts[-1]}:
            raise self._broken("its batches do not follow one another")
        return rows

    def batch_starts(self) -> list[tuple[int, int]]:
        """Number and first row of every batch, in their order."""
        with self._asking():
            return self._connection.execute("SELECT number, first_row FROM batches ORDER BY number").fetchall()

    def removed(self) -> list[int]:
        """All rows that were removed."""
        with self._asking():
            return [row for (row,) in self._connection.execute("SELECT row FROM removed")]

    def marked(self) -> dict[int, str]:
        """All rows that are marked as outliers, with the reason."""
        with self._asking():
            return dict(self._connection.execute("SELECT row, reason FROM marked"))

    def version(self) -> tuple[int, int]:
        """The number of the last batch, and how often anything was removed, marked or unmarked."""
        with self._asking():
            (batch,) = self._connection.execute("SELECT coalesce(max(number), 0) FROM batches").fetchone()
            (removals,) = self._connection.execute("SELECT number FROM removals").fetchone()
        return int(batch), int(removals)

    def intend(self, kind: str, ids: npt.NDArray[np.uint8]) -> None:
        """Note that points of the engine are about to change, so that it can be set right after a crash."""
        with self._transaction():
            self._note(kind, ids)

    def pending(self) -> list[tuple[str, npt.NDArray[np.uint8]]]:
        """What was intended and not done, oldest first, with the ids as (N, 16) uint8."""
        with self._asking():
            rows = self._connection.execute("SELECT kind, ids FROM pending ORDER BY rowid").fetchall()
        return [(kind, np.frombuffer(ids, dtype=np.uint8).reshape(-1, 16)) for kind, ids in rows]

    def settle(self) -> None:
        """Note that nothing is pending any more."""
        with self._transaction():
            self._connection.execute("DELETE FROM pending")

    def commit(
        self,
        first_row: int,
        batch: RowBatch,
        names: Iterable[tuple[str, int, str]],
        reasons: Iterable[tuple[int, str]],
    ) -> int:
        """Make a batch visible and settle its intention.

        Args:
            first_row: number of its first row.
            batch: the rows.
            names: kind, code and name of each name that is new with this batch.
            reasons: row and reason of each row that is an outlier from the beginning.

        Returns:
            The batch's number.
        """
        columns = (batch.ids, batch.nouns, batch.jobs, batch.captions, batch.origins)
        with self._transaction():
            self._connection.executemany("INSERT INTO names VALUES (?, ?, ?)", names)
            cursor = self._connection.execute(
                "INSERT INTO batches (first_row, rows, ids, nouns, jobs, captions, origins) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                (first_row, len(batch.ids), *(column.tobytes() for column in columns)),
            )
            self._connection.executemany("INSERT INTO marked VALUES (?, ?)", reasons)
            self._connection.execute("DELETE FROM pending")
        return int(cursor.lastrowid or 0)

    def remove(self, rows: Iterable[int], ids: npt.NDArray[np.uint8]) -> None:
        """Make rows invisible; the engine's points are to be removed."""
        with self._transaction():
            self._connection.executemany("INSERT OR IGNORE INTO removed VALUES (?)", ((int(row),) for row in rows))
            self._connection.execute("DELETE FROM marked WHERE row IN (SELECT row FROM removed)")
            self._note(REMOVING, ids)
            self._connection.execute("UPDATE removals SET number = number + 1")

    def mark(self, reasons: Iterable[tuple[int, str]], ids: npt.NDArray[np.uint8]) -> None:
        """Mark rows as outliers; the engine's points are to be marked."""
        with self._transaction():
            self._connection.executemany("INSERT OR REPLACE INTO marked VALUES (?, ?)", reasons)
            self._note(MARKING, ids)
            self._connection.execute("UPDATE removals SET number = number + 1")

    def unmark(self, rows: Iterable[int], ids: npt.NDArray[np.uint8]) -> None:
        """Take marks back; the engine's points are to be unmarked."""
        with self._transaction():
            self._connection.executemany("DELETE FROM marked WHERE row = ?", ((int(row),) for row in rows))
            self._note(UNMARKING, ids)
            self._connection.execute("UPDATE removals SET number = number + 1")

    def close(self) -> None:
        """Close the file; closing again does nothing."""
        self._connection.close()

    def _note(self, kind: str, ids: npt.NDArray[np.uint8]) -> None:
        self._connection.execute("INSERT INTO pending VALUES (?, ?)", (kind, ids.tobytes()))

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._asking():
            if self._connection.in_transaction:  # of a thread that was interrupted between two statements
                self._connection.execute("ROLLBACK")
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    @contextmanager
    def _asking(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            raise UnavailableError(f"the bank's ledger {self._path} cannot be used ({error})") from error
        except sqlite3.ProgrammingError as error:
            raise UnavailableError(f"the bank {self._path.parent} does not answer: it is closed") from error
        except sqlite3.DatabaseError as error:
            raise self._broken(str(error)) from error

    def _broken(self, reason: str) -> InputError:
        return InputError(
            f"the bank's ledger {self._path} is broken ({reason}): restore the bank from a backup or an archive, "
            "or move the ledger away, and it is made again from the bank's points"
        )


def count_prototypes(path: Path) -> int:
    """How many prototypes a ledger lists, also while another process uses it; 0 where there is no ledger yet.

    Raises:
        UnavailableError: it cannot be read.
    """
    if not path.exists():
        return 0
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            (rows,) = connection.execute("SELECT coalesce(sum(rows), 0) FROM batches").fetchone()
            (removed,) = connection.execute("SELECT count(*) FROM removed").fetchone()
    except sqlite3.DatabaseError as error:
        raise UnavailableError(f"the bank's ledger {path} cannot be read ({error})") from error
    return int(rows) - int(removed)
