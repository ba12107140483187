"""Files that appear whole or not at all: written aside in the same folder, then renamed."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

ASIDE = ".*.part"
"""Names of files that are being written, downloads too; one that stays was left by a process that was killed."""


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
