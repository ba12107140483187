"""JSON as programs write it: a stream of events, also where a number is none or has more digits than a machine's.

Python's own ``json`` writes NaN and Infinity, which JSON has no words for, and integers of any length. In a field that
is not used they are no reason to refuse a file, and in one that is used they count as missing.
"""

import re
from collections.abc import Iterator
from decimal import Decimal
from io import BufferedReader
from typing import Any

import ijson

LONGEST_TEXT = 1 << 26
"""Bytes of the longest text that is read; a parser holds it in memory."""

_BLOCK = 1 << 16
_NO_NUMBERS = (b"NaN", b"Infinity")
# A text, whole or cut off where the block ends; else a word that is no number.
_TEXT_OR_NO_NUMBER = re.compile(rb'"(?:[^"\\]|\\.)*+"?|-?Infinity|NaN', re.DOTALL)
_REST_OF_TEXT = re.compile(rb'(?:[^"\\]|\\.)*+"?', re.DOTALL)
_PERHAPS_CUT = re.compile(rb"-?[A-Za-z]*\Z")
_LONGEST_CUT = len(b"-Infinit")
_NULL = b"null"

MOST_DIGITS = 4300
"""Python converts no longer numbers; the parser continues with the error it got for that, and fails somewhere else."""

_DIGITS_MARKED = bytes(b"0"[0] if chr(code).isdigit() else b" "[0] for code in range(128)) + b" " * 128
_TOO_MANY_DIGITS = b"0" * MOST_DIGITS


def json_events(stream: BufferedReader) -> Iterator[tuple[str, Any]]:
    """Parse JSON into events as ``ijson.basic_parse`` gives them; what is no number comes as null.

    Args:
        stream: UTF-8, read in blocks.

    Yields:
        Event and value; numbers are integers of any length, or decimals, of which ``plain`` makes floats.

    Raises:
        ijson.JSONError: it is no JSON, cut off, or has a number of ``MOST_DIGITS`` digits.
    """
    # With floats from the parser itself, an integer beyond 64 bits would be an error.
    events: Iterator[tuple[str, Any]] = ijson.basic_parse(NumbersOnly(stream), use_float=False)
    return events


def plain(value: Any) -> Any:  # noqa: ANN401  (of any event)
    """Return an event's value, a float in place of a decimal: infinite beyond a float's range."""
    return float(value) if type(value) is Decimal else value


def describe_fault(error: ijson.JSONError) -> str:
    """Return what the parser says is wrong, in one line; it gives bytes where the file has no text."""
    said = error.args[0] if error.args else ""
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
    return text.partition("\n")[0].strip()


class NumbersOnly:
    """A stream of JSON in which NaN, Infinity and -Infinity outside of texts read as null."""

    def __init__(self, stream: BufferedReader) -> None:
        """Take the stream, at its beginning."""
        self._stream = stream
        self._held = b""
        self._in_text = False
        self._end = b""
        self._in_one_text = 0

    def read(self, size: int = _BLOCK) -> bytes:
        """Return the next bytes, about as many; none at the end, and none when none are asked for.

        Raises:
            ijson.JSONError: a text is longer than ``LONGEST_TEXT``.
        """
        if not size:
            return b""
        data = b""
        while not data:
            block = self._stream.read(size)
            self._count_digits(block)
            data, self._held = self._held + block, b""
            if not block:
                break
            data, self._held = _divided(data)
        return self._replaced(data)

    def _count_digits(self, block: bytes) -> None:
        marked = self._end + block.translate(_DIGITS_MARKED)
        if _TOO_MANY_DIGITS in marked:
            raise ijson.JSONError(f"a number of {MOST_DIGITS:,} digits or more")
        self._end = marked[-MOST_DIGITS:]

    def _replaced(self, data: bytes) -> bytes:
        begins_in_text = self._in_text
        quotes = data.replace(b"\\\\", b"").replace(b'\\"', b"").count(b'"')
        self._in_text ^= quotes % 2 == 1
        self._in_one_text = self._in_one_text + len(data) if self._in_text and not quotes else 0
        if self._in_one_text > LONGEST_TEXT:
            raise ijson.JSONError(f"error: a text takes more than {LONGEST_TEXT:,} bytes")
        if not any(word in data for word in _NO_NUMBERS):
            return data
        first = _REST_OF_TEXT.match(data) if begins_in_text else None
        start = first.end() if first is not None else 0
        return data[:start] + _TEXT_OR_NO_NUMBER.sub(_text_or_null, data[start:])


def _divided(data: bytes) -> tuple[bytes, bytes]:
    """Divide what was read where nothing is cut: no escape in a text, and no word."""
    end = len(data.rstrip(b"\\"))
    if end == len(data):
        cut = _PERHAPS_CUT.search(data, max(0, end - _LONGEST_CUT))
        end = end if cut is None else cut.start()
    return data[:end], data[end:]


def _text_or_null(found: re.Match[bytes]) -> bytes:
    text = found.group()
    return text if text.startswith(b'"') else _NULL
