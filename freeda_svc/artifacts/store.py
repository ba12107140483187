"""What every place of artifacts offers."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from freeda_svc.errors import UnavailableError


class StorageUnavailableError(UnavailableError):
    """The storage of artifacts does not answer, or does not let this installation in: no job is to blame for it."""


@dataclass(frozen=True)
class StoredFile:
    """An artifact as a listing has it.

    Attributes:
        name: below the place of artifacts, with slashes.
        size: bytes.
        written: when, in seconds since 1970, by the clock of what stores it.
    """

    name: str
    size: int
    written: float


class Artifacts(ABC):
    """A place of artifacts; its methods can be called from several threads.

    Attributes:
        folder: on this machine: the artifacts themselves, or copies of some of them.
        place: what people call it: a folder's path, or ``s3://BUCKET/PREFIX``.
    """

    folder: Path
    place: str

    @abstractmethod
    def filling(self, *, replacing: bool = True) -> AbstractContextManager[Path]:
        """Give a folder to write to; at the end each file in it is an artifact, named by its path below the folder.

        Each file becomes visible whole or not at all, ``summary.json`` of a result after the others: where it is, all
        are. When the block raises, nothing more becomes visible.

        Args:
            replacing: whether artifacts are replaced that have the same names; of a folder whoever writes decides.

        Raises:
            UnavailableError: at the end: the files cannot be stored.
        """

    @abstractmethod
    def publish(self, name: str) -> None:
        """Make an artifact of a file that was written whole at ``folder / name``.

        Raises:
            UnavailableError: it cannot be stored.
        """

    @abstractmethod
    def local(self, name: str) -> Path:
        """Return the path of a file on this machine that has an artifact's content, which is fetched if need be.

        The path of a folder's file is returned whether the file is there or not.

        Raises:
            NotFoundError: there is no such artifact.
            UnavailableError: the storage does not answer.
        """

    @abstractmethod
    def bring(self, names: Iterable[str]) -> Path:
        """See that those of some artifacts that exist are in ``folder``, and return it.

        Raises:
            UnavailableError: the storage does not answer.
        """

    @abstractmethod
    def read(self, name: str) -> bytes:
        """Return the newest content of an artifact.

        Raises:
            NotFoundError: there is no such artifact.
            UnavailableError: the storage does not answer, or it cannot be read.
        """

    @abstractmethod
    def write(self, name: str, content: bytes) -> None:
        """Store an artifact, whole, in place of what has its name.

        Raises:
            UnavailableError: it cannot be stored.
        """

    @abstractmethod
    def exists(self, name: str) -> bool:
        """Return whether there is such an artifact.

        Raises:
            UnavailableError: the storage does not answer.
        """

    @abstractmethod
    def files(self, below: str) -> Iterator[StoredFile]:
        """List the artifacts below a name, such as ``inputs``, in no particular order.

        Raises:
            UnavailableError: the storage does not answer.
        """

    @abstractmethod
    def remove(self, name: str) -> None:
        """Remove an artifact; one that is gone is no error.

        Raises:
            UnavailableError: it cannot be removed.
        """

    @abstractmethod
    def remove_unchanged(self, file: StoredFile) -> bool:
        """Remove an artifact unless it was written again since it was listed; return whether it was removed.

        Raises:
            UnavailableError: it cannot be removed.
        """

    @abstractmethod
    def remove_below(self, name: str) -> None:
        """Remove all artifacts below a name.

        Raises:
            UnavailableError: one cannot be removed.
        """

    @abstractmethod
    def begun(self, older_than: float) -> Iterator[StoredFile]:
        """List files that were begun and never put in place.

        Args:
            older_than: only those that were last written before this time, seconds since 1970.
        """

    @abstractmethod
    def try_out(self) -> None:
        """See that artifacts can be written, read and removed.

        Raises:
            UnavailableError: they cannot.
        """
