"""Waiting: for a condition, and for a part that does not answer, longer each time."""

import errno
import time
from collections.abc import Callable
from typing import TypeVar

from freeda_svc.errors import BusyError, UnavailableError
from freeda_svc.loggers import logger

FIRST_SECONDS = 0.5
LONGEST_SECONDS = 30.0
LOOK_SECONDS = 0.02
PASSING = frozenset(
    {
        *(errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.ENOMEM, errno.EMFILE, errno.ENFILE),
        *(errno.ESTALE, errno.ENETDOWN, errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EHOSTDOWN, errno.ETIMEDOUT),
    }
)
"""What an operating system says of itself, of a full or broken disk, or of a file server that is away."""

Result = TypeVar("Result")
log = logger(__name__)


class Backoff:
    """Waits half a second, then twice as long each time, until something has worked."""

    def __init__(
        self, sleep: Callable[[float], None] = time.sleep, *, waited: int = 0, longest: float = LONGEST_SECONDS
    ) -> None:
        """Begin.

        Args:
            sleep: waits so many seconds.
            waited: how many waits there were before, so that the first one is longer.
            longest: the longest wait, seconds.
        """
        self._sleep = sleep
        self._longest = longest
        self._next = min(FIRST_SECONDS * 2.0 ** min(waited, 10), longest)

    def wait(self) -> None:
        """Wait, twice as long as the last time."""
        seconds, self._next = self._next, min(2 * self._next, self._longest)
        self._sleep(seconds)

    def reset(self) -> None:
        """Begin with the shortest wait again, because the part answers."""
        self._next = FIRST_SECONDS


PATIENCE = Backoff()
"""Of this process: what one item could not reach, the next one will not reach either."""


def wait_until(is_so: Callable[[], bool], seconds: float) -> bool:
    """Wait until a condition holds; False when it did not in time."""
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            return False
        time.sleep(LOOK_SECONDS)
    return True


def until_available(action: Callable[[], Result], what: str, backoff: Backoff) -> Result:
    """Call an action until the parts that it needs answer.

    Args:
        action: raises ``UnavailableError`` while they do not.
        what: for the log.
        backoff: waits between tries.
    """
    while True:
        try:
            result = action()
        except UnavailableError as error:
            log.warning("waiting for a part that does not answer", what=what, reason=str(error))
            backoff.wait()
        else:
            backoff.reset()
            return result


def may_pass(error: Exception) -> bool:
    """Return whether an error may pass by itself: what is locked by another process, or away, may be there later."""
    return isinstance(error, BusyError | UnavailableError) or (isinstance(error, OSError) and error.errno in PASSING)
