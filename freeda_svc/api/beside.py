"""The API beside a worker: a process that ends with it, and is started again when it ends by itself."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from freeda_svc.api.address import address_of, bound_socket
from freeda_svc.errors import UnavailableError
from freeda_svc.loggers import logger
from freeda_svc.settings import Settings

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 30.0
STOP_SECONDS = 10.0

log = logger(__name__)


@contextmanager
def api_beside(settings: Settings) -> Iterator[str]:
    """Run the API as a process for as long as the block lasts.

    Args:
        settings: the installation; with ``api_port`` 0 nothing is run.

    Yields:
        Its address; empty when it is not run: a port that somebody else has is no reason for a worker not to work.
    """
    if not settings.api_port:
        yield ""
        return
    try:
        with bound_socket(settings) as bound:
            address = address_of(bound)
    except UnavailableError as error:
        log.warning("there is no API", reason=str(error))
        yield ""
        return
    keeper = _Keeper(settings)
    keeper.start()
    try:
        yield address
    finally:
        keeper.stop()


class _Keeper:
    """Starts the process, and starts it again after growing pauses."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._keep, name="api keeper", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        with self._lock:
            self._ended.set()
            process = self._process
        if process is not None:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._thread.join()

    def _keep(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        while not self._ended.is_set():
            with self._lock:
                if self._ended.is_set():
                    return
                self._process = process = self._begin()
            code = process.wait()
            if self._ended.is_set():
                return
            log.warning("the API ended by itself and is started again", exit_code=code, pause_seconds=pause)
            self._ended.wait(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    def _begin(self) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(  # noqa: S603 - this very program
            [sys.executable, "-m", "freeda_svc.api", "--belongs-to", str(os.getpid())],
            env={**os.environ, **self._settings.as_environment()},
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for the worker, which then stops this
        )
