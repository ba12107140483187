"""What an embedded bank knows about its rows, in memory: a few bytes a prototype, so that selecting needs no engine."""

import hashlib
import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

from freeda_svc.bank.embedded.ledger import JOB, NOUN, Ledger, RowBatch
from freeda_svc.bank.store import Selection
from freeda_svc.prototypes.record import ORIGINS, Prototype

_RECENT_ROWS = 50_000
_CANONICAL = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
"""How ids are nearly always written; they are then read several times faster than by `uuid`."""

Value = TypeVar("Value", bound=np.generic)


def pack_ids(ids: Sequence[str]) -> npt.NDArray[np.uint8]:
    """Point ids as (N, 16) uint8.

    Raises:
        ValueError: one of them is not a UUID.
    """
    if all(map(_CANONICAL.fullmatch, ids)):
        packed = bytes.fromhex("".join(ids).replace("-", ""))
    else:
        packed = b"".join(uuid.UUID(text).bytes for text in ids)
    return np.frombuffer(packed, dtype=np.uint8).reshape(-1, 16)


def unpack_ids(packed: npt.NDArray[np.uint8]) -> list[str]:
    """Point ids (N, 16) uint8 as text."""
    digits = packed.tobytes().hex()
    return [
        f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
        for text in (digits[start : start + 32] for start in range(0, len(digits), 32))
    ]


