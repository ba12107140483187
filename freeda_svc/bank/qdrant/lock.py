"""One process at a time owns a bank folder; the others learn which one."""

import fcntl
import os
from pathlib import Path

from freeda_svc.errors import BusyError, UnavailableError
from freeda_svc.file_locks import open_lock, read_holder, try_lock, write_holder

LOCK_NAME = "lock"


class FolderLock:
    """An advisory lock on a folder, held from construction until `release` or the end of the process.

    The file stays behind when the lock is released: removing it could take it from under a process that has just
    opened it. The kernel drops the lock of a process that dies, however it dies.
    """

    def __init__(self, folder: Path) -> None:
        """Take the lock at once.

        Args:
            folder: an existing folder.

        Raises:
            BusyError: another process, or another open bank of this one, holds it; its id is in the message.
            UnavailableError: the folder cannot be written.
        """
        try:
            self._descriptor = open_lock(folder / LOCK_NAME)
        except OSError as error:
            raise UnavailableError(
                f"the bank folder {folder} cannot be written ({error.strerror}): give a folder you may write to"
            ) from error
        self._held = True
        try:
            if not try_lock(self._descriptor):
                process = read_holder(self._descriptor)
                self._close()
                raise BusyError(
                    f"the bank {folder} is in use by process {process or 'unknown'}: wait until it ends, or stop it "
                    "(Ctrl-C, where it is `freeda up`)"
                )
            write_holder(self._descriptor)
        except OSError as error:
            self._close()
            raise UnavailableError(
                f"the bank folder {folder} cannot be locked ({error.strerror}): keep the bank on a local disk with room"
            ) from error

    def fileno(self) -> int:
        """The descriptor; a process that inherits it holds the lock, too."""
        return self._descriptor

    def release(self) -> None:
        """Let others in; releasing again does nothing."""
        if self._held:
            try:
                os.ftruncate(self._descriptor, 0)
                # Explicit, since a forked child that still has the descriptor would otherwise keep the lock alive.
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)
            finally:
                self._close()

    def _close(self) -> None:
        self._held = False
        os.close(self._descriptor)
