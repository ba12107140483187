"""The HTTP API as a process, which can be killed."""

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import httpx

from freeda_svc.settings import Settings


class ApiProcess:
    """A server of its own on an installation that others may serve, too."""

    def __init__(self, settings: Settings) -> None:
        self._process = subprocess.Popen([sys.executable, "-m", "freeda_svc.api"], env=settings.as_environment())
        self.address = f"http://127.0.0.1:{settings.api_port}"
        for _ in range(1200):
            with suppress(httpx.TransportError):
                if httpx.get(f"{self.address}/health/live", trust_env=False, timeout=10).is_success:
                    break
            assert self._process.poll() is None
            threading.Event().wait(0.05)

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()


@contextmanager
def api_process(settings: Settings) -> Iterator[str]:
    """Run the API as a process that is killed at the end; gives its address."""
    running = ApiProcess(settings)
    try:
        yield running.address
    finally:
        running.kill()
