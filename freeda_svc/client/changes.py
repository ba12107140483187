"""Being woken when jobs change: the server's events say so; without them one looks every now and then."""

import socket
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress

import httpx

from freeda_svc.client.connection import Connection
from freeda_svc.errors import FreedaError

MOST_STREAMS = 4
"""Of more jobs than these no events are listened to."""
SILENCE_SECONDS = 60.0
"""A stream that says nothing for so long, not even that it is there, is opened again."""
AGAIN_SECONDS = 5.0
"""Pause before a stream that ended is opened again."""
END = "-end"
"""How the id of a job's last event ends."""
_JOIN_SECONDS = 2.0


class JobChanges:
    """Waits for changes of some jobs; events are read in threads of their own."""

    def __init__(self, connection: Connection, job_ids: Collection[str]) -> None:
        """Begin to listen.

        Args:
            connection: to the server.
            job_ids: the jobs, by their whole ids.
        """
        self._connection = connection
        self._changed = threading.Event()
        self._closed = threading.Event()
        self._open: dict[str, httpx.Response] = {}
        self._lock = threading.Lock()
        listened = list(job_ids) if len(job_ids) <= MOST_STREAMS else []
        self._threads = [
            threading.Thread(target=self._listen, args=(job,), name=f"events of {job}", daemon=True) for job in listened
        ]
        for thread in self._threads:
            thread.start()

    def wait(self, seconds: float) -> None:
        """Return when a job has changed since the last wait, or after so long."""
        if self._changed.wait(seconds):
            self._changed.clear()

    def close(self) -> None:
        """Listen no more."""
        self._closed.set()
        with self._lock:
            for response in self._open.values():
                _wake(response)
        until = time.monotonic() + _JOIN_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))

    def _listen(self, job: str) -> None:
        last = ""
        while not self._closed.is_set():
            headers = {"Accept": "text/event-stream", **({"Last-Event-ID": last} if last else {})}
            with (
                suppress(FreedaError),
                self._connection.stream(
                    f"/v1/jobs/{job}/events",
                    params={"progress_only": True},
                    headers=headers,
                    seconds=SILENCE_SECONDS,
                ) as response,
            ):
                last = self._read(job, response, last)
            self._changed.set()  # what was missed meanwhile is seen
            if last.endswith(END):
                return
            self._closed.wait(AGAIN_SECONDS)

    def _read(self, job: str, response: httpx.Response, last: str) -> str:
        with self._lock:
            self._open[job] = response
        try:
            for line in response.iter_lines():
                if self._closed.is_set():
                    return last
                if line.startswith("id:"):
                    last = line[3:].strip()
                elif line.startswith("data:"):
                    self._changed.set()
            return last
        finally:
            with self._lock:
                del self._open[job]


@contextmanager
def watched_jobs(connection: Connection, job_ids: Collection[str]) -> Iterator[JobChanges]:
    """Listen to changes of jobs for as long as the block lasts."""
    changes = JobChanges(connection, job_ids)
    try:
        yield changes
    finally:
        changes.close()


def _wake(response: httpx.Response) -> None:
    """End the reading of a stream in another thread: closing a socket would not."""
    stream = response.extensions.get("network_stream")
    connected = stream.get_extra_info("socket") if stream is not None else None
    if isinstance(connected, socket.socket):
        with suppress(OSError):
            connected.shutdown(socket.SHUT_RDWR)
