"""Requests that wait for jobs: one listener to the broker for all of a process, which look at SQL now and then, too."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import redis
import redis.asyncio
from anyio import to_thread
from starlette.requests import Request

from freeda_svc.api.bank_nouns import kept_nouns
from freeda_svc.errors import UnavailableError
from freeda_svc.jobs import has_open_items
from freeda_svc.settings import Settings
from freeda_svc.workers.broker import CLIENT_SECONDS, SOCKET_FILE, embedded_broker_url
from freeda_svc.workers.changes import CHANNEL

MOST_WAITING = 500
"""So many requests of a process wait at once."""
LOOK_SECONDS = 2.0
"""Pause between two looks at a job whose changes nothing announces."""
RETRY_SECONDS = 1.0

BUSY = f"{MOST_WAITING} requests wait for jobs already: ask without waiting, or again later"


class JobWatch:
    """What one request waits with."""

    def __init__(self) -> None:
        """Begin to watch."""
        self._changed = asyncio.Event()

    async def wait(self, seconds: float = LOOK_SECONDS) -> None:
        """Return when the job may have changed since the last return, or after so long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        self._changed.clear()

    def wake(self) -> None:
        """Let it look."""
        self._changed.set()


class JobChanges:
    """Listens to the broker for all requests that wait for jobs; to be used in one event loop."""

    def __init__(self, settings: Settings) -> None:
        """Prepare it.

        Args:
            settings: the installation.
        """
        self._settings = settings
        self._watches: defaultdict[str, set[JobWatch]] = defaultdict(set)
        self._wanted = asyncio.Event()
        self._waiting = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self.ended = False
        """Whether the server is stopping: nobody waits any longer."""

    @property
    def has_room(self) -> bool:
        """Whether one more request may wait."""
        return self._waiting < MOST_WAITING and not self.ended

    @contextmanager
    def watch(self, job_id: str) -> Iterator[JobWatch]:
        """Watch a job: what changes from now on wakes.

        Args:
            job_id: complete.

        Raises:
            UnavailableError: too many requests wait already, or the server is stopping.
        """
        if not self.has_room:
            raise UnavailableError("the server is stopping" if self.ended else BUSY)
        watch = JobWatch()
        self._watches[job_id].add(watch)
        self._waiting += 1
        self._wanted.set()
        try:
            yield watch
        finally:
            self._waiting -= 1
            self._watches[job_id].discard(watch)
            if not self._watches[job_id]:
                del self._watches[job_id]
            if not self._waiting:
                self._wanted.clear()

    def changed(self, job_id: str) -> None:
        """Wake those who wait for a job, from any thread: this process has changed it."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._wake, job_id)

    async def listen(self) -> None:
        """Listen until cancelled; while there is no broker, ask for one as long as somebody waits."""
        self._loop = asyncio.get_running_loop()
        while True:
            await self._wanted.wait()
            with suppress(redis.RedisError, OSError, UnavailableError):
                await self._listen_once()
            self._wake_all()
            await asyncio.sleep(RETRY_SECONDS)

    def end(self) -> None:
        """Let all requests answer with what there is: the server stops."""
        self.ended = True
        self._wake_all()

    async def _listen_once(self) -> None:
        """Listen until the broker goes."""
        settings = self._settings
        if settings.embedded_broker and not (settings.broker_folder / SOCKET_FILE).is_socket():
            return
        url = embedded_broker_url(settings) if settings.embedded_broker else settings.broker_url
        client = redis.asyncio.Redis.from_url(url, socket_connect_timeout=CLIENT_SECONDS)
        async with client, client.pubsub() as listening:
            await listening.psubscribe(f"{CHANNEL}*")
            async for message in listening.listen():
                if message["type"] == "psubscribe":
                    self._wake_all()  # what has changed before was announced to nobody
                elif message["type"] == "pmessage":
                    self._wake(message["channel"].decode("utf-8", "replace").removeprefix(CHANNEL))

    def _wake(self, job_id: str) -> None:
        for watch in self._watches.get(job_id, ()):
            watch.wake()

    def _wake_all(self) -> None:
        for job_id in self._watches:
            self._wake(job_id)


async def wait_for_end(changes: JobChanges, settings: Settings, job_id: str, seconds: float, request: Request) -> bool:
    """Wait until nothing of a job is open any more, for so long at most, and while the client is there.

    Args:
        changes: of this server.
        settings: the installation.
        job_id: complete.
        seconds: at most.
        request: who waits; its body has been read.

    Returns:
        Whether the job has ended.

    Raises:
        UnavailableError: the database does not answer, or too many requests wait already.
    """
    deadline = asyncio.get_running_loop().time() + seconds
    gone = asyncio.ensure_future(_disconnected(request))
    try:
        with changes.watch(job_id) as watch:
            gone.add_done_callback(lambda _task: watch.wake())
            while await to_thread.run_sync(has_open_items, settings, job_id):
                left = deadline - asyncio.get_running_loop().time()
                if left <= 0 or gone.done() or changes.ended:
                    return False
                await watch.wait(min(left, LOOK_SECONDS))
            kept_nouns.note_job_end()
            return True
    finally:
        gone.cancel()


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
