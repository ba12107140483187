"""Failures of the engine inside the process as errors a person can act on."""

import os
import re
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from freeda_svc.bank.points import REPAIR
from freeda_svc.errors import FreedaError, UnavailableError, one_line

_LONGEST_REASON = 300
_PANIC = re.compile(
    rb"\n?thread '[^'\n]*'(?: \(\d+\))? panicked at [^\n]*\n[^\n]*\n"
    rb"(?:stack backtrace:\n(?:[ \t][^\n]*\n)*)?(?:note: [^\n]*\n)*"
)
_redirecting = threading.Lock()


@contextmanager
def asking(place: str) -> Iterator[None]:
    """Turn the engine's failures into one line that names the bank.

    Raises:
        UnavailableError: what the engine raised, or panicked over: a panic is no `Exception`.
    """
    try:
        yield
    except (FreedaError, KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except Exception as error:
        raise UnavailableError(f"{place} does not answer: {_reason(error)}") from error
    except BaseException as error:
        raise UnavailableError(f"{place} is damaged ({_reason(error)}): {REPAIR}") from error


@contextmanager
def loading(place: str) -> Iterator[None]:
    """Do the same while the files of a bank are opened, where damaged ones are found.

    Raises:
        UnavailableError: they cannot be read, or are damaged; the engine does not tell these apart.
    """
    try:
        with _without_panics(), asking(place):
            yield
    except UnavailableError as error:
        if not isinstance(error.__cause__, Exception):
            raise
        raise UnavailableError(
            f"{place} cannot be opened ({_reason(error.__cause__)}): check the permissions of its files, or {REPAIR}"
        ) from error.__cause__


@contextmanager
def _without_panics() -> Iterator[None]:
    """Keep from standard error what the engine writes there when it panics: up to 200 lines besides the exception."""
    with _redirecting, tempfile.TemporaryFile() as kept:
        try:
            error_output = os.dup(2)
        except OSError:  # there is none
            yield
            return
        os.dup2(kept.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(error_output, 2)
            os.close(error_output)
            kept.seek(0)
            others = _PANIC.sub(b"", kept.read())
            if others:
                os.write(2, others)


def _reason(error: BaseException) -> str:
    return one_line(error)[:_LONGEST_REASON]
