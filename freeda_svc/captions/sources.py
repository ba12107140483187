"""Opening what captions are read from: a file, standard input, either of them compressed."""

import gzip
import os
import shutil
import sys
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from io import BufferedReader, RawIOBase
from pathlib import Path
from typing import IO, cast

from freeda_svc import text_files
from freeda_svc.errors import InputError

STANDARD_INPUT = Path("-")
GZIP_ENDING = ".gz"

_GZIP_MARK = b"\x1f\x8b"


def called(path: Path) -> str:
    r"""Return what to call a source in a message; bytes of its name that are not UTF-8 come as ``\xe9``."""
    return "standard input" if path == STANDARD_INPUT else os.fsencode(path).decode("utf-8", "backslashreplace")


@contextmanager
def opened(path: Path) -> Iterator[BufferedReader]:
    """Open a file, or standard input for ``-``; what is compressed with gzip, by its name or first bytes, is unpacked.

    Raises:
        InputError: it cannot be read, or its compression is broken; also what is raised so inside the block.
    """
    name = called(path)
    try:
        with ExitStack() as stack:
            stream = _standard_input() if path == STANDARD_INPUT else stack.enter_context(path.open("rb"))
            if stream.peek(2)[:2] == _GZIP_MARK or path.suffix.lower() == GZIP_ENDING:
                unpacked = stack.enter_context(gzip.GzipFile(fileobj=stream))
                stream = BufferedReader(cast("RawIOBase", unpacked))
            yield stream
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{name}: its gzip compression is broken or cut off ({error})") from error
    except OSError as error:
        raise InputError(f"{name} cannot be read: {error.strerror or error}") from error


def _standard_input() -> BufferedReader:
    stream = sys.stdin.buffer
    return stream if isinstance(stream, BufferedReader) else BufferedReader(cast("RawIOBase", stream))


@contextmanager
def seekable(stream: BufferedReader) -> Iterator[IO[bytes]]:
    """Give a stream that can be read in any order: itself, or a temporary copy of what comes through a pipe."""
    if isinstance(stream.raw, gzip.GzipFile) or not stream.seekable():
        with tempfile.TemporaryFile() as copy:
            shutil.copyfileobj(stream, copy)
            copy.seek(0)
            yield copy
    else:
        yield stream


def skip_byte_order_mark(stream: BufferedReader, path: Path) -> None:
    """Step over the mark that some programs put before UTF-8.

    Raises:
        InputError: the text begins in another encoding.
    """
    text_files.skip_byte_order_mark(stream, called(path))
