"""Standard output and error of a process whose console is for machines: what is printed becomes lines of its log."""

import io
import logging
import re
import threading
from typing import TextIO

_ENDS = re.compile(r"[\r\n]+")
_EMPTY = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
"""What moves the cursor or colours text."""


class OutputLines(io.TextIOBase):
    """A text stream that logs each line that is written to it."""

    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self, stream: TextIO, level: int) -> None:
        """Take the stream that it replaces.

        Args:
            stream: the one that is replaced, or one of this class that already replaces it.
            level: of the lines.
        """
        self.original = OutputLines.beneath(stream)
        self._level = level
        self._begun = ""
        self._busy = threading.local()
        self._lock = threading.RLock()

    @staticmethod
    def beneath(stream: TextIO) -> TextIO:
        """Return the real stream behind a replaced one, or the stream itself."""
        return stream.original if isinstance(stream, OutputLines) else stream

    def writable(self) -> bool:
        """It is."""
        return True

    def fileno(self) -> int:
        """Where processes that are started from here write to."""
        return self.original.fileno()

    def write(self, text: str) -> int:
        """Log the lines that are complete now."""
        if not isinstance(text, str):
            raise TypeError(f"text is written here, not {type(text).__name__}")
        with self._lock:
            *lines, self._begun = _ENDS.split(self._begun + text)
        for line in lines:
            self._tell(line)
        return len(text)

    def close(self) -> None:
        """Log what has no end yet; the stream stays, as its original does."""
        with self._lock:
            rest, self._begun = self._begun, ""
        self._tell(rest)

    def _tell(self, line: str) -> None:
        shown = _EMPTY.sub("", line).strip()
        if not shown or getattr(self._busy, "logging", False):  # a log that cannot be written prints
            return
        self._busy.logging = True
        try:
            logging.getLogger("output").log(self._level, "%s", shown)
        finally:
            self._busy.logging = False
