"""Files that appear whole or not at all: written aside in the same folder, then renamed."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

ASIDE = ".*.part"
"""Names of files that are being written, downloads too; one that stays was left by a process that was killed."""
CHUNK_BYTES = 1 << 16
_ZEROS = bytes(CHUNK_BYTES)


@contextmanager
def placed_whole(path: Path) -> Iterator[Path]:
    """Give a path aside to write to; at the end it takes the place of ``path``.

    When the block raises, what was written is removed and what was at ``path`` before is untouched.

    Raises:
        OSError: the file cannot be put in place, or the block did not write it.
    """
    aside = path.with_name(f".{uuid4().hex}.part")
    try:
        yield aside
        with aside.open("rb+") as file:
            os.fsync(file.fileno())
        aside.replace(path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise


def write_whole(path: Path, content: bytes) -> None:
    """Put bytes at a path, whole.

    Raises:
        OSError: it cannot be written there.
    """
    with placed_whole(path) as aside:
        aside.write_bytes(content)


def copy_file(source: Path, target: Path) -> str:
    """Copy a file, whose empty stretches stay holes: a bank's files are large and mostly empty.

    Args:
        source: is read.
        target: a new file that only its owner can read; folders above it are made.

    Returns:
        The SHA-256 of the content, as hexadecimal digits.

    Raises:
        OSError: it cannot be read or written.
    """
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    digest = hashlib.sha256()
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with source.open("rb") as read, os.fdopen(descriptor, "wb") as written:
        while chunk := read.read(CHUNK_BYTES):
            digest.update(chunk)
            if chunk == _ZEROS[: len(chunk)]:
                written.seek(len(chunk), os.SEEK_CUR)
            else:
                written.write(chunk)
        written.truncate(written.tell())
    return digest.hexdigest()
