"""Results among artifacts that are in a bucket: their files are fetched when they are first read."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock

from freeda_svc.artifacts import Artifacts
from freeda_svc.errors import NotFoundError
from freeda_svc.outputs import COLOURS_FILE, KeptResult
from freeda_svc.outputs.kept import REQUIRED

_noting = Lock()
"""Notes are read, added to and stored by one thread of a process at a time."""


class StoredResult(KeptResult):
    """What is kept of one segmented image in a bucket."""

    def __init__(self, artifacts: Artifacts, name: str) -> None:
        """Take the artifacts, and the result's name among them; nothing is fetched yet."""
        super().__init__(artifacts.folder / name)
        self._artifacts = artifacts
        self._name = name
        self._was_whole = False

    def path(self, name: str) -> Path:
        """Return the path of a file, which is fetched when it is not there yet."""
        try:
            return self._artifacts.local(f"{self._name}/{name}")
        except NotFoundError:
            return super().path(name)  # says so

    def evidence(self, name: str) -> Path:
        """Return the path of a file of evidence, which is fetched when it is not there yet."""
        try:
            return self._artifacts.local(f"{self._name}/{name}")
        except NotFoundError:
            return super().evidence(name)

    @contextmanager
    def colour_notes(self) -> Iterator[Path]:
        """Give a folder with the newest notes, and store those that are added.

        Two servers that note colours in the same moment may choose differently; the later note stays.
        """
        name = f"{self._name.rpartition('/')[0]}/{COLOURS_FILE}"
        with _noting, TemporaryDirectory(prefix="freeda-colours-") as folder:
            notes = Path(folder) / COLOURS_FILE
            try:
                before = self._artifacts.read(name)
            except NotFoundError:
                before = b""
            notes.write_bytes(before)
            yield Path(folder)
            after = notes.read_bytes()
            if after != before:
                self._artifacts.write(name, after)

    @property
    def whole(self) -> bool:
        """Whether all files are stored; asked until they are."""
        if not self._was_whole:
            found = {file.name for file in self._artifacts.files(self._name)}
            self._was_whole = all(f"{self._name}/{name}" in found for name in REQUIRED)
        return self._was_whole
