"""Results on a server, fetched when they are needed; files of every format are made of them here."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from freeda_svc.client.connection import Connection
from freeda_svc.errors import InputError, NotFoundError
from freeda_svc.outputs import EVIDENCE, EVIDENCE_PAGE, KeptResult, make_folder
from freeda_svc.outputs.kept import MASK, REGIONS, SCORES, SUMMARY
from freeda_svc.outputs.scores import keep_scores, write_score_arrays

_FETCHED: Mapping[str, str] = {
    MASK: "mask.png",
    SUMMARY: "json",
    EVIDENCE: "evidence.json",
    EVIDENCE_PAGE: "evidence.html",
}
"""What the server calls the files that are kept as they are."""
_SCORES = "scores.npz"
_OF_SCORES = ("scores", "regions", "region_scores")


@dataclass(frozen=True)
class ResultsPlace:
    """Where the results of one job are.

    Attributes:
        connection: to the server.
        job: the job's whole id.
        folder: gets what is fetched; notes of the colours of pictures lie there for all jobs.
    """

    connection: Connection
    job: str
    folder: Path

    def fetch(self, number: int, name: str, path: Path) -> None:
        """Write a file of an item's results to a path, whole.

        Args:
            number: of the item.
            name: of the file behind the number, such as ``mask.png``.
            path: in a folder that is made when it is not there.

        Raises:
            NotFoundError: it is not there.
            UnavailableError: the server does not answer, or the file cannot be written.
        """
        make_folder(path.parent)
        self.connection.download(f"/v1/jobs/{self.job}/results/{number}.{name}", path)


class RemoteResult(KeptResult):
    """What a server keeps of one segmented image; each file is fetched once, when it is first read."""

    def __init__(self, place: ResultsPlace, number: int) -> None:
        super().__init__(place.folder / f"{place.job}-{number}")
        self._place = place
        self._number = number

    def path(self, name: str) -> Path:
        """Return the path of a file, which is fetched when it is not there yet."""
        path = self.folder / name
        if not path.is_file():
            self._fetch_scores() if name in {SCORES, REGIONS} else self._fetch(name)
        return path

    def evidence(self, name: str) -> Path:
        """Return the path of a file of evidence, which is fetched when it is not there yet.

        Raises:
            NotFoundError: it was not asked for.
        """
        return self.path(name)

    @property
    def whole(self) -> bool:
        """Whether the server has it."""
        try:
            self.path(SUMMARY)
        except NotFoundError:
            return False
        return True

    def remove(self) -> None:
        """Remove what was fetched of it."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _fetch(self, name: str) -> None:
        self._place.fetch(self._number, _FETCHED[name], self.folder / name)

    def _fetch_scores(self) -> None:
        archive = self.folder / _SCORES
        self._place.fetch(self._number, _SCORES, archive)
        arrays = read_arrays(archive)
        archive.unlink()
        keep_scores(self.folder / SCORES, arrays["scores"])
        write_score_arrays(self.folder / REGIONS, {name: arrays[name] for name in _OF_SCORES[1:]})


def read_arrays(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays of a file with scores.

    Raises:
        InputError: it is no such file.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in _OF_SCORES}
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise InputError(f"the scores that the server sent cannot be read: {error}") from error
