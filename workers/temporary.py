"""A worker's folder for what lives as long as it does: sockets, and files that are shared with its working process."""

import multiprocessing
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from freeda_svc.errors import UnavailableError
from freeda_svc.settings import Settings

PREFIX = "freeda-worker-"


@contextmanager
def temporary_folder(settings: Settings) -> Iterator[Path]:
    """Give the worker that holds its lock such a folder, and remove the one that it left when it was killed.

    It lies among other temporary files: a full disk of the home does not keep a working process from being started, and
    paths there are short enough for sockets. The home has its path.

    Raises:
        UnavailableError: there is no place for temporary files.
    """
    note = settings.worker_lock.with_suffix(".temporary")
    _remove_left(note)
    try:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    except OSError as error:
        raise UnavailableError(f"no temporary files can be made ({error}): set TMPDIR to another folder") from error
    with suppress(OSError):  # a full disk: it is not noted
        note.symlink_to(folder)
    # Celery's pool would make one of its own by this, and leave it when it is killed.
    shared = multiprocessing.current_process()._config  # type: ignore[attr-defined]  # noqa: SLF001 - no public way
    before = shared.get("tempdir")
    shared["tempdir"] = str(folder)
    try:
        yield folder
    finally:
        shared["tempdir"] = before
        shutil.rmtree(folder, ignore_errors=True)
        note.unlink(missing_ok=True)


def _remove_left(note: Path) -> None:
    """Remove the folder of a worker that was killed, if it is what it was."""
    with suppress(OSError):
        left = note.readlink()
        note.unlink()
        state = left.lstat()
        if left.name.startswith(PREFIX) and stat.S_ISDIR(state.st_mode) and state.st_uid == os.geteuid():
            shutil.rmtree(left, ignore_errors=True)