def hash_caption(caption_id: str) -> np.uint64:
    """Eight bytes that stand for a caption's id."""
    digest = hashlib.blake2b(caption_id.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return np.uint64(int.from_bytes(digest, "little"))


class _Names:
    """Nouns or jobs and their codes."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = list(names)
        self._codes = {name: code for code, name in enumerate(self.names)}

    def code(self, name: str) -> int | None:
        return self._codes.get(name)

    def code_or_new(self, name: str) -> int:
        code = self._codes.setdefault(name, len(self.names))
        if code == len(self.names):
            self.names.append(name)
        return code

    def forget_from(self, count: int) -> None:
        # Not name by name: an interrupt may have left a code without its name.
        self._codes = {name: code for name, code in self._codes.items() if code < count}
        del self.names[count:]


class _Column(Generic[Value]):
    """An array that grows at its end without being copied every time."""

    def __init__(self, values: npt.NDArray[Value]) -> None:
        self._values = values

    def append(self, at: int, part: npt.NDArray[Value]) -> None:
        needed = at + len(part)
        if needed > len(self._values):
            grown = np.empty((max(needed, 2 * len(self._values), 1024), *self._values.shape[1:]), self._values.dtype)
            grown[:at] = self._values[:at]
            self._values = grown
        self._values[at:needed] = part

    @property
    def values(self) -> npt.NDArray[Value]:
        return self._values


@dataclass
class _IdIndex:
    """Finds rows by id: the first eight bytes are sorted for old rows and in a dictionary for recent ones."""

    prefixes: npt.NDArray[np.uint64] = field(default_factory=lambda: np.empty(0, dtype=np.uint64))
    order: npt.NDArray[np.int64] = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    recent: dict[bytes, int] = field(default_factory=dict)


class Directory:
    """Ids, nouns, jobs, captions, origins and marks of all rows. Not for several threads that change it."""

    def __init__(self, ledger: Ledger) -> None:
        """Read everything that the ledger keeps."""
        rows = ledger.rows()
        self._ids, self._nouns, self._jobs = _Column(rows.ids), _Column(rows.nouns), _Column(rows.jobs)
        self._captions, self._origins = _Column(rows.captions), _Column(rows.origins)
        self.rows = len(rows.ids)
        self.reasons = ledger.marked()
        alive, marked = np.ones(self.rows, dtype=bool), np.zeros(self.rows, dtype=bool)
        alive[ledger.removed()] = False
        marked[list(self.reasons)] = True
        self._alive, self._marked = _Column(alive), _Column(marked)
        self._noun_names, self._job_names = _Names(ledger.names(NOUN)), _Names(ledger.names(JOB))
        self._index = _IdIndex()
        self._sort_ids()

    @property
    def noun_codes(self) -> npt.NDArray[np.uint32]:
        """(N,) the noun of each row; the same number for the same noun."""
        return self._nouns.values[: self.rows]

    @property
    def alive(self) -> npt.NDArray[np.bool_]:
        """(N,) whether a row is there."""
        return self._alive.values[: self.rows]

    @property
    def retrievable(self) -> npt.NDArray[np.bool_]:
        """(N,) whether retrieval may return a row; a new array."""
        allowed: npt.NDArray[np.bool_] = self.alive & ~self._marked.values[: self.rows]
        return allowed

    def of_origins(self, origins: frozenset[str]) -> npt.NDArray[np.bool_]:
        """(N,) whether a row is of one of these origins."""
        codes = [code for code, origin in enumerate(ORIGINS) if origin in origins]
        return np.isin(self._origins.values[: self.rows], codes)

    def ids(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
        """(N, 16) ids of rows."""
        return self._ids.values[rows]

    def nouns(self, rows: npt.NDArray[np.int64]) -> tuple[str, ...]:
        """The nouns of rows."""
        names = self._noun_names.names
        return tuple(names[code] for code in self._nouns.values[rows].tolist())

    def origins(self, rows: npt.NDArray[np.int64]) -> tuple[str, ...]:
        """The origins of rows."""
        return tuple(ORIGINS[code] for code in self._origins.values[rows].tolist())

    def noun_counts(self) -> dict[str, int]:
        """All nouns that have a row, in alphabetical order, with the number of rows."""
        return self._counts(self.noun_codes, self._noun_names)

    def job_count(self) -> int:
        """Number of different jobs, not counting the empty one."""
        return len(self._counts(self._jobs.values[: self.rows], self._job_names).keys() - {""})

    def caption_count(self) -> int:
        """Number of different captions."""
        captions = np.sort(self._captions.values[: self.rows][self.alive])  # much faster than np.unique
        return int(np.count_nonzero(np.diff(captions))) + min(len(captions), 1)

    def origin_counts(self) -> dict[str, int]:
        """Number of rows of each origin that has any."""
        counts = np.bincount(self._origins.values[: self.rows][self.alive], minlength=len(ORIGINS))
        return {origin: int(count) for origin, count in zip(ORIGINS, counts, strict=True) if count}

    def find(self, ids: Sequence[str]) -> npt.NDArray[np.int64]:
        """(N,) the rows of ids that are there; -1 where there is none."""
        found = np.full(len(ids), -1, dtype=np.int64)
        if not len(ids):
            return found
        try:
            packed = pack_ids(ids)
        except ValueError:  # what is no UUID is not there
            valid = [number for number, text in enumerate(ids) if _is_uuid(text)]
            found[valid] = self.find([ids[number] for number in valid])
            return found
        index, alive = self._index, self._alive.values
        prefixes = _prefixes(packed)
        places = np.searchsorted(index.prefixes, prefixes)
        left = np.arange(len(ids))
        while len(left):  # rarely more than once: an id has several rows where it was removed and added again
            left = left[places[left] < len(index.prefixes)]
            left = left[index.prefixes[places[left]] == prefixes[left]]
            rows = index.order[places[left]]
            right = alive[rows] & (self._ids.values[rows] == packed[left]).all(axis=1)
            found[left[right]] = rows[right]
            left = left[~right]
            places[left] += 1
        if index.recent:
            for number in np.flatnonzero(found < 0).tolist():
                row = index.recent.get(packed[number].tobytes())
                if row is not None and alive[row]:
                    found[number] = row
        return found

    def is_meant(self, selection: Selection) -> npt.NDArray[np.bool_]:
        """(N,) whether a row is there and meant."""
        chosen = self.alive.copy()
        for name, column, names in (
            (selection.noun, self._nouns, self._noun_names),
            (selection.job, self._jobs, self._job_names),
        ):
            if name is not None:
                code = names.code(name)
                chosen &= False if code is None else column.values[: self.rows] == code
        if selection.caption_id is not None:
            chosen &= self._captions.values[: self.rows] == hash_caption(selection.caption_id)
        if selection.origin is not None:
            chosen &= self.of_origins(frozenset({selection.origin}))
        if selection.outlier is not None:
            chosen &= self._marked.values[: self.rows] == selection.outlier
        return chosen

    def is_marked(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """(N,) whether rows are marked as outliers."""
        return self._marked.values[rows]

    def describe(self, ids: Sequence[str], prototypes: Sequence[Prototype]) -> RowBatch:
        """What the ledger is to keep about new rows; new names get codes, see `new_names`."""
        return RowBatch(
            ids=pack_ids(ids),
            nouns=np.array([self._noun_names.code_or_new(p.noun) for p in prototypes], dtype=np.uint32),
            jobs=np.array([self._job_names.code_or_new(p.job) for p in prototypes], dtype=np.uint32),
            captions=np.array([hash_caption(p.caption_id) for p in prototypes], dtype=np.uint64),
            origins=np.array([ORIGINS.index(p.origin) for p in prototypes], dtype=np.uint8),
        )

    def name_counts(self) -> tuple[int, int]:
        """Numbers of nouns and jobs that have codes."""
        return len(self._noun_names.names), len(self._job_names.names)

    def new_names(self, since: tuple[int, int]) -> list[tuple[str, int, str]]:
        """Kind, code and name of the names that came after `name_counts` was ``since``."""
        kinds = ((NOUN, self._noun_names, since[0]), (JOB, self._job_names, since[1]))
        return [
            (kind, first + number, name)
            for kind, names, first in kinds
            for number, name in enumerate(names.names[first:])
        ]

    def forget_names(self, since: tuple[int, int]) -> None:
        """Give back the codes of names that came after `name_counts` was ``since``: their batch was not committed."""
        self._noun_names.forget_from(since[0])
        self._job_names.forget_from(since[1])

    def append(self, batch: RowBatch, reasons: Sequence[str]) -> None:
        """Take over rows that the ledger has committed, with the reasons for which they are marked (mostly empty)."""
        first, count = self.rows, len(batch.ids)
        self._ids.append(first, batch.ids)
        self._nouns.append(first, batch.nouns)
        self._jobs.append(first, batch.jobs)
        self._captions.append(first, batch.captions)
        self._origins.append(first, batch.origins)
        self._alive.append(first, np.ones(count, dtype=np.bool_))
        self._marked.append(first, np.array([bool(reason) for reason in reasons], dtype=np.bool_))
        self.reasons.update((first + number, reason) for number, reason in enumerate(reasons) if reason)
        self._index.recent.update((batch.ids[number].tobytes(), first + number) for number in range(count))
        self.rows += count
        if len(self._index.recent) > _RECENT_ROWS:
            self._sort_ids()

    def remove(self, rows: npt.NDArray[np.int64]) -> None:
        """Take rows away."""
        self._alive.values[rows] = False
        self._marked.values[rows] = False
        for row in rows.tolist():
            self.reasons.pop(row, None)

    def mark(self, reasons: Sequence[tuple[int, str]]) -> None:
        """Mark rows as outliers."""
        self.reasons.update(reasons)
        self._marked.values[[row for row, _ in reasons]] = True

    def unmark(self, rows: npt.NDArray[np.int64]) -> None:
        """Take marks back."""
        self._marked.values[rows] = False
        for row in rows.tolist():
            self.reasons.pop(row, None)

    def _sort_ids(self) -> None:
        prefixes = _prefixes(self._ids.values[: self.rows])
        order = np.argsort(prefixes, kind="stable")
        self._index = _IdIndex(prefixes[order], order)

    def _counts(self, codes: npt.NDArray[np.generic], names: _Names) -> dict[str, int]:
        counts = np.bincount(codes[self.alive].astype(np.int64), minlength=len(names.names))
        return dict(sorted((names.names[code], int(counts[code])) for code in np.flatnonzero(counts)))


def _prefixes(packed: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint64]:
    return packed[:, :8].copy().view(np.uint64)[:, 0]


def _is_uuid(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True
