"""Artifacts in a folder, which all machines share that work together."""

import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from freeda_svc.artifacts.store import Artifacts, StoredFile
from freeda_svc.errors import NotFoundError, UnavailableError
from freeda_svc.whole_files import ASIDE, write_whole

PROBE_BYTES = 1 << 20
"""With less free space than this no item can be finished."""


class FolderArtifacts(Artifacts):
    """Artifacts as files of a folder; whoever writes below it writes each file aside and renames it."""

    def __init__(self, folder: Path) -> None:
        """Take the folder, which may not be there yet."""
        self.folder = folder
        self.place = str(folder)

    @contextmanager
    def filling(self, *, replacing: bool = True) -> Iterator[Path]:  # noqa: ARG002 - whoever writes sees what is there
        """Give the folder itself."""
        yield self.folder

    def publish(self, name: str) -> None:
        """Do nothing: it is there."""

    def local(self, name: str) -> Path:
        """Return where it is, there or not."""
        return self.folder / name

    def bring(self, names: Iterable[str]) -> Path:  # noqa: ARG002 - all are there
        """Return the folder."""
        return self.folder

    def read(self, name: str) -> bytes:
        """Read the file."""
        try:
            return (self.folder / name).read_bytes()
        except FileNotFoundError as error:
            raise NotFoundError(f"{self.folder / name} is gone from the artifacts") from error
        except OSError as error:
            raise UnavailableError(f"{self.folder / name} cannot be read: {error.strerror}") from error

    def write(self, name: str, content: bytes) -> None:
        """Write the file, whole."""
        path = self.folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, content)
        except OSError as error:
            raise UnavailableError(f"{path} cannot be written: {error.strerror}") from error

    def exists(self, name: str) -> bool:
        """Look for the file."""
        return (self.folder / name).is_file()

    def files(self, below: str) -> Iterator[StoredFile]:
        """List the files, those that are being written, too."""
        folder = self.folder / below
        for path in folder.rglob("*") if folder.is_dir() else ():
            if (found := self._look_at(path)) is not None:
                yield found

    def remove(self, name: str) -> None:
        """Remove the file."""
        try:
            (self.folder / name).unlink(missing_ok=True)
        except OSError as error:
            raise UnavailableError(f"{self.folder / name} cannot be removed: {error.strerror}") from error

    def remove_unchanged(self, file: StoredFile) -> bool:
        """Move it aside, so that what is written meanwhile is not what is removed."""
        path = self.folder / file.name
        aside = path.with_name(f".{uuid4().hex}.part")
        try:
            path.rename(aside)
            if aside.stat().st_mtime <= file.written:
                aside.unlink()
                return True
            aside.replace(path)  # equal content: a file that was put there meanwhile is not lost
        except FileNotFoundError:  # another process has removed it
            pass
        return False

    def remove_below(self, name: str) -> None:
        """Remove the folder below."""
        shutil.rmtree(self.folder / name, ignore_errors=True)

    def begun(self, older_than: float) -> Iterator[StoredFile]:
        """List what was written aside."""
        for path in self.folder.rglob(ASIDE):
            found = self._look_at(path)
            if found is not None and found.written < older_than:
                yield found

    def try_out(self) -> None:
        """Write a file that disappears by itself."""
        if not self.folder.is_dir():
            raise UnavailableError(f"the folder of artifacts {self.folder} is gone: mount it, or correct artifacts")
        probe_folder(self.folder)

    def _look_at(self, path: Path) -> StoredFile | None:
        try:
            about = path.stat()
        except OSError:  # it has just gone
            return None
        if not stat.S_ISREG(about.st_mode):
            return None
        return StoredFile(path.relative_to(self.folder).as_posix(), about.st_size, about.st_mtime)


def probe_folder(folder: Path) -> None:
    """See that a folder can be written.

    Raises:
        UnavailableError: it cannot.
    """
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(PROBE_BYTES))
            file.flush()
    except OSError as error:
        raise UnavailableError(f"the folder {folder} cannot be written: {error.strerror}") from error
