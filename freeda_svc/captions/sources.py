"""Opening what captions are read from: a file, standard input, either of them compressed."""

import gzip
import os
import sys
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from io import BufferedReader, RawIOBase
from pathlib import Path
from typing import IO, Any, cast

from freeda_svc.errors import InputError
from freeda_svc.input_files import ANYWHERE, InputRules, missing_file, open_input

STANDARD_INPUT = Path("-")
GZIP_ENDING = ".gz"

LARGEST_COPY = 1 << 30
"""Bytes of what is copied to a temporary file, which may be in memory."""

LONGEST_VALUE = 1 << 22
"""Bytes of the longest text or list of numbers in a JSON document."""

_COPIED_AT_ONCE = 1 << 20
_GZIP_MARK = b"\x1f\x8b"


def source_name(path: Path) -> str:
    r"""Return what to call a source in a message; bytes of its name that are not UTF-8 come as ``\xe9``."""
    return "standard input" if path == STANDARD_INPUT else os.fsencode(path).decode("utf-8", "backslashreplace")


@contextmanager
def opened(path: Path, rules: InputRules = ANYWHERE) -> Iterator[BufferedReader]:
    """Open a file, or standard input for ``-``; what is compressed with gzip, by its name or first bytes, is unpacked.

    Args:
        path: the file.
        rules: where it must be; they do not apply to standard input.

    Raises:
        InputError: it cannot be read, is elsewhere, or its compression is broken; also what is raised so inside the
            block.
    """
    name = source_name(path)
    try:
        with ExitStack() as stack:
            stream = _standard_input() if path == STANDARD_INPUT else stack.enter_context(_file(path, rules))
            if stream.peek(2)[:2] == _GZIP_MARK or path.suffix.lower() == GZIP_ENDING:
                unpacked = stack.enter_context(gzip.GzipFile(fileobj=stream))
                stream = BufferedReader(cast("RawIOBase", unpacked))
            yield stream
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{name}: its gzip compression is broken or cut off ({error})") from error
    except FileNotFoundError as error:
        raise InputError(missing_file(path, "file", name)) from error
    except OSError as error:
        raise InputError(f"{name} cannot be read: {error.strerror or error}") from error


def _file(path: Path, rules: InputRules) -> BufferedReader:
    return open_input(path, rules, "file") if rules.folders else path.open("rb")  # a pipe will do, too


def _standard_input() -> BufferedReader:
    stream = sys.stdin.buffer
    return stream if isinstance(stream, BufferedReader) else BufferedReader(cast("RawIOBase", stream))


@contextmanager
def seekable(stream: BufferedReader, name: str) -> Iterator[IO[bytes]]:
    """Give a stream that can be read in any order: itself, or a temporary copy of what comes through a pipe.

    Raises:
        InputError: the copy would be larger than ``LARGEST_COPY``.
    """
    if isinstance(stream.raw, gzip.GzipFile) or not stream.seekable():
        with tempfile.TemporaryFile() as copy:
            while part := stream.read(_COPIED_AT_ONCE):
                if copy.write(part) and copy.tell() > LARGEST_COPY:
                    raise InputError(f"{name}: unpacked it takes more than {LARGEST_COPY:,} bytes; unpack it to a file")
            copy.seek(0)
            yield copy
    else:
        yield stream


class _Measured(RawIOBase):
    """Passes another stream on, and refuses it where quotes are too far apart."""

    def __init__(self, stream: BufferedReader, name: str) -> None:
        super().__init__()
        self._stream, self._name = stream, name
        self._run = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - any writable buffer
        part = self._stream.read(len(buffer))
        last = part.rfind(b'"')
        while last > 0 and part[last - 1] == ord("\\"):
            last = part.rfind(b'"', 0, last)
        self._run = self._run + len(part) if last < 0 else len(part) - last
        if self._run > LONGEST_VALUE:
            raise InputError(f"{self._name}: a value takes more than {LONGEST_VALUE:,} bytes, so it is no caption")
        buffer[: len(part)] = part
        return len(part)


def measured_json(stream: BufferedReader, name: str) -> BufferedReader:
    """Return a JSON document whose values are never longer than ``LONGEST_VALUE``, which a parser holds in memory.

    Raises:
        InputError: while it is read, when there is a longer one.
    """
    return BufferedReader(_Measured(stream, name), 1 << 16)
