"""Ctrl-C: a command ends within seconds, whatever it is doing, and remembers that it was interrupted.

Python raises KeyboardInterrupt between two steps of its own. It drops one that is raised in a finaliser, and inside a
library that waits for a disk or a server there is no step for a long time. So the signal also wakes a thread.
"""

import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from freeda_svc.cli.exit_codes import EXIT_INTERRUPTED

END_SECONDS = 2.5
"""After so long the watch ends the process; a second Ctrl-C ends it at once."""
_SHOW_CURSOR = "\x1b[?25h"


class InterruptWatch:
    """Ends the process soon after Ctrl-C; a context around the whole command."""

    def __init__(self, last_words: Callable[[], str]) -> None:
        """Prepare it.

        Args:
            last_words: returns the message for when the watch has to end the process.
        """
        self.pressed = False
        self.reported = False
        """Whether the command has printed itself that it was interrupted."""
        self._last_words = last_words
        self._reading, self._writing = socket.socketpair()
        self._writing.setblocking(False)
        self._before = -1

    def __enter__(self) -> "InterruptWatch":
        self._before = signal.set_wakeup_fd(self._writing.fileno(), warn_on_full_buffer=False)
        threading.Thread(target=self._run, name="interrupts", daemon=True).start()
        return self

    def __exit__(self, *_raised: object) -> None:
        if not self.pressed:  # otherwise it also watches the end of the process
            self.stand_back()

    def stand_back(self) -> None:
        """Watch no longer: who goes on has handlers of its own."""
        if self._writing.fileno() != -1:
            signal.set_wakeup_fd(self._before)
            self._writing.close()

    def _run(self) -> None:
        with self._reading as reading:
            while (signals := reading.recv(64)) and signal.SIGINT not in signals:
                pass
            if not signals:
                return
            self.pressed = True
            reading.settimeout(END_SECONDS)
            with suppress(TimeoutError):
                while (signals := reading.recv(64)) and signal.SIGINT not in signals:
                    pass
                if not signals:
                    return
        self._end()

    def _end(self) -> None:
        if not self.reported:
            cursor = _SHOW_CURSOR if sys.stderr.isatty() else ""
            with suppress(OSError):
                os.write(2, f"{cursor}\n{self._last_words()}\n".encode())
        os._exit(EXIT_INTERRUPTED)


_watches: list[InterruptWatch] = []  # one at most: of this command


@contextmanager
def watched_interrupts(last_words: Callable[[], str]) -> Iterator[InterruptWatch | None]:
    """Watch for Ctrl-C as long as the block lasts; nothing is watched in another thread than the main one."""
    if threading.current_thread() is not threading.main_thread():
        yield None
        return
    with InterruptWatch(last_words) as watch:
        _watches.append(watch)
        try:
            yield watch
        finally:
            _watches.clear()


def leave_interrupts_to_worker() -> None:
    """Let a worker end in its own time: it finishes its running item first."""
    for watch in _watches:
        watch.stand_back()


@contextmanager
def remembered_interrupts() -> Iterator[Callable[[], None]]:
    """Remember Ctrl-C: Python drops an exception raised in a finaliser, and polling a database runs many of them."""
    pressed = False

    def press(_number: int, _frame: FrameType | None) -> None:
        nonlocal pressed
        pressed = True
        raise KeyboardInterrupt

    def raise_if_pressed() -> None:
        if pressed:
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, press)
    try:
        yield raise_if_pressed
    finally:
        signal.signal(signal.SIGINT, before)
