"""Text from outside: UTF-8, with a byte order mark or without; any other encoding is refused by what it looks like."""

import re
from collections.abc import Iterator
from io import BufferedReader, TextIOWrapper
from pathlib import Path

from freeda_svc.errors import InputError

LONGEST_LINE = 1 << 22
"""Characters after which a line is taken for something else than text."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_OTHER_MARKS = (
    (b"\xff\xfe\0\0", "UTF-32"),
    (b"\0\0\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
)
_BYTES_LOOKED_AT = 1024
_LINE_END = re.compile(rb"\r\n|\r|\n")


def read_text(path: Path, called: str = "") -> str:
    """Read a text file whole, without its byte order mark; line ends are as they are.

    Args:
        path: of the file.
        called: what to call it in a message; its path when empty.

    Raises:
        InputError: it is not UTF-8 text.
        OSError: it cannot be read.
    """
    return decode_text(path.read_bytes(), called or str(path))


def decode_text(content: bytes, called: str) -> str:
    """Return text without its byte order mark; line ends are as they are.

    Raises:
        InputError: it is not UTF-8 text.
    """
    try:
        return without_mark(content, called).decode("utf-8")
    except UnicodeDecodeError as error:
        raise _not_utf8(error, called, 1) from error


def without_mark(content: bytes, called: str) -> bytes:
    """Return the bytes of a text without its byte order mark; names of files in it need not be UTF-8.

    Raises:
        InputError: the text begins in an encoding of two or four bytes a letter.
    """
    _refuse_wide_encodings(content, called)
    return content.removeprefix(_BYTE_ORDER_MARK)


def text_lines(stream: BufferedReader, called: str) -> Iterator[str]:
    r"""Give the lines of a text, each with its end, which may be ``\n``, ``\r\n`` or ``\r``.

    Raises:
        InputError: it is not UTF-8 text, or has a line of ``LONGEST_LINE`` characters.
    """
    skip_byte_order_mark(stream, called)
    text = TextIOWrapper(stream, encoding="utf-8", newline="")
    number = 1
    try:
        while line := text.readline(LONGEST_LINE):
            if "\0" in line:
                raise InputError(f"{called}, line {number}: not a text file")
            if len(line) == LONGEST_LINE:
                raise InputError(f"{called}, line {number}: longer than {LONGEST_LINE:,} characters, so not text")
            yield line
            number += 1
    except UnicodeDecodeError as error:
        raise _not_utf8(error, called, number) from error
    finally:
        if not text.closed:
            text.detach()


def skip_byte_order_mark(stream: BufferedReader, called: str) -> None:
    """Step over the mark that some programs put before UTF-8.

    Raises:
        InputError: the text begins in another encoding.
    """
    start = stream.peek(_BYTES_LOOKED_AT)
    _refuse_wide_encodings(start, called)
    if start.startswith(_BYTE_ORDER_MARK):
        stream.read(len(_BYTE_ORDER_MARK))


def _refuse_wide_encodings(start: bytes, called: str) -> None:
    looks_like = _wide_encoding(start[:_BYTES_LOOKED_AT])
    if looks_like:
        raise InputError(f"{called} is not UTF-8 text, it looks like {looks_like}; save it as UTF-8")


def _wide_encoding(start: bytes) -> str:
    """Name the encoding that a text's first bytes betray; in Latin letters every second byte of UTF-16 is zero."""
    for mark, name in _OTHER_MARKS:
        if start.startswith(mark):
            return name
    letter = 4
    if len(start) < letter:
        return ""
    zeros = [start[place::letter].count(0) * letter * 2 > len(start) for place in range(letter)]
    if zeros in ([False, True, True, True], [True, True, True, False]):
        return "UTF-32"
    return "UTF-16" if zeros in ([False, True, False, True], [True, False, True, False]) else ""


def other_encoding(called: str, place: str = "") -> InputError:
    """Return the error for bytes that are not UTF-8.

    Args:
        called: what to call the text.
        place: in brackets, where they are, when that is known.
    """
    return InputError(
        f"{called} is not UTF-8 text, it looks like Windows-1252, Latin-1 or another encoding of one language{place}; "
        "save it as UTF-8"
    )


def _not_utf8(error: UnicodeDecodeError, called: str, line: int) -> InputError:
    """Say where a text stops to be UTF-8, given the line in which the bytes begin that could not be decoded."""
    line += len(_LINE_END.findall(error.object, 0, error.start))
    if error.reason == "unexpected end of data":
        return InputError(f"{called} is not UTF-8 text: it ends within a letter (line {line}); is it cut off?")
    return other_encoding(called, f" (byte {error.object[error.start]:02x} in line {line})")
