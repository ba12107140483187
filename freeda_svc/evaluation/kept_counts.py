"""The counts of every image that is done, on disk, so that an interrupted evaluation can continue."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from freeda_svc.errors import InputError, UnavailableError
from freeda_svc.whole_files import ASIDE, placed_whole, write_whole

RUN_FILE, COUNTS_FOLDER = "evaluation.json", "counts"
Identity = Mapping[str, Any]
"""What an evaluation's numbers follow from; anything that JSON can hold, by names that a person understands."""

_COLUMNS = 3


class KeptCounts:
    """A folder with the confusion counts of each image, which belong to one evaluation."""

    def __init__(self, folder: Path, identity: Identity) -> None:
        """Begin in a new or empty folder, or go on in one of the same evaluation.

        Raises:
            InputError: the folder is of another evaluation, or holds something else.
            UnavailableError: it cannot be written.
        """
        self._folder = folder
        given = json.loads(json.dumps(identity))
        path = folder / RUN_FILE
        if path.is_file():
            _check_same(folder, _read_identity(path), given)
            return
        try:
            if folder.is_dir() and any(not inside.match(ASIDE) for inside in folder.iterdir()):
                raise InputError(f"{folder} is not empty and holds no evaluation; name another with --out")
            folder.mkdir(parents=True, exist_ok=True)
            write_whole(path, f"{json.dumps(given, indent=2)}\n".encode())  # first: without it the folder is another's
            (folder / COUNTS_FOLDER).mkdir(exist_ok=True)
        except OSError as error:
            raise UnavailableError(f"{folder} cannot be written: {error.strerror}; name another with --out") from error

    def find(self, name: str, classes: int) -> npt.NDArray[np.int64] | None:
        """Return the (classes, classes) counts of an image; None when it is not done.

        Raises:
            InputError: what is kept of it is damaged; says which file.
        """
        path = self._place(name)
        if not path.is_file():
            return None
        try:
            return _read_counts(path, classes)
        except (ValueError, IndexError, OSError, EOFError) as error:
            raise InputError(
                f"the counts {path} are damaged ({error}); remove the file, its image is evaluated again"
            ) from error

    def keep(self, name: str, counts: npt.NDArray[np.int64]) -> None:
        """Keep the (classes, classes) counts of an image: rows of true class, predicted class and pixels.

        Raises:
            UnavailableError: the file cannot be written.
        """
        true, predicted = np.nonzero(counts)
        rows = np.stack([true, predicted, counts[true, predicted]], axis=1).astype(np.int64)
        path = self._place(name)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with placed_whole(path) as aside, aside.open("wb") as file:
                np.save(file, rows, allow_pickle=False)
        except OSError as error:
            raise UnavailableError(f"{path} cannot be written: {error.strerror}; make room and go on") from error

    def _place(self, name: str) -> Path:
        return self._folder / COUNTS_FOLDER / f"{name}.npy"


def _read_counts(path: Path, classes: int) -> npt.NDArray[np.int64]:
    rows = np.load(path, allow_pickle=False)
    if rows.shape != (len(rows), _COLUMNS) or (len(rows) and rows.min() < 0):
        raise ValueError("not rows of true class, predicted class and pixels")
    counts = np.zeros((classes, classes), dtype=np.int64)
    counts[rows[:, 0], rows[:, 1]] = rows[:, 2]
    return counts


def _read_identity(path: Path) -> Identity:
    try:
        identity = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read ({error}); name another folder with --out") from error
    if not isinstance(identity, dict):
        raise InputError(f"{path} is of something else; name another folder with --out")
    return identity


def _check_same(folder: Path, kept: Identity, given: Identity) -> None:
    before, now = _flat(kept), _flat(given)
    for key in (*now, *before):
        if before.get(key) != now.get(key):
            raise InputError(
                f"{folder} holds an evaluation with another {key} ({_short(before.get(key))}, now "
                f"{_short(now.get(key))}); name another folder with --out"
            )


def _flat(identity: Identity, above: str = "") -> dict[str, Any]:
    """The same without nesting: ``parameters.beta``."""
    flat: dict[str, Any] = {}
    for key, value in identity.items():
        flat.update(_flat(value, f"{above}{key}.") if isinstance(value, dict) else {f"{above}{key}": value})
    return flat


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else f"{text[:37]}..."  # noqa: PLR2004 (a line stays readable)
